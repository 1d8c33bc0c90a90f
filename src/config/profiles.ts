import type { Profile, Role } from './domain.ts';

/**
 * The deployment models as data: a profile is a layer of the same keys as the file, between the file and the
 * defaults. Every number has its reason beside it. The defaults themselves are those of a Tier 1 relay.
 */

/** A profile's keys, as written. */
export type ProfileLayer = Readonly<Record<string, unknown>>;

/** Profiles of this release. */
export type BuiltProfile = Exclude<Profile, 'tier3'>;

/** Behind NAT nothing can be accepted, and a fixed port would only collide with a relay on the same machine. */
const CLIENT_NETWORK = { listen: [] };

const TIER2_CONNECTIONS = {
  low: 1280, // every node of the tier connected, and a quarter more: trimming must not reach peers that are in use
  high: 1536, // half more than the nodes of the tier
  max: 8192, // two reservation pools of 1024, and three times as many callers
  pendingPerPrefix: 32, // when another region's relay dies, its clients all come at once, many through carriers' NATs
};

const TIER2_RELAY = {
  limits: {
    reservations: {
      max: 1024, // every node of the tier: the last relay alive must hold them all
      perAsn: 256, // a quarter of the pool, as in Tier 1
    },
    circuits: {
      max: 4096, // 4 a reservation: with more peers, fewer talk at once
      pending: 512, // a failover opens circuits anew all together
    },
    memory: {
      total: '1GiB', // 2048 circuits stalled in both directions: half of all, which is a disaster and not a day's work
    },
  },
};

export const PROFILES: Readonly<Record<BuiltProfile, Readonly<Record<Role, ProfileLayer>>>> = {
  // One relay, fewer than 100 nodes.
  tier1: {
    relay: {},
    client: {
      network: CLIENT_NETWORK,
      connections: {
        max: 512, // five times the network; home routers forget connections beyond a few thousand
      },
      client: {
        desired: 1, // there is one relay: while it is away the client waits, and reserves again when it is back
      },
    },
    both: {
      client: {
        desired: 1, // one relay beside this one, if there is one
      },
    },
  },

  // Several independent relays, 100 to 1000 nodes, one relay a region.
  tier2: {
    relay: {
      connections: TIER2_CONNECTIONS,
      relay: TIER2_RELAY,
      drain: {
        timeout: '2m', // what a public circuit may last: clients have another relay meanwhile, so nobody waits for this one
      },
    },
    client: {
      network: CLIENT_NETWORK,
      connections: {
        max: 1024, // the largest network of this tier
      },
      client: {
        desired: 2, // one relay may die; the other carries on while a replacement is found
        // Half of the clients of a relay that freezes have another within 1.5 s (`scripts/faults freeze`), with 5 s it were more than 3; it costs a relay with 1000 clients 400 pings a second.
        probe: { interval: '2500ms', timeout: '2500ms' },
      },
    },
    both: {
      connections: TIER2_CONNECTIONS,
      relay: TIER2_RELAY,
      client: {
        desired: 2, // as for a client
        probe: { interval: '2500ms', timeout: '2500ms' }, // as for a client
      },
      drain: {
        timeout: '2m', // as for a relay
      },
    },
  },
};
