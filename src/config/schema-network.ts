import { announceAddress, listenAddress } from './address-types.ts';
import { key, optional, section } from './key.ts';
import { list } from './list-types.ts';
import { count, rate } from './number-types.ts';
import { flag, oneOf, path } from './plain-types.ts';

/** Where the node is, how it talks, and how many connections it accepts. */

export const network = section('Addresses and the protocols underneath.', {
  listen: key(list(listenAddress()), {
    // 4001 is the port of libp2p nodes everywhere; operators' firewalls know it.
    default: ['/ip4/0.0.0.0/tcp/4001', '/ip6/::/tcp/4001'],
    doc: 'Where connections are accepted; port 0 takes a free one. `/ip4/0.0.0.0/udp/4001/quic-v1` listens on QUIC, which needs an optional package and costs a relay more CPU (docs/reference/reachability.md). `/ip4/0.0.0.0/tcp/443/tls/ws` and `/ip4/0.0.0.0/tcp/80/ws` listen for browsers, on a port of TCP as well if it is listed too (docs/reference/websockets.md). Empty: nothing is accepted, which is right behind NAT.',
  }),
  websocket: section('The certificate for WebSocket over TLS (docs/reference/websockets.md).', {
    certFile: optional(path(), {
      relativeTo: 'file',
      doc: 'The certificate for addresses such as `/ip4/0.0.0.0/tcp/443/tls/ws`, in PEM, those of its issuers behind it. Read again when it changes.',
    }),
    keyFile: optional(path(), {
      relativeTo: 'file',
      doc: 'Its private key, in PEM, without a password. Not open to every user (mode 0600, or 0640 for a group). Read again when it changes.',
    }),
  }),
  announce: key(list(announceAddress()), {
    default: [],
    doc: 'The addresses that others are given, instead of those that are found. Needed behind a port forward or a load balancer.',
  }),
  allowPrivate: key(flag(), {
    // A public network is no place to make others dial into a LAN.
    default: false,
    doc: 'Gives and dials private and loopback addresses. Needed in tests and where all peers are in one LAN.',
  }),
  swarmKeyFile: optional(path(), {
    relativeTo: 'file',
    doc: 'The key of a private network (pnet, `/key/swarm/psk/1.0.0/`): only peers with the same key can connect. Readable by its owner alone (mode 0600).',
  }),
  security: key(list(oneOf(['tls', 'noise']), { nonEmpty: true, unique: true }), {
    // TLS costs a relay about two thirds of what noise does, and go-libp2p offers it first as well.
    default: ['tls', 'noise'],
    doc: 'The encryption protocols, in the order in which they are offered.',
  }),
  dataPath: key(oneOf(['native', 'stock']), {
    // A relay spends a fifth to a tenth of the CPU for a byte that it does with the library's parts.
    default: 'native',
    doc: "What carries the bytes: `native` is this program's own, `stock` the library's noise, TLS and yamux, to compare with and to fall back to.",
  }),
});

export const connections = section('How many connections the node holds, and how fast it accepts them.', {
  low: key(count({ min: 0 }), {
    // go-libp2p's watermarks, 160 and 192.
    default: 160,
    live: true,
    doc: 'Trimming stops here.',
  }),
  high: key(count(), {
    default: 192,
    live: true,
    doc: 'Above this, connections are trimmed down to `low`; those of peers that hold a reservation are spared.',
  }),
  max: key(count(), {
    // Room for the 1152 peers of both default reservation pools and three times as many callers.
    default: 4096,
    live: true,
    doc: 'Beyond this no connection is accepted.',
  }),
  pendingPerPrefix: key(count({ unlimited: true }), {
    // An address that opens sockets and stays silent must not use up all handshakes; a NAT full of honest peers rarely has 16 at once.
    default: 16,
    live: true,
    doc: 'Handshakes under way from one IP prefix (see `relay.prefixes`).',
  }),
  inboundPerPrefix: key(rate(), {
    // The library's 5 a second refuse 15 of 20 clients that start behind one NAT.
    default: '64/s',
    live: true,
    doc: 'New connections from one IP prefix; as many may come at once.',
  }),
});
