import { cidr, fullAddress, peerOrCidr } from './address-types.ts';
import { key, optional, section } from './key.ts';
import { list } from './list-types.ts';
import { bandwidth, count, duration, rate, size } from './number-types.ts';
import { flag, name, path } from './plain-types.ts';

/** What the relay server does for whom, and how much of it. */

/** yamux opens a stream with a window of 256 KiB: a peer may send that much before it is told to wait. */
const YAMUX_WINDOW_BYTES = 256 * 1024;

/** The voucher and the circuit's limit are in whole seconds on the wire. */
const ONE_SECOND_MS = 1000;
const DAY_MS = 86_400_000;

/** The defaults of one class of users, as written. */
interface ClassDefaults {
  reservations: { max: number; perPrefix: number | string; perAsn: number | string; ttl: string };
  circuits: { max: number; perSource: number; perTarget: number; pending: number; duration: string; bytesPerDirection: string; idle: string };
  rates: { reservePerPeer: string; reservePerPrefix: string; connectPerPeer: string; connectPerPrefix: string };
}

/** The field's limits for anyone: what a stranger may use of a relay that somebody runs for free. */
const PUBLIC: ClassDefaults = {
  reservations: {
    max: 128, // go-libp2p's; at about 100 KiB each, nothing to a machine
    perPrefix: 8, // go-libp2p's; a household has fewer nodes
    perAsn: 32, // go-libp2p's; a quarter of the pool to one provider
    ttl: '1h', // the specification's example and go-libp2p's
  },
  circuits: {
    max: 1024, // 8 a reservation: the pool runs out only when many peers use many
    perSource: 16, // go-libp2p's; a browser opens 6
    perTarget: 16, // go-libp2p's
    pending: 128, // one a reservation: a target that is slow to answer holds few
    duration: '2m', // go-libp2p's: enough to hole-punch, too short to live on
    bytesPerDirection: '128KiB', // go-libp2p's: enough for identify, pings and a hole punch
    idle: '1m', // half of `duration`; it frees what a peer forgot to close
  },
  rates: {
    reservePerPeer: '30/h', // half the TTL apart is 2 an hour; the rest is for restarts and flapping links
    reservePerPrefix: '60/m', // twice what 8 peers of one prefix can do in a bad minute, and a NAT beside
    connectPerPeer: '60/m', // one a second; 16 circuits can be replaced in 16 s
    connectPerPrefix: '240/m', // four busy peers
  },
};

/** Members are known, and named by the operator: what is left is protection from faults, not from strangers. */
const MEMBERS: ClassDefaults = {
  reservations: {
    max: 1024, // a pool that strangers cannot fill; 1024 is the most nodes that Tier 2 is for
    perPrefix: 'unlimited', // an office's members sit behind one NAT
    perAsn: 'unlimited', // and in one provider's network
    ttl: '1h', // renewals are cheap, and a removed member is gone within the hour
  },
  circuits: {
    max: 4096, // 4 a reservation, each of which may move bytes all day
    perSource: 256, // a gateway that serves a whole site
    perTarget: 256, // a server that others reach through the relay
    pending: 512, // half the pool reconnecting at once, after a restart
    duration: 'unlimited', // the field's commonest surprise is a useful connection that is cut
    bytesPerDirection: 'unlimited', // the same
    idle: 'unlimited', // a shell session may be silent for a day
  },
  rates: {
    reservePerPeer: '120/h', // a laptop that moves between networks all day
    reservePerPrefix: '600/m', // an office of 600 comes back from a power cut in a minute
    connectPerPeer: '600/m', // ten short connections a second: what a web page does through a tunnel
    connectPerPrefix: '2400/m', // four such peers behind one NAT
  },
};

