import type { ComponentLogger, PrivateKey, Startable, Transport } from '@libp2p/interface';
import { RelaydError } from '../../lib/errors.ts';

/** The optional package and what is used of it: its sockets and its TLS, not its streams (stream.ts says why). */
const PACKAGE = '@chainsafe/libp2p-quic';

export interface QuicModule {
  quic(options: object): (components: { privateKey: PrivateKey; logger: ComponentLogger }) => Transport & Startable;
}

/** A connection of the native part. */
export interface NativeConnection {
  inboundStream(): Promise<NativeStream>;
  outboundStream(): Promise<NativeStream>;
}

/** A stream of the native part; reading and writing go side by side, one of each at a time. */
export interface NativeStream {
  id(): string;
  /** The next bytes, at most `maxBytes`; nothing after the last. */
  read(maxBytes: number): Promise<Uint8Array | null | undefined>;
  write(data: Uint8Array): Promise<void>;
  finishWrite(): void | Promise<void>;
  resetWrite(): void | Promise<void>;
  stopRead(): void | Promise<void>;
}

/** The native connection under an upgrade of the package's. @throws Error when the package is not what it was */
export function nativeOf(upgradeOptions: object): NativeConnection {
  const { muxerFactory } = upgradeOptions as { muxerFactory?: { init?: { connection?: NativeConnection } } };
  const native = muxerFactory?.init?.connection;
  if (native === undefined) throw new Error(`${PACKAGE} has another shape than the one that this was written for`);
  return native;
}

/** @throws RelaydError NOT_BUILT when the package is not installed, or has no native part for this machine */
export async function loadQuic(): Promise<QuicModule> {
  try {
    return (await import(PACKAGE)) as QuicModule;
  } catch (cause) {
    const remedy = `QUIC needs the optional package ${PACKAGE}, which cannot be loaded here (${process.platform}, ${process.arch}): install it, or leave out the addresses with quic-v1`;
    throw new RelaydError('NOT_BUILT', remedy, { cause });
  }
}

