import type { Stream } from '@libp2p/interface';
import assert from 'node:assert/strict';
import { ManualClock } from '../../../src/lib/clock.ts';
import { KeepAlive } from '../../../src/transport/native/keep-alive.ts';
import { YamuxMuxer } from '../../../src/transport/native/yamux-muxer.ts';
import type { YamuxOptions } from '../../../src/transport/native/yamux-muxer.ts';
import type { YamuxStream } from '../../../src/transport/native/yamux-stream.ts';
import { ACK, DATA, encodeFrame, FIN, FrameParser, GO_AWAY, joinBytes, PING, RST, SYN, WINDOW } from './frames.ts';
import type { Frame } from './frames.ts';
import { linkRig, turns } from './link-rig.ts';
import type { LinkRig } from './link-rig.ts';

export const INITIAL = 256 * 1024;

/** A stream as the other side of the muxer sees it. */
class Seen {
  /** What the muxer may still send. */
  window = INITIAL;
  /** What the muxer has let us send, less what we sent. */
  credit = INITIAL;
  received: Uint8Array[] = [];
  opened = false;
  acknowledged = false;
  finned = false;
  reset = false;
  readonly updates: number[] = [];

  get bytes(): Buffer {
    return Buffer.from(joinBytes(this.received));
  }
}

/**
 * The other end of a muxer's connection. It holds the muxer to the specification with each byte that comes: windows, ids, flags, the
 * order of them. What it sends itself may be as wrong as the test wants.
 */
export class StrictPeer {
  readonly muxer: YamuxMuxer;
  readonly clock = new ManualClock();
  readonly keepAlive = new KeepAlive(this.clock);
  readonly rig: LinkRig;
  readonly frames: Frame[] = [];
  readonly accepted: YamuxStream[] = [];
  readonly #streams = new Map<number, Seen>();
  readonly #parser = new FrameParser();
  readonly #muxerIsClient: boolean;
  #violation: unknown;
  /** Streams that the peer reset: what was on its way may still come. */
  readonly #resetByPeer = new Set<number>();

  constructor({ direction = 'inbound', listen = true, ...options }: Partial<YamuxOptions> & { direction?: 'inbound' | 'outbound'; listen?: boolean } = {}) {
    this.rig = linkRig(direction);
    this.#muxerIsClient = direction === 'outbound';
    this.rig.ground.onWrite = (bytes) => this.#read(bytes);
    this.muxer = new YamuxMuxer(this.rig.link, { maxInboundStreams: 1000, maxOutboundStreams: 1000, maxWindowBytes: INITIAL, keepAlive: this.keepAlive, ...options });
    if (listen) {
      this.muxer.addEventListener('stream', (event) => this.accepted.push(event.detail));
    }
  }

  stream(id: number): Seen {
    const seen = this.#streams.get(id) ?? new Seen();
    this.#streams.set(id, seen);
    return seen;
  }

