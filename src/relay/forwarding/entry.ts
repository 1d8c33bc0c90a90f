import type { PeerId, Stream } from '@libp2p/interface';
import { readFrame, writeFrame } from '../../lib/circuit/frames.ts';
import { decodeHop } from '../../lib/circuit/messages.ts';
import type { HopMessage, Limit } from '../../lib/circuit/messages.ts';
import { Status } from '../../lib/circuit/protocol.ts';
import type { RelayCluster } from '../../lib/cluster/relay-cluster.ts';
import { errorMessage, toError } from '../../lib/errors.ts';
import { holdCredit } from '../../lib/flow.ts';
import { peerText } from '../../lib/logger.ts';
import { limitMessage } from '../context.ts';
import type { RelayContext } from '../context.ts';
import { Outrun, inTurn } from '../in-turn.ts';
import { REFUSALS, Refused } from '../refusal.ts';
import type { RefusalName } from '../refusal.ts';
import type { Source } from '../source.ts';
import { Declined, NEXT_AFTER_MS } from '../stop.ts';
import { DECLINED, FORWARD_PROTOCOL, encodeForward } from './messages.ts';
import { outcomeOf } from './metrics.ts';

/** The end of a circuit that leads to another relay. */
export interface Forwarded {
  readonly relay: string;
  readonly stream: Stream;
  /** What the other relay lets pass, which may be less than was asked for. */
  readonly limit: Limit | undefined;
}

export interface Forward {
  readonly source: Source;
  readonly target: PeerId;
  /** It is reserved at this relay too, over a connection that is broken or does not say. */
  readonly isHere: boolean;
}

/** What a registry knows of a peer is hardly ever wrong twice. */
export const MAX_TRIES = 3;

/** What the relay of the target may say of its own, and the source is told as it is. */
const TOLD: ReadonlySet<string> = new Set<RefusalName>(['circuits.perTarget', 'circuits.max', 'circuits.pending', 'memory.total', 'event loop', 'access.connect', 'access.target', 'members only', 'token revoked']);

/** No other relay would say anything else: the target may not be reached, or not by this source. */
const FINAL: ReadonlySet<string> = new Set<RefusalName>(['access.connect', 'access.target', 'token revoked']);

/**
 * Reaches a target through the relay that holds its reservation, as the registry knows; the next one where that has changed, or does not say.
 *
 * @throws Refused `no reservation` when no relay holds one, `connection failed` when one does that could not be reached, or what it says; Declined when the
 * target has answered
 */
export async function forward(context: RelayContext, cluster: RelayCluster, wanted: Forward, signal: AbortSignal): Promise<Forwarded> {
  wanted.source.span?.stage('forward');
  const holders = (await cluster.holders(wanted.target, signal)).slice(0, MAX_TRIES);
  const otherwise = new Refused(wanted.isHere ? 'connection failed' : 'no reservation');
  // It is reserved here alone: that is no matter between relays.
  if (holders.length === 0 && wanted.isHere) throw otherwise;
  let tries = 0;
  const ways = holders.map((relay) => (within: AbortSignal): Promise<Forwarded> => {
    tries++;
    return ask(context, cluster, relay, wanted, within);
  });
  const brought = await inTurn(ways, { nextAfterMs: NEXT_AFTER_MS, clock: context.clock, signal, isFinal, discard: ({ stream }) => stream.abort(new Error('another relay was faster')) });
  if ('value' in brought) {
    context.forwards.entry('ok', tries);
    return brought.value;
  }
  const refused = lastSaid(brought.errors) ?? otherwise;
  // The target was reached without them.
  if (!(signal.reason instanceof Outrun)) context.forwards.entry(outcomeOf(refused.limit), tries);
  throw refused;
}

/** @throws Refused when that relay does not take the circuit, or could not be asked */
async function ask(context: RelayContext, cluster: RelayCluster, relay: string, { source, target }: Forward, signal: AbortSignal): Promise<Forwarded> {
  let stream: Stream | undefined;
  try {
    stream = await cluster.openStream(relay, FORWARD_PROTOCOL, signal);
    writeFrame(stream, requestOf(context, source, target));
    const answer = decodeHop(await readFrame(stream, { signal }));
    holdCredit(stream);
    if (answer.type === 'STATUS' && answer.status === Status.OK) {
      return { relay, stream, limit: answer.limit };
    }
    context.log.debug({ relay, target: target.toString(), status: answer.status, limit: peerText(answer.refusal?.limit ?? '') }, 'a relay did not take a circuit');
    throw refusalOf(answer);
  } catch (error) {
    stream?.abort(toError(error));
    if (error instanceof Refused) throw error;
    context.log.debug({ relay, target: target.toString(), error: peerText(errorMessage(error)) }, 'a relay could not be asked for a circuit');
    throw new Refused('connection failed');
  }
}

function isFinal(error: Error): boolean {
  return error instanceof Declined || (error instanceof Refused && FINAL.has(error.limit));
}

/** A relay that holds no reservation any more has nothing to say. */
function lastSaid(errors: readonly Error[]): Refused | undefined {
  return errors.findLast((error): error is Refused => error instanceof Refused && error.limit !== 'no reservation');
}

function requestOf({ policy }: RelayContext, { connection, standing }: Source, target: PeerId): Uint8Array {
  return encodeForward({
    source: connection.remotePeer,
    target,
    class: standing.class === 'member' ? 'member' : 'public',
    limit: limitMessage(policy.circuitLimits(standing)),
    tokenId: standing.grant?.tokenId,
    realm: policy.membership.realmName,
  });
}

/** What is another relay's own affair, such as that it drains, is to the source a target that could not be reached. */
function refusalOf({ status, refusal }: HopMessage): Refused {
  const limit = refusal?.limit ?? '';
  if (status === Status.NO_RESERVATION) {
    return new Refused('no reservation');
  }
  if (limit === DECLINED) {
    return new Declined('it has not taken the circuit');
  }
  if (!isTold(limit)) {
    return new Refused('connection failed');
  }
  const { current, maximum, retryAfterSeconds } = refusal ?? {};
  return new Refused(limit, { current, maximum, retryAfterMs: retryAfterSeconds === undefined ? undefined : retryAfterSeconds * 1000 });
}

function isTold(limit: string): limit is RefusalName {
  return TOLD.has(limit) && limit in REFUSALS;
}
