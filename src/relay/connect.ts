import type { Connection, PeerId, Stream } from '@libp2p/interface';
import { isRelayed } from '../lib/addresses.ts';
import { writeFrame } from '../lib/circuit/frames.ts';
import { encodeHop } from '../lib/circuit/messages.ts';
import type { CircuitPeer, Limit } from '../lib/circuit/messages.ts';
import { Status } from '../lib/circuit/protocol.ts';
import { peerIdFromBytes } from '../lib/circuit/voucher.ts';
import type { RelayCluster } from '../lib/cluster/relay-cluster.ts';
import { RelaydError, toError } from '../lib/errors.ts';
import type { Circuit } from './circuit.ts';
import type { CircuitSlot } from './circuit-slots.ts';
import { checkLoad, checkMemory, limitMessage } from './context.ts';
import type { RelayContext } from './context.ts';
import { forward } from './forwarding/entry.ts';
import { tightened } from './forwarding/limits.ts';
import type { CircuitShare } from './global/circuit-share.ts';
import { admitCircuit } from './global/connect-claims.ts';
import { quotaKey } from './global/keys.ts';
import { directConnection } from './host.ts';
import { inTurn } from './in-turn.ts';
import type { Way } from './in-turn.ts';
import { membershipAnswer } from './membership.ts';
import type { Standing } from './membership.ts';
import { Refused } from './refusal.ts';
import type { Reservation } from './reservations.ts';
import type { Source } from './source.ts';
import { Declined, NEXT_AFTER_MS, openStop, whileWaited } from './stop.ts';

/** Whom a source asks for. */
interface Target {
  readonly peer: PeerId;
  /** Where it is reserved here; else it may be at another relay. */
  readonly here: Here | undefined;
}

interface Here {
  readonly connection: Connection;
  readonly reservation: Reservation;
}

/** The circuit's end that leads to the target. */
interface Reached {
  readonly stream: Stream;
  /** By what the target is reserved; that of another relay's is not known here, and ends there. */
  readonly standing: Standing;
  /** The relay that the stream leads to, where that is not the target. */
  readonly relay: string | undefined;
  /** What that relay lets pass. */
  readonly limit: Limit | undefined;
}

/** What is held from admission until the circuit is over; the share, where there is one, is freed with the slot. */
interface Place {
  readonly slot: CircuitSlot;
  readonly share: CircuitShare | undefined;
}

const ELSEWHERE: Standing = { class: 'public' };

/**
 * CONNECT (specification: "Circuit establishment"): admit, open STOP or ask the relay that can, handshake, and hand both streams to a circuit. The
 * addresses in `peer` are never dialled (conformance 24).
 *
 * @throws Refused, RelaydError CLOSED; the place and the target's stream are freed then
 */
export async function connect(context: RelayContext, source: Source, peer: CircuitPeer | undefined): Promise<Circuit> {
  const { standing } = source;
  context.policy.membership.assertServed(standing);
  const target = checkAdmission(context, source, peer);
  let place: Place = { slot: takeSlot(context, source, target), share: undefined };
  try {
    checkMemory(context, standing.class);
    const admitting = admitCircuit(context, source, target.peer, target.here !== undefined);
    // Where nothing is asked no turn is waited for, in which something could change.
    if (admitting !== undefined) {
      const share = await admitting;
      place = { slot: share.with(place.slot), share };
      checkStill(context, source);
    }
    context.memberships.admitted(standing);
    const reached = await whileWaited(context, source.stream, (signal) => reach(context, source, target, signal));
    // It was reserved here when it was asked for, and is served by another relay now, which counts its bytes.
    if (reached.relay !== undefined) place.share?.countsElsewhere(quotaKey('peer', target.peer.toString()));
    return establish(context, source, target, reached, place);
  } catch (error) {
    place.slot.release();
    throw error;
  }
}

/** The checks that cost nothing, in the order that tells a stranger least. */
function checkAdmission(context: RelayContext, { connection, standing }: Source, peer: CircuitPeer | undefined): Target {
  const { policy } = context;
  const { remotePeer, remoteAddr } = connection;
  if (isRelayed(connection)) {
    throw new Refused('relayed connection');
  }
  checkDraining(context);
  checkLoad(context, standing.class);
  const target = targetOf(peer);
  policy.checkAccess('connect', standing.class, remotePeer, remoteAddr);
  policy.spend('connect', standing.class, remotePeer, policy.prefixes.keysOf(remoteAddr));
  if (target.equals(remotePeer)) {
    throw new Refused('connect to self');
  }
  return find(context, target, standing);
}

function checkDraining({ draining }: RelayContext): void {
  if (draining) {
    throw new Refused('draining');
  }
}

function targetOf(peer: CircuitPeer | undefined): PeerId {
  try {
    return peerIdFromBytes(peer?.id ?? new Uint8Array());
  } catch {
    throw new Refused('malformed message');
  }
}

