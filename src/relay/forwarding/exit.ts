import type { Connection, PeerId, Stream } from '@libp2p/interface';
import type { ClassLimits } from '../../config/domain.ts';
import { writeFrame } from '../../lib/circuit/frames.ts';
import { encodeHop } from '../../lib/circuit/messages.ts';
import { Status } from '../../lib/circuit/protocol.ts';
import { toError } from '../../lib/errors.ts';
import type { RequestSpan } from '../../lib/tracing/request-tracer.ts';
import type { Circuit } from '../circuit.ts';
import type { CircuitSlot } from '../circuit-slots.ts';
import type { UserClass } from '../classes.ts';
import { checkLoad, checkMemory, limitMessage } from '../context.ts';
import type { RelayContext } from '../context.ts';
import { exitShare } from '../global/connect-claims.ts';
import { directConnection } from '../host.ts';
import type { Standing } from '../membership.ts';
import { Refused } from '../refusal.ts';
import type { Reservation } from '../reservations.ts';
import { openStop, whileWaited } from '../stop.ts';
import { asTold, tightened } from './limits.ts';
import type { ForwardRequest } from './messages.ts';

/** The stream of the relay that asks. */
export interface Entry {
  readonly relay: PeerId;
  readonly stream: Stream;
  readonly span: RequestSpan | undefined;
}

/** Nobody forwards for its own check. */
type SourceStanding = Standing & { readonly class: UserClass };

interface Target {
  readonly connection: Connection;
  readonly reservation: Reservation;
}

/**
 * A source's limits are the entry's to keep, which knows why a circuit ends. What it lets live for so much longer, or pass beyond, is cut here:
 * it has lost its mind, or the way to it is longer than any.
 */
const GRACE_MS = 5_000;

/**
 * Takes a circuit from another relay, to a peer that is reserved here: never to be passed on, so that none comes round again. Who the source is and
 * what it may use is as the entry says; what the target and this relay may be burdened with is decided here.
 *
 * @throws Refused; the slot and the target's stream are freed then
 */
export async function takeForwarded(context: RelayContext, entry: Entry, request: ForwardRequest): Promise<Circuit> {
  const standing = standingOf(context, request);
  const target = checkAdmission(context, request, standing);
  const limits = limitsOf(context, standing, request);
  const slot = context.slots.take(standing.class, undefined, request.target.toString(), limits);
  try {
    checkMemory(context, standing.class);
    entry.span?.stage('STOP');
    const offer = { source: request.source, limit: limitMessage(limits) };
    const stream = await whileWaited(context, entry.stream, (signal) => openStop(context, target.connection, offer, signal));
    return establish(context, { entry, request, standing, limits, slot }, target.reservation, stream);
  } catch (error) {
    slot.release();
    throw error;
  }
}

/** A member is one where the two relays serve the same realm; the source's revocation is known by its id, and by that of its token. */
function standingOf({ policy: { membership } }: RelayContext, { source, class: limitClass, tokenId, realm }: ForwardRequest): SourceStanding {
  if (limitClass === 'public' || !membership.servesMembers || realm !== membership.realmName) {
    return { class: 'public' };
  }
  return tokenId === undefined ? { class: 'member' } : membership.standingElsewhere(source, tokenId);
}

/** A member's are as its token says, which the entry has read. To anyone else no relay gives more than its own class has, whatever the entry says. */
function limitsOf({ policy }: RelayContext, { class: limitClass }: SourceStanding, { limit }: ForwardRequest): ClassLimits['circuits'] {
  const { circuits } = policy.limits(limitClass);
  return limitClass === 'member' ? asTold(circuits, limit) : tightened(circuits, limit);
}

function checkAdmission(context: RelayContext, { source, target }: ForwardRequest, standing: Standing): Target {
  const { policy, draining, host } = context;
  policy.membership.assertServed(standing);
  if (draining) {
    throw new Refused('draining');
  }
  checkLoad(context, standing.class);
  policy.membership.assertLasts(source, standing);
  // Where it connects from is known to the entry, which has looked too.
  policy.checkForeign('connect', source);
  const reservation = context.reservations.get(target);
  const connection = reservation === undefined ? undefined : directConnection(host, target);
  if (reservation === undefined || connection === undefined) {
    throw new Refused('no reservation');
  }
  policy.checkAccess('target', standing.class, target, reservation.addr);
  return { connection, reservation };
}

interface Admitted {
  readonly entry: Entry;
  readonly request: ForwardRequest;
  readonly standing: SourceStanding;
  readonly limits: ClassLimits['circuits'];
  readonly slot: CircuitSlot;
}

function establish(context: RelayContext, { entry, request, standing, limits, slot }: Admitted, { peer, standing: targetStanding }: Reservation, stream: Stream): Circuit {
  const { policy, circuits, ledgers, clock, forwards } = context;
  const { memory } = policy.limits(standing.class);
  const share = exitShare(context, peer);
  try {
    policy.membership.assertLasts(request.source, standing);
    if (policy.membership.endOf(peer, targetStanding) !== undefined) throw new Refused('no reservation');
    writeFrame(entry.stream, encodeHop({ type: 'STATUS', status: Status.OK, limit: limitMessage(limits) }));
  } catch (error) {
    share?.release();
    stream.abort(toError(error));
    throw error instanceof Refused ? error : new Refused('connection failed');
  }
  slot.established();
  const circuit = circuits.open({
    source: { peer: request.source, stream: entry.stream, standing },
    target: { peer, stream, standing: targetStanding },
    forwarded: { relay: entry.relay.toString(), as: 'exit' },
    limits: withGrace(limits, memory.perDirection),
    memory,
    slot: share?.with(slot) ?? slot,
    shaper: policy.bandwidth(standing.class).shaperFor(undefined, peer.toString(), { target: targetStanding.grant?.limits.bandwidth }),
    ledger: ledgers[standing.class],
    clock,
    onMoved: (bytes) => {
      forwards.moved('in', standing.class, bytes);
      share?.moved(bytes);
    },
  });
  share?.carriedBy(circuit);
  return circuit;
}

/** Of the circuit at the exit. What one relay holds and what is under way may have passed the entry's limit before the entry's end comes. */
function withGrace(limits: ClassLimits['circuits'], windowBytes: number): ClassLimits['circuits'] {
  return {
    ...limits,
    idleMs: limits.idleMs + GRACE_MS,
    durationMs: limits.durationMs + GRACE_MS,
    bytesPerDirection: limits.bytesPerDirection + 2 * windowBytes,
  };
}
