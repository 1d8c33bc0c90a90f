import { field } from './messages.ts';
import { peerText } from '../../lib/logger.ts';

/** gRPC's status codes, as far as they decide what is done next. */
const GRPC = { unknown: 2, deadlineExceeded: 4, notFound: 5, permissionDenied: 7, unavailable: 14, unauthenticated: 16 } as const;

/** Another member may do better, or the same one later. */
const PASSING: readonly number[] = [GRPC.unknown, GRPC.deadlineExceeded, GRPC.unavailable];

/** etcd has answered that it does not do what it was asked. */
export class EtcdRefusal extends Error {
  readonly grpcCode: number;

  constructor(message: string, grpcCode: number) {
    super(message);
    this.name = 'EtcdRefusal';
    this.grpcCode = grpcCode;
  }

  get isPassing(): boolean {
    return PASSING.includes(this.grpcCode);
  }

  get isLeaseNotFound(): boolean {
    return this.grpcCode === GRPC.notFound && this.message.includes('lease not found');
  }

  get isWithoutUsers(): boolean {
    return this.message.includes('authentication is not enabled');
  }

  /** The token is over, or the users and roles have changed since it was given, or users are demanded since. */
  get isTokenOver(): boolean {
    return this.grpcCode === GRPC.unauthenticated || /invalid auth token|revision of auth store is old|user name is empty/.test(this.message);
  }

  /** With what the operator is to do, where that can be told. */
  withAdvice(prefix: string): EtcdRefusal {
    return new EtcdRefusal(`${this.message}${this.#advice(prefix)}`, this.grpcCode);
  }

  #advice(prefix: string): string {
    if (this.grpcCode === GRPC.permissionDenied) return `; the user of coordination.etcd.username needs a role with readwrite on the prefix ${prefix}`;
    if (/user name is empty/.test(this.message)) return '; it wants a user: coordination.etcd.username and passwordFile';
    if (/authentication failed/.test(this.message)) return '; coordination.etcd.username or passwordFile is wrong';
    if (/database space exceeded/.test(this.message)) return '; compact and defragment it, disarm the alarm, and run it with --auto-compaction-retention';
    return '';
  }
}

/** The refusal that `body` holds: of a plain answer, or of one in a stream. */
export function refusalIn(body: unknown): EtcdRefusal | undefined {
  const error = field(body, 'error');
  if (error === undefined) return undefined;
  const from = typeof error === 'object' ? error : body;
  const message = field(from, 'message') ?? error;
  const code = field(from, 'grpc_code') ?? field(from, 'code');
  return new EtcdRefusal(peerText(String(message)), typeof code === 'number' ? code : GRPC.unknown);
}
