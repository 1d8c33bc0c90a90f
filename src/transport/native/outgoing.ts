import { BlockPool } from '../../lib/block-pool.ts';
import { toError } from '../../lib/errors.ts';
import type { Ground } from './ground.ts';
import { turn } from './turn.ts';

/** How the bytes of a block become records of the security protocol. */
export interface Sealer {
  /** Bytes that a record needs before its payload. */
  readonly head: number;
  /** Bytes that a record needs behind its payload. */
  readonly tail: number;
  readonly maxPayloadBytes: number;
  /** Turns the payload between `start` and `end` into a record, in place: `head` before it and `tail` behind it are its own. */
  seal(block: Buffer, start: number, end: number): void;
}

/** Whoever is told when bytes have left for the kernel. */
export interface Owner {
  written(bytes: number): void;
}

interface Block {
  readonly bytes: Buffer;
  /** Start and end of the payload of each finished record. */
  readonly records: number[];
  readonly owners: Owner[];
  readonly counts: number[];
}

/** Two noise records of the greatest size; for TLS, eight. */
const BLOCK_BYTES = 2 * (2 + 65_535);
/** What one connection and the kernel hold between them is two; a hundred busy connections are served without new memory. */
const blocks = new BlockPool(BLOCK_BYTES, 128);
/** A write that is smaller is copied out, so that a peer that does not read holds little of ours. */
const SMALL_BYTES = 4096;
/** A record that has less room than this is not begun. */
const MIN_PAYLOAD_BYTES = 512;
/** Frames that answer the other side's may wait behind a full block; then the other side is not read until they are gone. */
const MAX_SPILLED_BLOCKS = 8;

/**
 * The bytes on their way to one peer. They are written straight into a block, which goes to the kernel as a whole: at the end of
 * the turn, or when it is full. One write is on its way at a time, so at most two blocks wait for a peer that does not read; there is
 * no room then, and whoever has more waits for `onRoom`.
 */
export class Outgoing {
  readonly #ground: Ground;
  readonly #sealer: Sealer;
  readonly #onRoom: () => void;
  readonly #onError: (error: Error) => void;
  #filling: Block | undefined;
  #spilled: Block[] = [];
  #inFlight: Pick<Block, 'owners' | 'counts'> | undefined;
  /** The block that the kernel reads from, if it is one. */
  #lent: Buffer | undefined;
  #writing = false;
  #flushAsked = false;
  #closed = false;
  #idle: (() => void)[] = [];
  /** Where the payload of the record being filled began. */
  #start = 0;
  /** The block's memory and the place of the next byte. Whoever has asked for `room` writes there. */
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  /** Changes whenever what was written before can no longer be changed. */
  record = 0;

  constructor(ground: Ground, sealer: Sealer, onRoom: () => void, onError: (error: Error) => void) {
    this.#ground = ground;
    this.#sealer = sealer;
    this.#onRoom = onRoom;
    this.#onError = onError;
  }

  /** True while the peer takes less than it makes us answer. */
  get congested(): boolean {
    return this.#spilled.length > 0;
  }

  get empty(): boolean {
    return this.#filling === undefined && !this.#writing && this.#spilled.length === 0;
  }

  /** Contiguous bytes that may be written at `at`: at least `least`, or 0 when the peer has to take something first. */
  room(least: number): number {
    if (this.#closed) {
      return 0;
    }
    if (this.#filling === undefined) {
      this.#begin();
    }
    const free = this.#free(least);
    if (free >= least) {
      return free;
    }
    if (this.#writing) {
      return 0;
    }
    this.#flush();
    if (this.#filling !== undefined || this.#closed) {
      // An older block went first, or it could not be sealed.
      return 0;
    }
    this.#begin();
    return this.#free(least);
  }

  /** As `room`, for the few bytes that must not wait: what answers the other side, or frees its memory. */
  roomForControl(least: number): number {
    const free = this.room(least);
    if (free > 0 || this.#closed) {
      return free;
    }
    if (this.#spilled.length >= MAX_SPILLED_BLOCKS) {
      this.#onError(new Error('the peer takes nothing of what it asks for'));
      return 0;
    }
    this.#endRecord();
    this.#spilled.push(this.#filling as Block);
    this.#begin();
    return this.#free(least);
  }

