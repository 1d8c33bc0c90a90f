import type { PeerId, Stream } from '@libp2p/interface';
import { readFrame, writeFrame } from '../../lib/circuit/frames.ts';
import { decodeHop } from '../../lib/circuit/messages.ts';
import type { HopMessage, Limit } from '../../lib/circuit/messages.ts';
import { Status } from '../../lib/circuit/protocol.ts';
import type { RelayCluster } from '../../lib/cluster/relay-cluster.ts';
import { withDeadline } from '../../lib/deadline.ts';
import { errorMessage, toError } from '../../lib/errors.ts';
import { holdCredit } from '../../lib/flow.ts';
import { peerText } from '../../lib/logger.ts';
import { limitMessage } from '../context.ts';
import type { RelayContext } from '../context.ts';
import { REFUSALS, Refused } from '../refusal.ts';
import type { RefusalName } from '../refusal.ts';
import type { Source } from '../source.ts';
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
  readonly otherwise: Refused;
}

/** What a registry knows of a peer is hardly ever wrong twice. */
export const MAX_TRIES = 3;

/** One round trip on a connection that is kept: a relay that takes longer is frozen, and the time is better spent on the next. */
const OPEN_DEADLINE_MS = 2_000;

/** What the relay of the target may say of its own, and the source is told as it is. */
const TOLD: ReadonlySet<string> = new Set<RefusalName>(['circuits.perTarget', 'circuits.max', 'circuits.pending', 'memory.total', 'event loop', 'access.connect', 'access.target', 'members only', 'token revoked']);

/** No other relay would say anything else: the target itself has not taken the circuit, or may not be reached, or not by this source. */
const FINAL: ReadonlySet<string> = new Set<RefusalName | typeof DECLINED>([DECLINED, 'access.connect', 'access.target', 'token revoked']);

type Try = { readonly stream: Stream; readonly limit: Limit | undefined } | { readonly refused: Refused; readonly isFinal: boolean };

/**
 * Reaches a target through the relay that holds its reservation, as the registry knows; the next one where that has changed.
 *
 * @param otherwise what it is to the source when no relay holds a reservation
 * @throws Refused that, and `connection failed` when a relay that holds one could not be reached, or what it says
 */
export async function forward(context: RelayContext, cluster: RelayCluster, { source, target, otherwise }: Forward, signal: AbortSignal): Promise<Forwarded> {
  source.span?.stage('forward');
  const holders = (await cluster.holders(target, signal)).slice(0, MAX_TRIES);
  let refused = otherwise;
  let tries = 0;
  for (const relay of holders) {
    tries++;
    const outcome = await ask(context, cluster, relay, { source, target, isLast: relay === holders.at(-1) }, signal);
    if ('stream' in outcome) {
      context.forwards.entry('ok', tries);
      return { relay, ...outcome };
    }
    refused = outcome.refused.limit === 'no reservation' ? refused : outcome.refused;
    if (outcome.isFinal || signal.aborted) break;
  }
  context.forwards.entry(outcomeOf(refused.limit), tries);
  throw refused;
}

interface Wanted {
  readonly source: Source;
  readonly target: PeerId;
  /** No other relay is left to ask. */
  readonly isLast: boolean;
}

async function ask(context: RelayContext, cluster: RelayCluster, relay: string, { source, target, isLast }: Wanted, signal: AbortSignal): Promise<Try> {
  let stream: Stream | undefined;
  try {
    const open = (within: AbortSignal): Promise<Stream> => cluster.openStream(relay, FORWARD_PROTOCOL, within);
    stream = isLast ? await open(signal) : await withDeadline(OPEN_DEADLINE_MS, context.clock, [signal], open);
    writeFrame(stream, requestOf(context, source, target));
    const answer = decodeHop(await readFrame(stream, { signal }));
    holdCredit(stream);
    if (answer.type === 'STATUS' && answer.status === Status.OK) {
      return { stream, limit: answer.limit };
    }
    stream.abort(new Error('the relay did not take a circuit'));
    context.log.debug({ relay, target: target.toString(), status: answer.status, limit: peerText(answer.refusal?.limit ?? '') }, 'a relay did not take a circuit');
    return refusalOf(answer);
  } catch (error) {
    stream?.abort(toError(error));
    context.log.debug({ relay, target: target.toString(), error: peerText(errorMessage(error)) }, 'a relay could not be asked for a circuit');
    return { refused: new Refused('connection failed'), isFinal: false };
  }
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
function refusalOf({ status, refusal }: HopMessage): Try {
  const limit = refusal?.limit ?? '';
  if (status === Status.NO_RESERVATION) {
    return { refused: new Refused('no reservation'), isFinal: false };
  }
  if (!isTold(limit)) {
    return { refused: new Refused('connection failed'), isFinal: FINAL.has(limit) };
  }
  const { current, maximum, retryAfterSeconds } = refusal ?? {};
  return { refused: new Refused(limit, { current, maximum, retryAfterMs: retryAfterSeconds === undefined ? undefined : retryAfterSeconds * 1000 }), isFinal: FINAL.has(limit) };
}

function isTold(limit: string): limit is RefusalName {
  return TOLD.has(limit) && limit in REFUSALS;
}
