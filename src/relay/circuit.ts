import type { PeerId, Stream, StreamCloseEvent } from '@libp2p/interface';
import type { ClassLimits } from '../config/domain.ts';
import type { Clock, TimerHandle } from '../lib/clock.ts';
import type { ForwardMark } from '../lib/contracts.ts';
import { toError } from '../lib/errors.ts';
import type { Shaper } from './bandwidth.ts';
import type { BufferLedger } from './buffer-ledger.ts';
import type { CircuitSlot } from './circuit-slots.ts';
import type { LimitClass } from './classes.ts';
import { makeFlow } from './flow.ts';
import type { Flow } from './flow.ts';
import type { Standing } from './membership.ts';

/** Why a circuit ended: the closed label set of `relayd_relay_circuits_ended_total`. */
export const CIRCUIT_ENDS = ['finished', 'closed by source', 'closed by target', 'byte limit', 'duration limit', 'memory limit', 'idle', 'revoked', 'token expired', 'token used up', 'quota', 'error', 'stopped'] as const;
export type CircuitEnd = (typeof CIRCUIT_ENDS)[number];

export interface CircuitOptions {
  id: number;
  /** Its class is the circuit's. */
  source: { peer: PeerId; stream: Stream; standing: Standing };
  /** `standing`: what the target's reservation was made by. */
  target: { peer: PeerId; stream: Stream; standing: Standing };
  /** The other relay that it runs through, if any: one of the streams is that relay's. */
  forwarded?: ForwardMark | undefined;
  limits: ClassLimits['circuits'];
  memory: ClassLimits['memory'];
  slot: CircuitSlot;
  shaper: Shaper;
  ledger: BufferLedger;
  clock: Clock;
  onMoved: (bytes: number) => void;
  onEnd: (circuit: Circuit, reason: CircuitEnd) => void;
}

/** How long the two streams may take to close by themselves once both directions are done. */
const LINGER_MS = 5_000;

/**
 * One relayed connection: two flows, and the timers that bound it. It ends once, for one reason; then its
 * slot, shaper, timers and listeners are freed and, unless both directions were done, both streams are reset.
 */
export class Circuit {
  readonly id: number;
  readonly source: PeerId;
  readonly sourceStanding: Standing;
  readonly target: PeerId;
  readonly targetStanding: Standing;
  readonly forwarded: ForwardMark | undefined;
  /** Unix milliseconds. */
  readonly openedAt: number;
  readonly #o: CircuitOptions;
  readonly #toTarget: Flow;
  readonly #toSource: Flow;
  readonly #startedAt: number;
  #activeAt: number;
  #durationTimer: TimerHandle | undefined;
  #idleTimer: TimerHandle | undefined;
  #ended = false;

  constructor(options: CircuitOptions) {
    this.#o = options;
    this.id = options.id;
    this.source = options.source.peer;
    this.sourceStanding = options.source.standing;
    this.target = options.target.peer;
    this.targetStanding = options.target.standing;
    this.forwarded = options.forwarded;
    this.openedAt = options.clock.wall();
    this.#startedAt = options.clock.now();
    this.#activeAt = this.#startedAt;
    this.#toTarget = this.#makeFlow(options.source.stream, options.target.stream);
    this.#toSource = this.#makeFlow(options.target.stream, options.source.stream);
  }

  get class(): LimitClass {
    return this.sourceStanding.class;
  }

  get bytesToTarget(): number {
    return this.#toTarget.moved;
  }

  get bytesToSource(): number {
    return this.#toSource.moved;
  }

  get bufferedBytes(): number {
    return this.#toTarget.buffered + this.#toSource.buffered;
  }

  get idleMs(): number {
    return this.#o.clock.now() - this.#activeAt;
  }

  get durationMs(): number {
    return this.#o.clock.now() - this.#startedAt;
  }

  start(): void {
    if (this.#ended) {
      return;
    }
    const { source, target, limits, clock } = this.#o;
    source.stream.addEventListener('close', this.#onSourceClose);
    target.stream.addEventListener('close', this.#onTargetClose);
    this.#durationTimer = clock.setCoarseTimer(() => this.end('duration limit'), limits.durationMs);
    this.#armIdle(limits.idleMs);
    this.#toTarget.start();
    this.#toSource.start();
    if (source.stream.status !== 'open') this.end('closed by source');
    else if (target.stream.status !== 'open') this.end('closed by target');
  }

  end(reason: CircuitEnd, cause?: unknown): void {
    if (this.#ended) {
      return;
    }
    this.#ended = true;
    this.#free();
    if (reason === 'finished') {
      this.#linger();
    } else {
      const error = cause === undefined ? new Error(`relayed connection ended: ${reason}`) : toError(cause);
      [this.#o.source.stream, this.#o.target.stream].forEach((stream) => stream.abort(error));
    }
    this.#o.onEnd(this, reason);
  }

  #free(): void {
    const { source, target, slot, shaper } = this.#o;
    source.stream.removeEventListener('close', this.#onSourceClose);
    target.stream.removeEventListener('close', this.#onTargetClose);
    this.#durationTimer?.cancel();
    this.#idleTimer?.cancel();
    this.#toTarget.stop();
    this.#toSource.stop();
    shaper.release();
    slot.release();
  }

  /** Both ends have been passed on; a stream that the other side then never closes is reset. */
  #linger(): void {
    for (const { stream } of [this.#o.source, this.#o.target]) {
      if (stream.status !== 'open') {
        continue;
      }
      const timer = this.#o.clock.setCoarseTimer(() => stream.abort(new Error('the peer did not close the stream')), LINGER_MS);
      stream.addEventListener('close', () => timer.cancel(), { once: true });
    }
  }

  #makeFlow(from: Stream, to: Stream): Flow {
    const { limits, memory, shaper, ledger, clock, onMoved } = this.#o;
    return makeFlow({
      from,
      to,
      windowBytes: memory.perDirection,
      shaper,
      ledger,
      clock,
      limitBytes: limits.bytesPerDirection,
      onMoved: (bytes) => {
        this.#activeAt = clock.now();
        onMoved(bytes);
      },
      onEnd: () => this.#onFlowEnd(),
      onOverLimit: () => this.end('byte limit'),
      onError: (error) => this.end('error', error),
    });
  }

  #onFlowEnd(): void {
    if (this.#toTarget.over && this.#toSource.over) {
      this.end('finished');
    }
  }

  readonly #onSourceClose = (event: StreamCloseEvent): void => this.#onClose('closed by source', event, this.#toTarget, this.#toSource);
  readonly #onTargetClose = (event: StreamCloseEvent): void => this.#onClose('closed by target', event, this.#toSource, this.#toTarget);

  /**
   * A stream that closed in good order, both sides having said their end, may leave bytes on their way to the other side. A
   * reset, or the loss of the connection, is passed on at once.
   */
  #onClose(reason: CircuitEnd, event: StreamCloseEvent, outgoing: Flow, incoming: Flow): void {
    const inGoodOrder = event.error === undefined && incoming.ending && outgoing.senderEnded;
    if (!inGoodOrder) {
      this.end(reason, event.error);
    }
  }

  /** One timer that looks again when the circuit could first have been idle for long enough. */
  #armIdle(delayMs: number): void {
    const { limits, clock } = this.#o;
    this.#idleTimer = clock.setCoarseTimer(() => {
      const leftMs = limits.idleMs - this.idleMs;
      if (leftMs <= 0) this.end('idle');
      else this.#armIdle(leftMs);
    }, delayMs);
  }
}
