import type { ClassLimits } from '../config/domain.ts';

/**
 * A limit class, with pools of its own: anyone, members of the realm, and the two peers of the node's own
 * readiness check, which must neither use up nor be refused for what users hold, and are in no count or metric.
 */
export type LimitClass = UserClass | 'internal';
export type UserClass = 'public' | 'member';

export const USER_CLASSES: readonly UserClass[] = ['public', 'member'];
export const LIMIT_CLASSES: readonly LimitClass[] = [...USER_CLASSES, 'internal'];

/** Enough for one RESERVE, CONNECT and echo at a time. */
export const INTERNAL_LIMITS: ClassLimits = {
  reservations: { max: 4, perPrefix: Infinity, perAsn: Infinity, ttlMs: 60_000 },
  circuits: { max: 4, perSource: 4, perTarget: 4, pending: 4, durationMs: 30_000, bytesPerDirection: 1 << 20, idleMs: 10_000 },
  rates: { reservePerPeer: undefined, reservePerPrefix: undefined, connectPerPeer: undefined, connectPerPrefix: undefined },
  bandwidth: { perCircuit: Infinity, perPeer: Infinity, total: Infinity },
  memory: { perDirection: 256 * 1024, total: Infinity },
};