  send(...frames: (Partial<Frame> & { type: number; version?: number })[]): void {
    this.sendBytes(joinBytes(frames.map((frame) => this.#note(frame))));
  }

  sendBytes(bytes: Uint8Array): void {
    this.rig.ground.arrive(bytes);
  }

  /** Opens a stream of ours and takes it on the muxer's side. */
  open(id: number): YamuxStream {
    this.send({ type: WINDOW, flags: SYN, id });
    const stream = this.accepted.at(-1);
    assert.ok(stream?.streamId === id);
    return stream;
  }

  data(id: number, body: Uint8Array, flags = 0): void {
    this.send({ type: DATA, id, flags, body });
  }

  credit(id: number, length: number, flags = 0): void {
    this.send({ type: WINDOW, id, flags, length });
  }

  /** A stream of the muxer's. */
  async opened(): Promise<YamuxStream> {
    return await this.muxer.createStream();
  }

  /** Everything that the muxer wrote has come here. */
  async heard(): Promise<Frame[]> {
    await turns();
    assert.ifError(this.#violation);
    return this.frames;
  }

  /** The frames since the last call. */
  async news(): Promise<Frame[]> {
    return (await this.heard()).splice(0);
  }

  get aborted(): boolean {
    return this.rig.link.status === 'aborted';
  }

  goAwayCodes(): number[] {
    return this.frames.filter((frame) => frame.type === GO_AWAY).map((frame) => frame.length);
  }

  /** Bytes of the muxer that the peer was not given in whole frames. */
  get waitingBytes(): number {
    return this.#parser.waitingBytes;
  }

  /** A violation is remembered: thrown from here alone, it could look like a connection that broke. */
  #read(bytes: Uint8Array): void {
    try {
      this.#parser.add(bytes).forEach((frame) => this.#check(frame));
    } catch (error) {
      this.#violation ??= error;
      throw error;
    }
  }

  #note(frame: Partial<Frame> & { type: number; version?: number }): Uint8Array {
    const { id, type, flags = 0, length = 0, body } = frame;
    if (id !== undefined && id !== 0 && (type === DATA || type === WINDOW)) {
      if ((flags & RST) !== 0) this.#resetByPeer.add(id);
      if (type === WINDOW) this.stream(id).window += length;
      if (type === DATA) this.stream(id).credit -= body?.length ?? length;
    }
    return encodeFrame(frame);
  }

  #check(frame: Frame): void {
    this.frames.push(frame);
    assert.equal(frame.flags & ~(SYN | ACK | FIN | RST), 0, 'only flags that exist');
    switch (frame.type) {
      case DATA:
      case WINDOW:
        this.#checkStream(frame);
        break;
      case PING:
      case GO_AWAY:
        assert.equal(frame.id, 0, 'of the session');
        break;
      default:
        assert.fail(`type ${frame.type}`);
    }
  }

  #checkStream(frame: Frame): void {
    assert.notEqual(frame.id, 0);
    if (this.#resetByPeer.has(frame.id)) {
      return;
    }
    const own = this.#muxerIsClient === (frame.id % 2 === 1);
    const seen = this.stream(frame.id);
    assert.equal(seen.reset, false, 'nothing after a reset');
    assert.equal((frame.flags & SYN) !== 0, own && !seen.opened, 'SYN once, with the first frame of a stream of its own');
    seen.opened = true;
    if ((frame.flags & ACK) !== 0) {
      assert.equal(own || seen.acknowledged, false, 'ACK once, for a stream of ours');
      seen.acknowledged = true;
    }
    assert.ok(own || seen.acknowledged || (frame.flags & RST) !== 0, 'ACK or RST with the first answer');
    if (frame.type === DATA) {
      this.#checkData(frame, seen);
    } else {
      seen.credit += frame.length;
      if (frame.length > 0) seen.updates.push(frame.length);
      assert.ok(seen.credit <= 0xffff_ffff);
    }
    assert.ok((frame.flags & FIN) === 0 || !seen.finned, 'FIN once');
    seen.finned ||= (frame.flags & FIN) !== 0;
    seen.reset ||= (frame.flags & RST) !== 0;
  }

  #checkData(frame: Frame, seen: Seen): void {
    assert.equal(seen.finned, false, 'no data after FIN');
    assert.ok(frame.body.length > 0 || frame.flags !== 0, 'no frame that says nothing');
    seen.window -= frame.body.length;
    assert.ok(seen.window >= 0, `${-seen.window} bytes more than the window on stream ${frame.id}`);
    seen.received.push(frame.body);
  }
}

/** What a stream delivers as messages. */
export function collect(stream: Stream): { bytes: () => Buffer; ended: () => boolean } {
  const pieces: Buffer[] = [];
  let ended = false;
  stream.addEventListener('message', (event) => pieces.push(Buffer.from(event.data.subarray())));
  stream.addEventListener('remoteCloseWrite', () => (ended = true));
  return { bytes: () => Buffer.concat(pieces), ended: () => ended };
}
