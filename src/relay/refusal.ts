import { CLUSTER_LIMITS } from '../lib/cluster/relay-cluster.ts';
import type { ClusterLimit } from '../lib/cluster/relay-cluster.ts';
import type { Refusal } from '../lib/circuit/messages.ts';
import { Status } from '../lib/circuit/protocol.ts';
import type { StatusCode } from '../lib/circuit/protocol.ts';
import { explain } from './explanation.ts';

interface Terms {
  readonly status: StatusCode;
  readonly reason: string;
}

/** A limit that is counted over the cluster has the name of the relay's own behind this: `cluster.reservations.perPrefix`. */
const CLUSTER_REFUSALS = Object.fromEntries(CLUSTER_LIMITS.map((limit) => [`cluster.${limit}`, termsOf(limit)])) as Record<`cluster.${ClusterLimit}`, Terms>;

function termsOf(limit: ClusterLimit): Terms {
  const isOfNetwork = limit.endsWith('.perPrefix') || limit.endsWith('.perAsn');
  return {
    status: limit === 'reservations.max' ? Status.RESERVATION_REFUSED : Status.RESOURCE_LIMIT_EXCEEDED,
    reason: isOfNetwork ? 'ip constraint violation' : 'resource limit exceeded',
  };
}

/**
 * Every reason for which this relay says no: its config key or name (what a client is told in the refusal, and the
 * `limit` label of our metric), the status on the wire, and the label that go-libp2p's dashboards know.
 * The set is closed: metrics are seeded from it, docs/reference/refusals.md lists it.
 */
export const REFUSALS = {
  'reservations.max': { status: Status.RESERVATION_REFUSED, reason: 'resource limit exceeded' },
  'reservations.perPrefix': { status: Status.RESOURCE_LIMIT_EXCEEDED, reason: 'ip constraint violation' },
  'reservations.perAsn': { status: Status.RESOURCE_LIMIT_EXCEEDED, reason: 'ip constraint violation' },
  'rates.reservePerPeer': { status: Status.RESOURCE_LIMIT_EXCEEDED, reason: 'resource limit exceeded' },
  'rates.reservePerPrefix': { status: Status.RESOURCE_LIMIT_EXCEEDED, reason: 'resource limit exceeded' },
  'rates.connectPerPeer': { status: Status.RESOURCE_LIMIT_EXCEEDED, reason: 'resource limit exceeded' },
  'rates.connectPerPrefix': { status: Status.RESOURCE_LIMIT_EXCEEDED, reason: 'resource limit exceeded' },
  'circuits.max': { status: Status.RESOURCE_LIMIT_EXCEEDED, reason: 'resource limit exceeded' },
  'circuits.perSource': { status: Status.RESOURCE_LIMIT_EXCEEDED, reason: 'resource limit exceeded' },
  'circuits.perTarget': { status: Status.RESOURCE_LIMIT_EXCEEDED, reason: 'resource limit exceeded' },
  'circuits.pending': { status: Status.RESOURCE_LIMIT_EXCEEDED, reason: 'resource limit exceeded' },
  'memory.total': { status: Status.RESOURCE_LIMIT_EXCEEDED, reason: 'resource limit exceeded' },
  'event loop': { status: Status.RESOURCE_LIMIT_EXCEEDED, reason: 'resource limit exceeded' },
  draining: { status: Status.RESOURCE_LIMIT_EXCEEDED, reason: 'resource limit exceeded' },
  'access.reserve': { status: Status.PERMISSION_DENIED, reason: 'permission denied' },
  'access.connect': { status: Status.PERMISSION_DENIED, reason: 'permission denied' },
  'access.target': { status: Status.PERMISSION_DENIED, reason: 'permission denied' },
  'members only': { status: Status.PERMISSION_DENIED, reason: 'permission denied' },
  'token malformed': { status: Status.PERMISSION_DENIED, reason: 'permission denied' },
  'token signature': { status: Status.PERMISSION_DENIED, reason: 'permission denied' },
  'token wrong realm': { status: Status.PERMISSION_DENIED, reason: 'permission denied' },
  'token not yet valid': { status: Status.PERMISSION_DENIED, reason: 'permission denied' },
  'token expired': { status: Status.PERMISSION_DENIED, reason: 'permission denied' },
  'token wrong peer': { status: Status.PERMISSION_DENIED, reason: 'permission denied' },
  'token used up': { status: Status.PERMISSION_DENIED, reason: 'permission denied' },
  'token use': { status: Status.PERMISSION_DENIED, reason: 'permission denied' },
  'token revoked': { status: Status.PERMISSION_DENIED, reason: 'permission denied' },
  'relayed connection': { status: Status.PERMISSION_DENIED, reason: 'permission denied' },
  'connect to self': { status: Status.PERMISSION_DENIED, reason: 'permission denied' },
  'no reservation': { status: Status.NO_RESERVATION, reason: 'no reservation' },
  'connection failed': { status: Status.CONNECTION_FAILED, reason: 'connection failed' },
  'malformed message': { status: Status.MALFORMED_MESSAGE, reason: 'malformed message' },
  'unexpected message': { status: Status.UNEXPECTED_MESSAGE, reason: 'unexpected message' },
  ...CLUSTER_REFUSALS,
} as const satisfies Record<string, Terms>;

export type RefusalName = keyof typeof REFUSALS;

/** A relay that is in no cluster never says it. */
export function isOfCluster(limit: string): boolean {
  return limit in CLUSTER_REFUSALS;
}

/** Limits of this relay that another relay may have room under: the reply names some. What the whole cluster counts, all of its relays refuse. */
const ROOM_ELSEWHERE: ReadonlySet<RefusalName> = new Set([
  'reservations.max',
  'reservations.perPrefix',
  'reservations.perAsn',
  'circuits.max',
  'circuits.pending',
  'memory.total',
  'event loop',
  'draining',
]);

export interface RefusalDetails {
  current?: number;
  maximum?: number;
  retryAfterMs?: number;
}

/** A "no" on its way to the peer: thrown by admission, turned into a reply by the handler. */
export class Refused extends Error {
  readonly limit: RefusalName;
  readonly details: RefusalDetails;

  constructor(limit: RefusalName, details: RefusalDetails = {}) {
    super(limit);
    this.name = 'Refused';
    this.limit = limit;
    this.details = details;
  }

  get status(): StatusCode {
    return REFUSALS[this.limit].status;
  }

  /** The extension field of the reply. Numbers on the wire are whole; `alternatives` are named where they can be of help. */
  toMessage(alternatives: readonly string[], realmName?: string): Refusal {
    const { current, maximum, retryAfterMs } = this.details;
    const explanation = explain(this.limit, realmName);
    return {
      limit: this.limit,
      current: current === undefined ? undefined : Math.ceil(current),
      maximum: maximum === undefined || !Number.isFinite(maximum) ? undefined : Math.floor(maximum),
      retryAfterSeconds: retryAfterMs === undefined ? undefined : Math.max(1, Math.ceil(retryAfterMs / 1000)),
      alternatives: ROOM_ELSEWHERE.has(this.limit) ? [...alternatives] : [],
      ...(explanation === undefined ? {} : { explanation }),
    };
  }
}
