import type { Connection, Stream } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { closeStream } from '../lib/close-stream.ts';
import { sleep, withDeadline } from '../lib/deadline.ts';
import { errorMessage, toError } from '../lib/errors.ts';
import { firstOf } from '../lib/first-connection.ts';
import { peerText } from '../lib/logger.ts';
import { DCUTR_PROTOCOL, beginExchange } from './dcutr-exchange.ts';
import { UpgradeFailure } from './dcutr-failure.ts';
import { dialable, transportOf } from './dcutr-host.ts';
import { EXCHANGE_MS, MAX_DIALLED, punch } from './dcutr-punch.ts';
import type { PunchOptions } from './dcutr-punch.ts';
import type { RelaySightings } from './dcutr-sightings.ts';

interface InitiatorOptions extends PunchOptions {
  sightings: RelaySightings;
  /** A direct connection to the peer of a circuit has come, from wherever. */
  isDirect: (connection: Connection) => boolean;
}

/** Specification: relay/DCUtR.md, step 6. */
const ATTEMPTS = 3;

/** Identify follows a connection at once; a peer that runs none has no addresses that could be dialled. */
const IDENTIFY_MS = 3_000;

/** A plain dial of what the peer says it has. */
const REVERSAL_MS = 3_000;

/** A peer offers it when it knows where it is seen: go-libp2p a moment after its first connection. */
const SUPPORT_MS = 1_000;

/** The part of a circuit's target: dials the caller as it is, then punches a hole with it. */
export class Initiator {
  readonly #o: InitiatorOptions;

  constructor(options: InitiatorOptions) {
    this.#o = options;
  }

  /** Resolves when a direct connection stands, or the circuit is gone. @throws UpgradeFailure, RelaydError and others: the circuit stays */
  async run(connection: Connection, signal: AbortSignal): Promise<void> {
    await Promise.all([this.#identified(connection, signal), this.#o.sightings.complete(connection, signal)]);
    if (await this.#reverse(connection, signal)) {
      return;
    }
    for (let attempt = 1; connection.status === 'open' && !this.#o.isDirect(connection); attempt++) {
      try {
        const direct = await this.#attempt(connection, signal);
        this.#o.metrics.direct(transportOf(direct.remoteAddr) ?? 'tcp');
      } catch (error) {
        if (attempt === ATTEMPTS || signal.aborted) throw error;
        await this.#beforeNext(connection, error, signal);
      }
    }
  }

  /** @throws UpgradeFailure when there need be no next attempt */
  async #beforeNext({ remotePeer }: Connection, error: unknown, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#o;
    log.debug({ peer: remotePeer.toString(), error: peerText(errorMessage(error)) }, 'an attempt to punch a hole failed');
    if (error instanceof UpgradeFailure) {
      if (error.outcome !== 'unsupported') throw error;
      await sleep(SUPPORT_MS, clock, signal);
    }
  }

  async #identified(connection: Connection, signal: AbortSignal): Promise<void> {
    const { clock, observations } = this.#o;
    await withDeadline(IDENTIFY_MS, clock, [signal], () => observations.untilIdentified(connection)).catch(() => {});
  }

  /** The peer may have an address that can be dialled as it is (specification: the unilateral upgrade). */
  async #reverse(connection: Connection, signal: AbortSignal): Promise<boolean> {
    const { host, clock, observations, metrics } = this.#o;
    const addrs = await dialable(host, connection.remotePeer, observations.told(connection), MAX_DIALLED);
    const ways = addrs.map((addr) => (limit: AbortSignal) => host.transportManager.dial(addr, { signal: limit }));
    try {
      const direct = await firstOf(ways, { ms: REVERSAL_MS, clock, signal, chooses: true });
      metrics.reversed(transportOf(direct.remoteAddr) ?? 'tcp');
      return true;
    } catch {
      return false;
    }
  }

  async #attempt(connection: Connection, signal: AbortSignal): Promise<Connection> {
    return await punch(this.#o, 'server', connection, signal, async (ours) => {
      if (ours.length === 0) {
        throw new UpgradeFailure('no address', 'nobody has told where this node is seen');
      }
      this.#o.metrics.attempt('initiator');
      return await this.#exchange(connection, ours, signal);
    });
  }

  /** On a stream of its own, as go-libp2p and rust-libp2p have it. */
  async #exchange(connection: Connection, ours: readonly Multiaddr[], signal: AbortSignal): Promise<readonly Multiaddr[]> {
    const { clock } = this.#o;
    return await withDeadline(EXCHANGE_MS, clock, [signal], async (limit) => {
      const stream = await openStream(connection, limit);
      try {
        return await beginExchange(stream, ours, clock, limit);
      } catch (error) {
        stream.abort(toError(error));
        throw error;
      } finally {
        closeStream(stream, clock, { discard: true });
      }
    });
  }
}

async function openStream(connection: Connection, signal: AbortSignal): Promise<Stream> {
  try {
    return await connection.newStream(DCUTR_PROTOCOL, { signal, runOnLimitedConnection: true });
  } catch (error) {
    throw toError(error).name === 'UnsupportedProtocolError' ? new UpgradeFailure('unsupported', 'the peer does not speak DCUtR') : error;
  }
}
