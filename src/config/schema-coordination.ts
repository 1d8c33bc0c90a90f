import { fullAddress, hostPort } from './address-types.ts';
import { key, optional, section } from './key.ts';
import { list } from './list-types.ts';
import { count, quota, rate } from './number-types.ts';
import { flag, name, oneOf, path } from './plain-types.ts';
import { etcdEndpoint, redisUrl } from './store-types.ts';

/** What relays of one cluster share (Tier 3). */

const UNLIMITED = 'unlimited';

/** Counted by all relays together. What is not here (how long, how many bytes a circuit) each relay decides for itself, in `relay.limits`. */
function clusterLimits(whose: string) {
  const live = true;
  const places = (doc: string) => key(count({ unlimited: true }), { default: UNLIMITED, live, doc });
  const requests = (doc: string) => key(rate(), { default: UNLIMITED, live, doc });
  return {
    reservations: {
      max: places(`Reservations of ${whose}, at all relays together.`),
      perPeer: places('Relays at which one peer holds a reservation.'),
      perPrefix: places('Reservations of peers in one IP prefix (see `relay.prefixes`).'),
      perAsn: places("Reservations of peers in one provider's network (AS number). Applies only where `relay.asnFile` is set."),
    },
    circuits: {
      max: places(`Circuits that ${whose} have opened, through all relays together.`),
      perSource: places('Circuits at the same time that one peer has opened.'),
      perTarget: places('Circuits at the same time that lead to one peer.'),
      perPrefix: places('Circuits at the same time that peers in one IP prefix have opened.'),
    },
    rates: section('How often requests are taken.', {
      reservePerPeer: requests('Requests for a reservation from one peer; as many may come at once.'),
      reservePerPrefix: requests('Requests for a reservation from one IP prefix; as many may come at once.'),
      connectPerPeer: requests('Requests for a circuit from one peer; as many may come at once.'),
      connectPerPrefix: requests('Requests for a circuit from one IP prefix; as many may come at once.'),
    }),
  };
}

const strangers = clusterLimits('peers that are no members');
const members = clusterLimits('members');

const bytes = (doc: string) => key(quota(), { default: UNLIMITED, live: true, doc });
const perToken = (doc: string) => key(count({ unlimited: true }), { default: UNLIMITED, live: true, doc });

const quotas = section('Bytes that are relayed in a day or a month (of UTC), counted over all relays, for members and others alike. When one is used up, its circuits end and no new ones are opened until it begins anew.', {
  peer: bytes('Bytes of one peer: of circuits that it has opened, and of those that lead to it.'),
  prefix: bytes('Bytes of circuits that peers in one IP prefix have opened.'),
  realm: bytes("Bytes of circuits that the realm's members have opened, all together."),
  token: bytes('Bytes of circuits that were opened with one token.'),
});

function storeTls(store: string) {
  return section(`TLS with ${store}; PEM files, read at the start, and again when the store cannot be reached or refuses.`, {
    caFile: optional(path(), { relativeTo: 'file', doc: "The certificates of the authorities that are trusted, in place of the system's." }),
    certFile: optional(path(), { relativeTo: 'file', doc: "This relay's own certificate, where the store asks for one." }),
    keyFile: optional(path(), { relativeTo: 'file', doc: 'Its private key, without a password. Not open to every user (mode 0600, or 0640 for a group).' }),
  });
}

const passwordFile = optional(path(), { relativeTo: 'file', doc: 'A file with the password, in one line; not open to every user (mode 0600, or 0640 for a group). Read as the files of `tls` are.' });

