import type { Connection, PeerId, Stream } from '@libp2p/interface';
import { isRelayed } from '../lib/addresses.ts';
import { readFrame, writeFrame } from '../lib/circuit/frames.ts';
import { decodeStop, encodeHop, encodeStop } from '../lib/circuit/messages.ts';
import type { CircuitPeer } from '../lib/circuit/messages.ts';
import { STOP_PROTOCOL, Status, statusName } from '../lib/circuit/protocol.ts';
import { peerIdFromBytes } from '../lib/circuit/voucher.ts';
import { deadline } from '../lib/deadline.ts';
import { errorMessage, toError } from '../lib/errors.ts';
import { holdCredit } from '../lib/flow.ts';
import { peerText } from '../lib/logger.ts';
import type { RequestSpan } from '../lib/tracing/request-tracer.ts';
import type { OwnRates } from './bandwidth.ts';
import type { Circuit } from './circuit.ts';
import type { CircuitSlot } from './circuit-slots.ts';
import { checkLoad, limitMessage } from './context.ts';
import type { RelayContext } from './context.ts';
import { directConnection } from './host.ts';
import { membershipAnswer } from './membership.ts';
import type { Standing } from './membership.ts';
import { Refused } from './refusal.ts';
import type { Reservation } from './reservations.ts';

/** How long the target may take to answer STOP, the opening of the stream included (conformance 22). */
const STOP_DEADLINE_MS = 10_000;

/** Who asks for a circuit, and the stream that it becomes. */
interface Source {
  readonly stream: Stream;
  readonly connection: Connection;
  readonly standing: Standing;
  readonly span: RequestSpan | undefined;
}

interface Target {
  readonly connection: Connection;
  readonly reservation: Reservation;
}

/**
 * CONNECT (specification: "Circuit establishment"): admit, open STOP, handshake, and hand both streams to a circuit. The
 * addresses in `peer` are never dialled (conformance 24).
 *
 * @throws Refused; both the slot and the target's stream are freed then
 */
export async function connect(context: RelayContext, source: Source, peer: CircuitPeer | undefined): Promise<Circuit> {
  const { connection, standing } = source;
  const { policy } = context;
  policy.membership.assertServed(standing);
  const target = checkAdmission(context, source, peer);
  const slot = context.slots.take(standing.class, connection.remotePeer.toString(), target.reservation.peer.toString(), policy.circuitLimits(standing));
  try {
    checkMemory(context, standing.class);
    context.memberships.admitted(standing);
    source.span?.stage('STOP');
    const stream = await openStop(context, source, target.connection);
    return establish(context, source, { ...target, stream }, slot);
  } catch (error) {
    slot.release();
    throw error;
  }
}

/** The checks that cost nothing, in the order that tells a stranger least. */
function checkAdmission(context: RelayContext, { connection, standing }: Source, peer: CircuitPeer | undefined): Target {
  const { policy, draining, host } = context;
  const { remotePeer, remoteAddr } = connection;
  if (isRelayed(connection)) {
    throw new Refused('relayed connection');
  }
  if (draining) {
    throw new Refused('draining');
  }
  checkLoad(context, standing.class);
  const target = targetOf(peer);
  policy.checkAccess('connect', standing.class, remotePeer, remoteAddr);
  policy.spend('connect', standing.class, remotePeer, policy.prefixes.keysOf(remoteAddr));
  if (target.equals(remotePeer)) {
    throw new Refused('connect to self');
  }
  const reservation = target.equals(host.peerId) ? undefined : context.reservations.get(target);
  policy.checkAccess('target', standing.class, target, reservation?.addr);
  const open = reservation === undefined ? undefined : directConnection(host, target);
  if (reservation === undefined || open === undefined) {
    throw new Refused('no reservation');
  }
  return { connection: open, reservation };
}

function targetOf(peer: CircuitPeer | undefined): PeerId {
  try {
    return peerIdFromBytes(peer?.id ?? new Uint8Array());
  } catch {
    throw new Refused('malformed message');
  }
}

/** What a new circuit may come to hold must fit beside what the others hold already. */
function checkMemory(context: RelayContext, limitClass: Standing['class']): void {
  const { held, maximum } = context.ledgers[limitClass];
  if (held + 2 * context.policy.limits(limitClass).memory.perDirection > maximum) {
    throw new Refused('memory.total', { current: held, maximum, retryAfterMs: 1000 });
  }
}

/** Opens the stream to the target and has it accept the circuit. Any other outcome is 203 (conformance 19-22). */
async function openStop(context: RelayContext, source: Source, target: Connection): Promise<Stream> {
  const gone = new AbortController();
  const onClose = (): void => gone.abort(new Error('the source is gone'));
  source.stream.addEventListener('close', onClose);
  const limit = deadline(STOP_DEADLINE_MS, context.clock, gone.signal, context.stopped);
  let stream: Stream | undefined;
  try {
    stream = await target.newStream([STOP_PROTOCOL], { signal: limit.signal, maxOutboundStreams: Infinity });
    await handshake(context, stream, source, limit.signal);
    return stream;
  } catch (error) {
    stream?.abort(toError(error));
    context.log.debug({ target: target.remotePeer.toString(), error: peerText(errorMessage(error)) }, 'the target did not take a circuit');
    throw new Refused('connection failed');
  } finally {
    limit.clear();
    source.stream.removeEventListener('close', onClose);
  }
}

async function handshake(context: RelayContext, stream: Stream, { connection, standing }: Source, signal: AbortSignal): Promise<void> {
  const limit = limitMessage(context.policy.circuitLimits(standing));
  writeFrame(stream, encodeStop({ type: 'CONNECT', peer: { id: connection.remotePeer.toMultihash().bytes, addrs: [] }, limit }));
  const answer = decodeStop(await readFrame(stream, { signal }));
  holdCredit(stream);
  if (answer.type !== 'STATUS') {
    throw new Error(`it answered with ${answer.type ?? 'an unknown message'} instead of STATUS`);
  }
  if (answer.status !== Status.OK) {
    throw new Error(`it answered ${statusName(answer.status)}`);
  }
}

function establish(context: RelayContext, source: Source, target: Target & { stream: Stream }, slot: CircuitSlot): Circuit {
  const { policy, circuits, ledgers, clock } = context;
  const { connection, standing } = source;
  const limits = policy.circuitLimits(standing);
  const { peer, standing: targetStanding } = target.reservation;
  try {
    policy.membership.assertLasts(connection.remotePeer, standing);
    if (policy.membership.endOf(peer, targetStanding) !== undefined) throw new Refused('no reservation');
    writeFrame(source.stream, encodeHop({ type: 'STATUS', status: Status.OK, limit: limitMessage(limits), membership: membershipAnswer(standing) }));
  } catch (error) {
    target.stream.abort(toError(error));
    throw error instanceof Refused ? error : new Refused('connection failed');
  }
  slot.established();
  return circuits.open({
    source: { peer: connection.remotePeer, stream: source.stream, standing },
    target: { peer, stream: target.stream, standing: targetStanding },
    limits,
    memory: policy.limits(standing.class).memory,
    slot,
    shaper: policy.bandwidth(standing.class).shaperFor(connection.remotePeer.toString(), peer.toString(), ownRates(standing, targetStanding)),
    ledger: ledgers[standing.class],
    clock,
    onMoved: (bytes) => context.bytesMoved(standing.class, bytes),
  });
}

function ownRates(source: Standing, target: Standing): OwnRates {
  return { source: source.grant?.limits.bandwidth, target: target.grant?.limits.bandwidth };
}