function find(context: RelayContext, peer: PeerId, standing: Standing): Target {
  const { policy, host, reservations } = context;
  const isSelf = peer.equals(host.peerId);
  const reservation = isSelf ? undefined : reservations.get(peer);
  const connection = reservation === undefined ? undefined : directConnection(host, peer);
  const here = reservation === undefined || connection === undefined ? undefined : { connection, reservation };
  if (here === undefined && !isSelf && clusterFor(context, standing) !== undefined) {
    // Where it connects from is known to the relay that holds its reservation, which looks too.
    policy.checkForeign('target', peer);
    return { peer, here };
  }
  policy.checkAccess('target', standing.class, peer, reservation?.addr);
  if (here === undefined) {
    throw new Refused('no reservation');
  }
  return { peer, here };
}

/** Whom this relay may forward to. The node's own check is about this relay alone. */
function clusterFor({ cluster }: RelayContext, standing: Standing): RelayCluster | undefined {
  return standing.class === 'internal' ? undefined : cluster;
}

function takeSlot({ slots, policy }: RelayContext, { connection, standing }: Source, { peer, here }: Target): CircuitSlot {
  return slots.take(standing.class, connection.remotePeer.toString(), here === undefined ? undefined : peer.toString(), policy.circuitLimits(standing));
}

/** What may have changed while the cluster was asked. */
function checkStill(context: RelayContext, { connection, standing, stream }: Source): void {
  if (stream.status !== 'open') {
    throw new RelaydError('CLOSED', 'the source is gone');
  }
  checkDraining(context);
  context.policy.membership.assertLasts(connection.remotePeer, standing);
}

async function reach(context: RelayContext, source: Source, { peer, here }: Target, signal: AbortSignal): Promise<Reached> {
  const cluster = clusterFor(context, source.standing);
  const elsewhere = async (within: AbortSignal, to: RelayCluster): Promise<Reached> => ({ ...(await forward(context, to, { source, target: peer, isHere: here !== undefined }, within)), standing: ELSEWHERE });
  if (here === undefined) {
    if (cluster === undefined) throw new Refused('no reservation');
    return elsewhere(signal, cluster);
  }
  const stopHere = (within: AbortSignal): Promise<Reached> => reachHere(context, source, here, within);
  return cluster === undefined ? stopHere(signal) : firstOf(context, [stopHere, (within) => elsewhere(within, cluster)], signal);
}

/** One whose way to here is broken may be with another relay already. */
async function firstOf({ clock }: RelayContext, ways: readonly Way<Reached>[], signal: AbortSignal): Promise<Reached> {
  const isFinal = (error: Error): boolean => error instanceof Declined;
  const brought = await inTurn(ways, { nextAfterMs: NEXT_AFTER_MS, clock, signal, isFinal, discard: ({ stream }) => stream.abort(new Error('it was reached another way')) });
  if ('value' in brought) {
    return brought.value;
  }
  throw brought.errors.at(-1) ?? new Refused('connection failed');
}

async function reachHere(context: RelayContext, { connection, standing, span }: Source, { connection: target, reservation }: Here, signal: AbortSignal): Promise<Reached> {
  span?.stage('STOP');
  const stream = await openStop(context, target, { source: connection.remotePeer, limit: limitMessage(context.policy.circuitLimits(standing)) }, signal);
  return { stream, standing: reservation.standing, relay: undefined, limit: undefined };
}

function establish(context: RelayContext, source: Source, { peer }: Target, reached: Reached, { slot, share }: Place): Circuit {
  const { policy, circuits, ledgers, clock } = context;
  const { connection, standing } = source;
  const limits = tightened(policy.circuitLimits(standing), reached.limit);
  try {
    policy.membership.assertLasts(connection.remotePeer, standing);
    share?.assertLasts();
    if (policy.membership.endOf(peer, reached.standing) !== undefined) throw new Refused('no reservation');
    writeFrame(source.stream, encodeHop({ type: 'STATUS', status: Status.OK, limit: limitMessage(limits), membership: membershipAnswer(standing) }));
  } catch (error) {
    reached.stream.abort(toError(error));
    throw error instanceof Refused ? error : new Refused('connection failed');
  }
  slot.established();
  const { relay } = reached;
  const circuit = circuits.open({
    source: { peer: connection.remotePeer, stream: source.stream, standing },
    target: { peer, stream: reached.stream, standing: reached.standing },
    ...(relay === undefined ? {} : { forwarded: { relay, as: 'entry' } }),
    limits,
    memory: policy.limits(standing.class).memory,
    slot,
    shaper: policy.bandwidth(standing.class).shaperFor(connection.remotePeer.toString(), relay === undefined ? peer.toString() : undefined, { source: standing.grant?.limits.bandwidth, target: reached.standing.grant?.limits.bandwidth }),
    ledger: ledgers[standing.class],
    clock,
    onMoved: movedBy(context, standing, relay, share),
  });
  share?.carriedBy(circuit);
  return circuit;
}

/** One call does the rest: bytes move often. */
function movedBy(context: RelayContext, { class: limitClass }: Standing, relay: string | undefined, share: CircuitShare | undefined): (bytes: number) => void {
  return (bytes) => {
    context.bytesMoved(limitClass, bytes);
    if (relay !== undefined && limitClass !== 'internal') context.forwards.moved('out', limitClass, bytes);
    share?.moved(bytes);
  };
}
