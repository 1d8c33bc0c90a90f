import type { ComponentLogger, Logger, MessageStreamDirection } from '@libp2p/interface';
import { AbstractMultiaddrConnection } from '@libp2p/utils';
import type { SendResult } from '@libp2p/utils';
import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { blocksInUse } from '../../../src/lib/block-pool.ts';
import { PLAIN, SecureLink } from '../../../src/transport/native/link.ts';
import type { LinkOptions } from '../../../src/transport/native/link.ts';
import type { Ground, Take } from '../../../src/transport/native/ground.ts';

/** A logger that says nothing. */
export const silent: ComponentLogger = { forComponent: () => quiet() };

function quiet(): Logger {
  const log: Logger = Object.assign(() => undefined, { error: () => undefined, trace: () => undefined, enabled: false, newScope: () => log });
  return log;
}

/** A connection that only remembers how it ended: bytes go by the ground. */
export class BareConnection extends AbstractMultiaddrConnection {
  resetWith: Error | undefined;
  closings = 0;

  constructor(direction: MessageStreamDirection) {
    super({ direction, log: silent.forComponent('test:bare'), remoteAddr: multiaddr('/ip4/127.0.0.1/tcp/1') });
  }

  sendData(): SendResult {
    throw new Error('nobody writes here');
  }

  sendReset(error: Error): void {
    this.resetWith = error;
  }

  async sendClose(): Promise<void> {
    this.closings++;
  }

  sendPause(): void {
    throw new Error('nobody pauses here');
  }

  sendResume(): void {
    throw new Error('nobody resumes here');
  }
}

/** A ground whose writes end when the test says so, and whose bytes come from the test. */
export class HandGround implements Ground {
  /** What has left: the bytes of writes that are done. */
  readonly left: Buffer[] = [];
  /** Whether writes end by themselves, in a later turn. */
  flowing = true;
  paused = false;
  writes = 0;
  onWrite: ((bytes: Buffer) => void) | undefined;
  #take: Take | undefined;
  #pending: { bytes: Buffer; copy: Buffer; done: (error?: Error | null) => void } | undefined;

  open(take: Take): void {
    this.#take = take;
  }

  write(bytes: Buffer, done: (error?: Error | null) => void): void {
    assert.equal(this.#pending, undefined, 'one write at a time');
    assert.ok(bytes.length > 0, 'no empty write');
    this.writes++;
    this.#pending = { bytes, copy: Buffer.from(bytes), done };
    this.onWrite?.(bytes);
    if (this.flowing) {
      setImmediate(() => this.finish());
    }
  }

  writeOwned(pieces: readonly Buffer[], done: (error?: Error | null) => void): void {
    this.write(Buffer.concat(pieces), done);
  }

  get pending(): boolean {
    return this.#pending !== undefined;
  }

  /** The kernel has taken the write. Its bytes must be what they were. */
  finish(error?: Error): void {
    const pending = this.#pending;
    if (pending === undefined) {
      return;
    }
    this.#pending = undefined;
    assert.ok(pending.bytes.equals(pending.copy), 'the bytes of a write changed before it was done');
    if (error === undefined) {
      this.left.push(pending.copy);
    }
    pending.done(error);
  }

  /** `bytes` arrive, in memory that is the receiver's only during the call. */
  arrive(bytes: Uint8Array): void {
    const chunk = Buffer.from(bytes);
    this.#take?.(chunk, 0, chunk.length);
    chunk.fill(0xdd);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }
}

export interface LinkRig {
  link: SecureLink;
  ground: HandGround;
  connection: BareConnection;
}

export function linkRig(direction: MessageStreamDirection = 'inbound', options: Partial<LinkOptions> = {}): LinkRig {
  const ground = new HandGround();
  const connection = new BareConnection(direction);
  const link = new SecureLink({ connection, ground, ...PLAIN, ...options });
  return { link, ground, connection };
}

/** What was asked for in this turn has been done: the flush, and the writes that it began. */
export async function turns(count = 4): Promise<void> {
  for (let i = 0; i < count; i++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Blocks that are in use when nothing is on its way any more. */
export async function blocksHeld(): Promise<number> {
  await turns(10);
  return blocksInUse();
}