  /** `bytes` have been written at `at`, of which `count` are `owner`'s. They leave at the end of the turn. */
  wrote(bytes: number, owner?: Owner, count?: number): void {
    this.at += bytes;
    if (owner !== undefined && count !== undefined) {
      const { owners, counts } = this.#filling as Block;
      const last = owners.length - 1;
      if (owners[last] === owner) {
        counts[last] = (counts[last] ?? 0) + count;
      } else {
        owners.push(owner);
        counts.push(count);
      }
    }
    if (!this.#flushAsked) {
      this.#flushAsked = true;
      turn.atEnd(this.#flushAtEnd);
    }
  }

  /** Sends what waits now, if nothing is on its way: a last word, behind which the connection may end. */
  push(): void {
    this.#flush();
  }

  /** Resolves when everything written so far is with the kernel, or never will be. */
  async whenEmpty(): Promise<void> {
    if (!this.empty && !this.#closed) {
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
  }

  /** Drops what waits. The block that is on its way comes back when the kernel is done with it. */
  close(): void {
    if (this.#closed) {
      return;
    }
    this.#closed = true;
    [...this.#spilled, this.#filling].forEach((block) => block !== undefined && blocks.give(block.bytes));
    this.#spilled = [];
    this.#filling = undefined;
    this.#wakeIdle();
  }

  readonly #flushAtEnd = (): void => {
    this.#flushAsked = false;
    this.#flush();
  };

  #begin(): void {
    this.#filling = { bytes: blocks.take(), records: [], owners: [], counts: [] };
    this.bytes = this.#filling.bytes;
    this.#start = (this.#ground.headRoomBytes ?? 0) + this.#sealer.head;
    this.at = this.#start;
    this.record++;
  }

  #free(least: number): number {
    const { head, tail, maxPayloadBytes } = this.#sealer;
    const free = Math.min(this.#start + maxPayloadBytes, BLOCK_BYTES - tail) - this.at;
    if (free >= least) {
      return free;
    }
    const next = this.at + tail + head;
    const freeNext = Math.min(maxPayloadBytes, BLOCK_BYTES - tail - next);
    if (freeNext < Math.max(least, MIN_PAYLOAD_BYTES)) {
      return 0;
    }
    this.#endRecord();
    this.#start = next;
    this.at = next;
    this.record++;
    return freeNext;
  }

  #endRecord(): void {
    if (this.at > this.#start) {
      this.#filling?.records.push(this.#start, this.at);
    }
  }

  #flush(): void {
    if (this.#writing || this.#closed) {
      return;
    }
    const block = this.#spilled.shift() ?? this.#takeFilling();
    if (block === undefined) {
      this.#wakeIdle();
      return;
    }
    const sealed = this.#sealed(block);
    if (sealed !== undefined) {
      this.#writing = true;
      this.#inFlight = block;
      this.#ground.write(sealed, this.#written);
    }
  }

  #takeFilling(): Block | undefined {
    const block = this.#filling;
    if (block === undefined) {
      return undefined;
    }
    this.#endRecord();
    this.#filling = undefined;
    this.record++;
    if (block.records.length === 0) {
      blocks.give(block.bytes);
      return undefined;
    }
    return block;
  }

  /** Undefined when the sealer refuses, which ends the connection: the record counter is at its end. */
  #sealed({ bytes, records }: Block): Buffer | undefined {
    let end = 0;
    try {
      for (let i = 0; i < records.length; i += 2) {
        end = records[i + 1] as number;
        this.#sealer.seal(bytes, records[i] as number, end);
      }
    } catch (error) {
      blocks.give(bytes);
      this.#onError(toError(error));
      return undefined;
    }
    const sealed = bytes.subarray(0, end + this.#sealer.tail);
    if (sealed.length > SMALL_BYTES) {
      this.#lent = bytes;
      return sealed;
    }
    const copy = Buffer.from(sealed);
    blocks.give(bytes);
    return copy;
  }

  readonly #written = (error?: Error | null): void => {
    const { owners, counts } = this.#inFlight as Pick<Block, 'owners' | 'counts'>;
    this.#inFlight = undefined;
    this.#writing = false;
    if (this.#lent !== undefined) {
      blocks.give(this.#lent);
      this.#lent = undefined;
    }
    if (error !== undefined && error !== null) {
      this.#onError(error);
      return;
    }
    for (let i = 0; i < owners.length; i++) {
      (owners[i] as Owner).written(counts[i] as number);
    }
    this.#flush();
    if (!this.#closed) {
      this.#onRoom();
    }
  };

  #wakeIdle(): void {
    const idle = this.#idle;
    this.#idle = [];
    idle.forEach((resolve) => resolve());
  }
}
