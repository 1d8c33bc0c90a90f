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
import type { Circuit } from './circuit.ts';
import type { CircuitSlot } from './circuit-slots.ts';
import type { LimitClass } from './classes.ts';
import { checkLoad, limitMessage } from './context.ts';
import type { RelayContext } from './context.ts';
import { directConnection } from './host.ts';
import { Refused } from './refusal.ts';

/** How long the target may take to answer STOP, the opening of the stream included (conformance 22). */
const STOP_DEADLINE_MS = 10_000;

/**
 * CONNECT (specification: "Circuit establishment"): admit, open STOP, handshake, and hand both streams to a circuit. The
 * addresses in `peer` are never dialled (conformance 24).
 *
 * @throws Refused; both the slot and the target's stream are freed then
 */
export async function connect(context: RelayContext, source: { stream: Stream; connection: Connection }, peer: CircuitPeer | undefined): Promise<Circuit> {
  const { connection } = source;
  const limitClass = context.policy.membership.classOf(connection.remotePeer);
  const target = checkAdmission(context, connection, peer, limitClass);
  const limits = context.policy.limits(limitClass);
  const slot = context.slots.take(limitClass, connection.remotePeer.toString(), target.remotePeer.toString(), limits.circuits);
  try {
    checkMemory(context, limitClass);
    const stream = await openStop(context, source, target, limitClass);
    return establish(context, source, { peer: target.remotePeer, stream }, limitClass, slot);
  } catch (error) {
    slot.release();
    throw error;
  }
}

/** The checks that cost nothing, in the order that tells a stranger least. Returns the connection to the target. */
function checkAdmission(context: RelayContext, connection: Connection, peer: CircuitPeer | undefined, limitClass: LimitClass): Connection {
  const { policy, draining, host } = context;
  const { remotePeer, remoteAddr } = connection;
  if (isRelayed(connection)) {
    throw new Refused('relayed connection');
  }
  if (draining) {
    throw new Refused('draining');
  }
  checkLoad(context, limitClass);
  const target = targetOf(peer);
  policy.checkAccess('connect', limitClass, remotePeer, remoteAddr);
  policy.spend('connect', limitClass, remotePeer, policy.prefixes.keysOf(remoteAddr));
  if (target.equals(remotePeer)) {
    throw new Refused('connect to self');
  }
  const reservation = target.equals(host.peerId) ? undefined : context.reservations.get(target);
  policy.checkAccess('target', limitClass, target, reservation?.addr);
  const open = reservation === undefined ? undefined : directConnection(host, target);
  if (open === undefined) {
    throw new Refused('no reservation');
  }
  return open;
}

function targetOf(peer: CircuitPeer | undefined): PeerId {
  try {
    return peerIdFromBytes(peer?.id ?? new Uint8Array());
  } catch {
    throw new Refused('malformed message');
  }
}

/** What a new circuit may come to hold must fit beside what the others hold already. */
function checkMemory(context: RelayContext, limitClass: LimitClass): void {
  const { held, maximum } = context.ledgers[limitClass];
  if (held + 2 * context.policy.limits(limitClass).memory.perDirection > maximum) {
    throw new Refused('memory.total', { current: held, maximum, retryAfterMs: 1000 });
  }
}

/** Opens the stream to the target and has it accept the circuit. Any other outcome is 203 (conformance 19-22). */
async function openStop(context: RelayContext, source: { stream: Stream; connection: Connection }, target: Connection, limitClass: LimitClass): Promise<Stream> {
  const gone = new AbortController();
  const onClose = (): void => gone.abort(new Error('the source is gone'));
  source.stream.addEventListener('close', onClose);
  const limit = deadline(STOP_DEADLINE_MS, context.clock, gone.signal, context.stopped);
  let stream: Stream | undefined;
  try {
    stream = await target.newStream([STOP_PROTOCOL], { signal: limit.signal, maxOutboundStreams: Infinity });
    await handshake(context, stream, source.connection.remotePeer, limitClass, limit.signal);
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

async function handshake(context: RelayContext, stream: Stream, source: PeerId, limitClass: LimitClass, signal: AbortSignal): Promise<void> {
  const limit = limitMessage(context.policy.limits(limitClass).circuits);
  writeFrame(stream, encodeStop({ type: 'CONNECT', peer: { id: source.toMultihash().bytes, addrs: [] }, limit }));
  const answer = decodeStop(await readFrame(stream, { signal }));
  holdCredit(stream);
  if (answer.type !== 'STATUS') {
    throw new Error(`it answered with ${answer.type ?? 'an unknown message'} instead of STATUS`);
  }
  if (answer.status !== Status.OK) {
    throw new Error(`it answered ${statusName(answer.status)}`);
  }
}

function establish(
  context: RelayContext,
  source: { stream: Stream; connection: Connection },
  target: { peer: PeerId; stream: Stream },
  limitClass: LimitClass,
  slot: CircuitSlot,
): Circuit {
  const { policy, circuits, ledgers, clock } = context;
  const { circuits: limits, memory } = policy.limits(limitClass);
  try {
    writeFrame(source.stream, encodeHop({ type: 'STATUS', status: Status.OK, limit: limitMessage(limits) }));
  } catch (error) {
    target.stream.abort(toError(error));
    throw new Refused('connection failed');
  }
  slot.established();
  return circuits.open({
    class: limitClass,
    source: { peer: source.connection.remotePeer, stream: source.stream },
    target,
    limits,
    memory,
    slot,
    shaper: policy.bandwidth(limitClass).shaperFor(source.connection.remotePeer.toString(), target.peer.toString()),
    ledger: ledgers[limitClass],
    clock,
    onMoved: (bytes) => context.bytesMoved(limitClass, bytes),
  });
}
