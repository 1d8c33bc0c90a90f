import { hostPort, peerId, realmKey, relayAddress } from './address-types.ts';
import { key, optional, section } from './key.ts';
import { list, record } from './list-types.ts';
import { count, duration } from './number-types.ts';
import { flag, name, oneOf, path, protocolName } from './plain-types.ts';

/** Who else there is: how peers are found, who is a member, which relays a client uses, and what peers reach through tunnels. */

export const discovery = section('How other peers, and relays among them, are found.', {
  network: key(name(), {
    // Relays of one network find each other's clients and no others, whatever else runs in the same DHT.
    default: 'main',
    doc: 'The name of the network whose relays advertise themselves to its clients. Relays and clients that are to find each other have the same, and the same `realm.name`.',
  }),
  bootstrap: key(list(relayAddress()), {
    default: [],
    live: true,
    doc: 'Peers to connect to at the start. A client asks each whether it relays. `/dnsaddr/NAME` stands for the addresses that the name lists, which are looked up again.',
  }),
  dht: section('The Kademlia DHT: relays advertise themselves in it, clients find relays in it, and a bare peer id that is known nowhere else is looked up in it.', {
    enabled: key(flag(), {
      // Most private networks have no DHT; joining one costs connections.
      default: false,
      doc: 'Joins the DHT.',
    }),
    protocol: key(protocolName(), {
      // The public IPFS DHT; a network of its own names its own.
      default: '/ipfs/kad/1.0.0',
      doc: "The DHT's protocol: it tells one network's DHT from another's.",
    }),
    mode: key(oneOf(['auto', 'client', 'server']), {
      default: 'auto',
      doc: '`server` answers queries of others, `client` only asks; `auto` serves once the node has a public address, and, with `network.allowPrivate`, where it is a relay that listens.',
    }),
    advertise: key(flag(), {
      default: true,
      doc: 'A relay advertises itself in the DHT that it has joined.',
    }),
  }),
  mdns: key(flag(), {
    // It tells everyone in the local network that this node is there.
    default: false,
    doc: 'Finds peers in the local network, and is found by them.',
  }),
  dnsServers: key(list(hostPort({ zeroPort: false, names: false, example: '192.0.2.53:53' })), {
    default: [],
    doc: "DNS servers that are asked for `/dnsaddr/NAME`; empty: the system's.",
  }),
});

export const realm = section('The membership domain: its members get limits of their own on a relay.', {
  name: optional(name(), { doc: "The realm's name." }),
  members: key(list(peerId()), {
    default: [],
    live: true,
    doc: 'Members by peer id. They need no software of ours.',
  }),
  authority: optional(realmKey(), {
    live: true,
    doc: 'The public key whose signed tokens make a member, as `relayd realm init` prints it. Tokens count on a relay and for the tunnels that this node exposes.',
  }),
  tokenFile: optional(path(), {
    relativeTo: 'file',
    live: true,
    doc: "This node's own membership token, as `relayd realm issue` prints it: it is shown to the relays and to the peers whose tunnels it uses; one that names no peer only to relays whose peer id stands in `client.relays` or `discovery.bootstrap`. Not open to every user (mode 0600).",
  }),
  revocationFile: key(path(), {
    // Where the commands of an authority that lives in the same data directory write it.
    default: 'realm/revocations',
    relativeTo: 'dataDir',
    doc: 'The signed list of tokens and peers that are members no more. It is read again when it changes; where there is none, nothing is revoked.',
  }),
});

export const client = section('The relay client: which relays it holds reservations with.', {
  relays: key(list(relayAddress()), {
    default: [],
    live: true,
    doc: 'Relays to use, beside those that discovery finds. `/dnsaddr/NAME` stands for the relays that the name lists, which are looked up again.',
  }),
  desired: key(count({ min: 1, max: 16 }), {
    // One can fail at any time; a third costs every relay more than it gives a client.
    default: 2,
    live: true,
    doc: 'Reservations to hold. Tier 1 says 1: there is one relay, and a client that loses it waits and reserves again when it is back. With more relays in `relays`, set 2 to keep one in reserve.',
  }),
  when: key(oneOf(['auto', 'always']), {
    // A reservation that nobody needs takes the place of one that somebody does.
    default: 'auto',
    live: true,
    doc: '`auto`: holds no reservation while other peers confirm that this node can be reached directly; `always`: holds them in any case.',
  }),
  prefer: key(list(name()), {
    default: [],
    live: true,
    doc: 'Regions (`relay.region`) whose relays are chosen before others.',
  }),
  avoid: key(list(name()), {
    default: [],
    live: true,
    doc: 'Regions whose relays are chosen only when there is no other.',
  }),
  holePunch: key(flag(), {
    default: true,
    doc: 'Tries to replace circuits by direct connections (DCUtR), over TCP and QUIC, and answers peers that try.',
  }),
  probe: section('How a relay that is frozen or out of reach is noticed.', {
    interval: key(duration({ min: 100, max: 3_600_000 }), {
      // A frozen relay is noticed within 5.75 s; a ping costs 64 bytes.
      default: '5s',
      live: true,
      doc: 'Each relay in use is pinged this often. One whose answer is late by 15 % of this (or four round trips) is withdrawn and another reserved.',
    }),
    timeout: key(duration({ min: 50, max: 3_600_000 }), {
      // Longer than any round trip on Earth with a lost packet sent again.
      default: '3s',
      live: true,
      doc: 'A ping that is not answered by then is missed; after three the connection is closed. At most `interval`.',
    }),
  }),
});

const allow = list(peerId());

const exposed = record({ name: name(), to: hostPort({ zeroPort: false, names: true, example: '127.0.0.1:22' }), allow }, { allow: [] });

const forwarded = record({ listen: hostPort({ zeroPort: true, names: false, example: '127.0.0.1:2222' }), peer: peerId(), name: name() });

export const tunnels = section('TCP services that peers reach through this node, and those that it reaches.', {
  expose: key(list(exposed), {
    default: [],
    doc: 'Services of this machine, each `{name, to: HOST:PORT, allow: [peer ids]}`. Nobody may connect but the peers in `allow` and those that show a token of `realm.authority` for the use `tunnel:NAME`.',
  }),
  forward: key(list(forwarded), {
    default: [],
    doc: 'Local ports, each `{listen: HOST:PORT, peer, name}`: what connects there reaches the service that the peer exposes under that name.',
  }),
});