const redis = section('Where Redis is, for the backend `redis`: one server, a primary that sentinels know, or a Redis Cluster.', {
  url: key(redisUrl(), {
    default: 'redis://127.0.0.1:6379',
    doc: 'The server, or any node of a Redis Cluster: `redis://HOST:PORT`, `rediss://…` with TLS; `/3` at the end for database 3. No name or password: they have keys of their own.',
  }),
  nodes: key(list(redisUrl(), { unique: true }), { default: [], doc: 'More nodes of a Redis Cluster, as `url` is written. With any of them, the cluster protocol is spoken.' }),
  sentinels: key(list(hostPort({ zeroPort: false, names: true, example: '127.0.0.1:26379' })), {
    default: [],
    doc: 'Sentinels, each HOST:PORT: they are asked for the primary, now and after a failover. `url` then says only whether TLS is spoken, and the database.',
  }),
  sentinelPrimary: key(name(), {
    // What the example configuration of Redis Sentinel calls it.
    default: 'mymaster',
    doc: 'The name under which the sentinels know the primary.',
  }),
  sentinelUsername: optional(name(), { doc: 'The ACL user at the sentinels, with `sentinelPasswordFile`; without it `default`.' }),
  sentinelPasswordFile: optional(path(), {
    relativeTo: 'file',
    doc: "A file with the sentinels' own password (`requirepass` there, or that of an ACL user), in one line; not open to every user. Without it they are asked without a password and, where they want one, with `username` and `passwordFile`.",
  }),
  username: optional(name(), { doc: 'The ACL user; without it `default`.' }),
  passwordFile,
  tls: storeTls('Redis'),
});

const etcd = section('Where etcd is, for the backend `etcd`.', {
  endpoints: key(list(etcdEndpoint(), { nonEmpty: true, unique: true }), { default: ['http://127.0.0.1:2379'], doc: 'The members of the etcd cluster, each `http://HOST:PORT` or, with TLS, `https://HOST:PORT`. List all: any of them may be away.' }),
  username: optional(name(), { doc: 'The etcd user, with `passwordFile`.' }),
  passwordFile,
  tls: storeTls('etcd'),
});

export const coordination = section('What the relays of one cluster share (docs/tier3). Clients need none of it.', {
  backend: key(oneOf(['none', 'gossip', 'redis', 'etcd']), {
    default: 'none',
    doc: 'How relays know of each other: `gossip` among themselves, or by a store, `redis` or `etcd`; `none`: every relay is by itself.',
  }),
  cluster: key(name(), { default: 'default', doc: "The cluster's name: several clusters can use one store." }),
  secretFile: optional(path(), {
    relativeTo: 'file',
    live: true,
    doc: 'A file with a line of 64 hex digits, such as `openssl rand -hex 32` prints; who holds it is a relay of the cluster. The same on each relay; readable by its owner alone (mode 0600). Required with any backend. A second line is a secret that is accepted besides, while it is being changed (docs/tier3, Security). A reload reads the file again.',
  }),
  relays: key(list(fullAddress()), {
    default: [],
    doc: 'Other relays of the cluster. One that answers is enough, it knows the others; for the backends with a store none is needed, but those named here have their part of every limit left to them when this relay starts cut off. Empty with `gossip`: this is the first relay, and others name it.',
  }),
  reservationAddrs: key(oneOf(['own', 'cluster']), {
    // A standard client announces each address that it is given: those of all relays are many, and each costs its peers a dial that may fail.
    default: 'own',
    doc: "The addresses that a reservation names: this relay's own, or those of the cluster's other relays too, so that the peer is found when this relay is away.",
  }),
  allowPlaintext: key(flag(), {
    // Who reads what goes to a store learns who talks through which relay; who writes there counts as a relay's word on limits.
    default: false,
    doc: 'Accepts a store on another machine without TLS, or without a password or certificate: right only in a network that is yours alone.',
  }),
  redis,
  etcd,
  limits: section('Limits for anyone who is not a member, counted over all relays; `relay.limits` holds at each relay besides.', {
    reservations: section('Reservations.', strangers.reservations),
    circuits: section('Relayed connections.', strangers.circuits),
    rates: strangers.rates,
    quotas,
  }),
  memberLimits: section('Limits for members of the realm, counted over all relays; `relay.memberLimits` holds at each relay besides.', {
    reservations: section('Reservations.', { ...members.reservations, perToken: perToken('Reservations of peers that show the same token.') }),
    circuits: section('Relayed connections.', { ...members.circuits, perToken: perToken('Circuits at the same time that were opened with one token.') }),
    rates: members.rates,
  }),
});
