import type { EventEmitter } from 'node:events';
import type { Clock } from '../lib/clock.ts';
import type { RehearsalResult } from '../lib/contracts.ts';
import { abortable, withDeadline } from '../lib/deadline.ts';
import { RelaydError } from '../lib/errors.ts';
import { isWorking, working } from './alarm.ts';
import type { Candidate } from './candidate.ts';
import { hopConnections } from './components.ts';
import type { ClientComponents } from './components.ts';
import { costOf } from './score.ts';
import type { SupervisorEvents } from './supervisor-events.ts';

/** A single relay that is lost is tried again within seconds; one that takes longer does not come back. */
const RECOVERY_MS = 60_000;

export interface RehearsalSources {
  readonly candidates: Iterable<Candidate>;
  readonly components: Pick<ClientComponents, 'connectionManager'>;
  readonly emitter: EventEmitter<SupervisorEvents>;
  readonly clock: Clock;
}

/**
 * Loses the best relay as a cut cable would: its connections, and with them the circuits of this node over it. What follows is what would
 * follow in earnest.
 *
 * @throws RelaydError BAD_REQUEST where no reservation is held, TIMEOUT when there are not as many again in time; the signal's reason
 */
export async function rehearse({ candidates, components, emitter, clock }: RehearsalSources, signal: AbortSignal): Promise<RehearsalResult> {
  const best = [...candidates].filter(isWorking).sort((a, b) => costOf(a, clock.now()) - costOf(b, clock.now()))[0];
  if (best === undefined) {
    throw new RelaydError('BAD_REQUEST', 'no reservation is held: there is no relay to lose');
  }
  const heldBefore = working(candidates);
  const begunAt = clock.now();
  const recovery = Promise.withResolvers<string>();
  const onOpened = ({ relay }: { relay: string }): void => {
    if (working(candidates) >= heldBefore) recovery.resolve(relay);
  };
  emitter.on('reservation:opened', onOpened);
  try {
    hopConnections(components, best.peer).forEach((connection) => connection.abort(new RelaydError('CLOSED', 'a rehearsal of the loss of this relay')));
    const heldAfter = working(candidates);
    const tookOver = await withDeadline(RECOVERY_MS, clock, [signal], (limit) => abortable(recovery.promise, limit));
    return { dropped: best.id, heldBefore, heldAfter, recoveredMs: Math.round((clock.now() - begunAt) * 10) / 10, tookOver };
  } finally {
    emitter.off('reservation:opened', onOpened);
  }
}