function classLimits(doc: string, defaults: ClassDefaults) {
  const live = true;
  const { reservations, circuits, rates } = defaults;
  return section(doc, {
    reservations: section('A peer that holds a reservation can be reached through this relay. One a peer.', {
      max: key(count({ min: 0 }), { default: reservations.max, live, doc: 'Reservations of all peers together. 0: none are given.' }),
      perPrefix: key(count({ unlimited: true }), { default: reservations.perPrefix, live, doc: 'Reservations of peers in one IP prefix (see `relay.prefixes`).' }),
      perAsn: key(count({ unlimited: true }), { default: reservations.perAsn, live, doc: "Reservations of peers in one provider's network (AS number). Applies only where `relay.asnFile` is set." }),
      ttl: key(duration({ min: ONE_SECOND_MS, max: 30 * DAY_MS }), { default: reservations.ttl, live, doc: 'How long a reservation lasts unless it is renewed; it also ends with the connection.' }),
    }),
    circuits: section('Relayed connections.', {
      max: key(count({ min: 0 }), { default: circuits.max, live, doc: 'Circuits at the same time. 0: none are opened.' }),
      perSource: key(count({ unlimited: true }), { default: circuits.perSource, live, doc: 'Circuits at the same time that one peer has opened.' }),
      perTarget: key(count({ unlimited: true }), { default: circuits.perTarget, live, doc: 'Circuits at the same time that lead to one peer.' }),
      pending: key(count(), { default: circuits.pending, live, doc: 'Circuits that are being opened: the target has not answered yet.' }),
      duration: key(duration({ min: ONE_SECOND_MS, max: 365 * DAY_MS, unlimited: true }), { default: circuits.duration, live, doc: 'A circuit is cut after this time.' }),
      bytesPerDirection: key(size({ min: 1, unlimited: true }), { default: circuits.bytesPerDirection, live, doc: 'A circuit is cut after this many bytes in either direction.' }),
      idle: key(duration({ min: 100, max: 365 * DAY_MS, unlimited: true }), { default: circuits.idle, live, doc: 'A circuit is cut when no byte has moved for this time.' }),
    }),
    rates: section('How often requests are taken.', {
      reservePerPeer: key(rate(), { default: rates.reservePerPeer, live, doc: 'Requests for a reservation from one peer; as many may come at once.' }),
      reservePerPrefix: key(rate(), { default: rates.reservePerPrefix, live, doc: 'Requests for a reservation from one IP prefix; as many may come at once.' }),
      connectPerPeer: key(rate(), { default: rates.connectPerPeer, live, doc: 'Requests for a circuit from one peer; as many may come at once.' }),
      connectPerPrefix: key(rate(), { default: rates.connectPerPrefix, live, doc: 'Requests for a circuit from one IP prefix; as many may come at once.' }),
    }),
    // Off: who pays by the byte or shares a link sets them. Slower than 1 KiB/s no handshake ends in time.
    bandwidth: section('How fast bytes pass.', {
      perCircuit: key(bandwidth({ min: 1024, unlimited: true }), { default: 'unlimited', live, doc: 'Bytes per second of one circuit; the sender is slowed down, nothing is dropped.' }),
      perPeer: key(bandwidth({ min: 1024, unlimited: true }), { default: 'unlimited', live, doc: 'Bytes per second of all circuits of one peer; senders are slowed down.' }),
      total: key(bandwidth({ min: 1024, unlimited: true }), { default: 'unlimited', live, doc: 'Bytes per second of all circuits of this class; senders are slowed down.' }),
    }),
    memory: section('Bytes that have been read and not yet passed on.', {
      // The smallest that works: a stalled circuit then holds half a MiB.
      perDirection: key(size({ min: YAMUX_WINDOW_BYTES }), { default: '256KiB', doc: 'Bytes held in one direction of one circuit: read from the sender, not yet taken by the receiver.' }),
      // 1024 circuits stalled in both directions: what `circuits.max` allows at worst.
      total: key(size({ min: 2 * YAMUX_WINDOW_BYTES }), { default: '512MiB', live, doc: 'Bytes held in all circuits of this class; a circuit is admitted only if its two directions fit beside what is held, and when circuits that were admitted come to hold more, those that hold the most are ended.' }),
    }),
  });
}

function accessList(what: string) {
  return section(`Who may ${what}.`, {
    allow: key(list(peerOrCidr()), { default: [], live: true, doc: `Peer ids and CIDRs that may ${what}. Empty: anyone.` }),
    deny: key(list(peerOrCidr()), { default: [], live: true, doc: `Peer ids and CIDRs that may not ${what}, whatever \`allow\` says.` }),
  });
}

export const relay = section('The relay server: whom it serves, and how much.', {
  open: key(flag(), {
    // A relay that serves nobody until it is told to would surprise more people than it protects.
    default: true,
    live: true,
    doc: 'Serves anyone, under `limits`; false: members of the realm only.',
  }),
  limits: classLimits('The limits for anyone who is not a member.', PUBLIC),
  memberLimits: classLimits('The limits for members of the realm. They have pools of their own, so that strangers cannot use up their slots.', MEMBERS),
  prefixes: section('What counts as one IP prefix, in the limits per prefix.', {
    // One IPv4 address is a household; a /56 or a /48 is what one gets in IPv6.
    ipv4: key(count({ min: 1, max: 32 }), { default: 32, live: true, doc: 'Bits of an IPv4 address.' }),
    ipv6: key(list(count({ min: 1, max: 128 }), { nonEmpty: true, unique: true }), { default: [56, 48], live: true, doc: 'Bits of an IPv6 address. Each length is counted, and the limit holds for each.' }),
    exempt: key(list(cidr()), { default: [], live: true, doc: 'CIDRs to which no limit per prefix applies: an office, a load balancer, a test network.' }),
  }),
  asnFile: optional(path(), {
    relativeTo: 'file',
    doc: 'A MaxMind database (`.mmdb`) of AS numbers, which you provide. `perAsn` limits apply only with it.',
  }),
  maxEventLoopDelay: key(duration({ min: 50, max: 365 * DAY_MS, unlimited: true }), {
    // A circuit's bytes wait this long too; one that is interactive is hardly usable then.
    default: '500ms',
    live: true,
    doc: 'When the event loop runs late by more than this (99th percentile over the last 5 to 10 s), new reservations and circuits are refused; renewals and what is open go on.',
  }),
  region: optional(name(), {
    live: true,
    doc: 'Where the relay is, in a word of yours that clients can prefer or avoid, such as `eu-west`.',
  }),
  alternatives: key(list(fullAddress()), {
    default: [],
    live: true,
    doc: 'Other relays, named to clients when this one refuses them or drains. Relays that it finds itself are added.',
  }),
  access: section('Who may do what at all.', {
    reserve: accessList('hold a reservation'),
    connect: accessList('open a circuit'),
    target: accessList('be the target of a circuit'),
  }),
});
