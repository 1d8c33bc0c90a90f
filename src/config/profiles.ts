import type { Profile, Role } from './domain.ts';

/**
 * The deployment models as data: a profile is a layer of the same keys as the file, between the file and the
 * defaults. Every number has its reason beside it. The defaults themselves are those of a Tier 1 relay.
 */

/** A profile's keys, as written. */
export type ProfileLayer = Readonly<Record<string, unknown>>;

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

const TIER2_CLIENT = {
  network: CLIENT_NETWORK,
  connections: {
    max: 1024, // the largest network of this tier
  },
  client: {
    desired: 2, // one relay may die; the other carries on while a replacement is found
    // Half of the clients of a relay that freezes have another within 1.5 s (`scripts/faults freeze`), with 5 s it were more than 3; it costs a relay with 1000 clients 400 pings a second.
    probe: { interval: '2500ms', timeout: '2500ms' },
  },
};

const TIER3_CONNECTIONS = {
  low: 5120, // every reservation of strangers connected, and a quarter more: trimming must not reach peers that are in use
  high: 6144, // half more than the reservations
  max: 16_384, // two reservation pools of 4096, and twice as many callers
  pendingPerPrefix: 32, // as in Tier 2: the clients of a relay that dies all come at once
};

const TIER3_RELAY = {
  limits: {
    reservations: {
      max: 4096, // four times the largest Tier 2; a relay holds 10,000 (docs/capacity), so the others can take over those of one that dies
      perAsn: 1024, // a quarter of the pool, as in Tier 1
    },
    circuits: {
      max: 8192, // 2 a reservation: with more peers, fewer talk at once
      pending: 1024, // a failover opens circuits anew all together: an eighth of them
    },
    memory: {
      total: '1GiB', // as in Tier 2: 2048 circuits stalled in both directions are a disaster, however many relays there are
    },
  },
  memberLimits: {
    reservations: {
      max: 4096, // as many as strangers: more than 1000 members is what this tier is for
    },
    circuits: {
      max: 16_384, // 4 a reservation, as in Tier 1
      pending: 2048, // half the pool of reservations reconnecting at once, as in Tier 1
    },
  },
};

/** Over the cluster a stranger gets about what one relay would give, however many relays there are. */
const TIER3_COORDINATION = {
  backend: 'gossip', // nothing else to install
  limits: {
    reservations: {
      perPeer: 4, // two that a client holds, and two more while it moves from relays that drain or die
      perPrefix: 16, // the 8 peers that one relay takes, with two reservations each
    },
    circuits: {
      perSource: 16, // what one relay gives a peer
    },
    rates: {
      reservePerPeer: '30/h', // what one relay takes: two reservations are renewed 4 times an hour, the rest is for relays that come and go
      reservePerPrefix: '60/m', // the same
      connectPerPeer: '60/m', // the same
      connectPerPrefix: '240/m', // the same
    },
  },
};

const TIER3_DRAIN = {
  timeout: '2m', // as in Tier 2: clients have another relay meanwhile
};

export const PROFILES: Readonly<Record<Profile, Readonly<Record<Role, ProfileLayer>>>> = {
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
    client: TIER2_CLIENT,
    both: {
      connections: TIER2_CONNECTIONS,
      relay: TIER2_RELAY,
      client: TIER2_CLIENT.client, // as for a client
      drain: {
        timeout: '2m', // as for a relay
      },
    },
  },

  // A cluster of relays that acts as one, more than 1000 nodes.
  tier3: {
    relay: { connections: TIER3_CONNECTIONS, relay: TIER3_RELAY, coordination: TIER3_COORDINATION, drain: TIER3_DRAIN },
    client: TIER2_CLIENT, // a client holds two relays of the cluster as it does of any, and knows nothing of what they share
    both: { connections: TIER3_CONNECTIONS, relay: TIER3_RELAY, coordination: TIER3_COORDINATION, client: TIER2_CLIENT.client, drain: TIER3_DRAIN },
  },
};
