import type { ComponentLogger, Connection, CreateListenerOptions, DialTransportOptions, Listener, PrivateKey, Startable, Transport, Upgrader, UpgraderOptions } from '@libp2p/interface';
import { serviceCapabilities, transportSymbol } from '@libp2p/interface';
import { getThinWaistAddresses } from '@libp2p/utils';
import type { Multiaddr } from '@multiformats/multiaddr';
import { QUIC_V1 } from '@multiformats/multiaddr-matcher';
import type { LookupFunction } from 'node:net';
import { abortable } from '../../lib/deadline.ts';
import { nativeOf } from './module.ts';
import type { QuicModule } from './module.ts';
import { quicMuxer } from './muxer.ts';
import { resolveName } from './resolve.ts';
import { withUpgrades } from './upgrader.ts';

export interface QuicOptions {
  module: QuicModule;
  /** The most that a stream may hold for a reader that has stopped, in bytes. */
  windowBytes: number;
  /** Resolves the names in the addresses that are dialled. */
  lookup: LookupFunction;
}

interface QuicComponents {
  privateKey: PrivateKey;
  logger: ComponentLogger;
}

/** Streams that a peer may have open at once: four times what a relay opens to one target by default. Past it the peer's next stream waits for one to end. */
const MAX_OPEN_STREAMS = 1024;

/** A busy minute of a relay's clients; who falls silent holds a place for `maxIdleTimeout`. A place costs a promise. */
const HANDSHAKES_AT_ONCE = 256;

const SETTINGS = {
  // A path that is cut is noticed by then; the keep-alive keeps the mapping of a router, which forgets UDP after 30 s.
  maxIdleTimeout: 10_000,
  keepAliveInterval: 4_000,
  maxConcurrentStreamLimit: MAX_OPEN_STREAMS,
  // Of all streams of a connection together: 60 that have stopped at 256 KiB do not hold up the others.
  maxConnectionData: 16 * 1024 * 1024,
};

/** For libp2p's `transports`. */
export function quicTransport(options: QuicOptions): (components: QuicComponents) => QuicTransport {
  return (components) => new QuicTransport(components, options);
}

/** QUIC for libp2p: the sockets and TLS of the optional package, with streams of our own. */
export class QuicTransport implements Transport, Startable {
  readonly [transportSymbol] = true;
  readonly [Symbol.toStringTag] = 'relayd/quic';
  readonly [serviceCapabilities]: string[] = ['@libp2p/transport'];
  readonly #inner: Transport & Startable;
  readonly #lookup: LookupFunction;

  constructor({ privateKey, logger }: QuicComponents, { module, windowBytes, lookup }: QuicOptions) {
    // Without libp2p's metrics: the package labels its series with addresses.
    this.#inner = module.quic({ ...SETTINGS, maxStreamData: windowBytes })({ privateKey, logger });
    this.#lookup = lookup;
  }

  start(): void | Promise<void> {
    return this.#inner.start();
  }

  stop(): void | Promise<void> {
    return this.#inner.stop();
  }

  /** A handshake that is given up goes on inside for a while; what comes of it is closed. */
  async dial(addr: Multiaddr, options: DialTransportOptions): Promise<Connection> {
    options.signal.throwIfAborted();
    const resolved = await resolveName(addr, this.#lookup, options.signal);
    return await abortable(this.#inner.dial(resolved, { ...options, upgrader: ownStreams(options.upgrader) }), options.signal);
  }

  createListener(options: CreateListenerOptions): Listener {
    const listener = this.#inner.createListener({ ...options, upgrader: ownStreams(options.upgrader) });
    const [listen, getAddrs] = [listener.listen.bind(listener), listener.getAddrs.bind(listener)];
    let wanted: Multiaddr | undefined;
    listener.listen = async (addr) => {
      await listen(addr);
      wanted = addr;
      takeMoreAtOnce(listener);
    };
    // The package looks at the machine's addresses once, when it is loaded.
    listener.getAddrs = () => {
      const port = portOf(getAddrs()[0]);
      return wanted === undefined || port === undefined ? [] : getThinWaistAddresses(wanted, port).map((addr) => addr.encapsulate('/quic-v1'));
    };
    return listener;
  }

  listenFilter(addrs: Multiaddr[]): Multiaddr[] {
    return addrs.filter((addr) => QUIC_V1.exactMatch(addr));
  }

  dialFilter(addrs: Multiaddr[]): Multiaddr[] {
    return this.listenFilter(addrs);
  }
}

/**
 * The package takes the next connection when the handshake of the last is over: one peer that begins and falls silent would hold up all
 * others until it times out. Each more of its loops takes one more at a time.
 */
function takeMoreAtOnce(listener: Listener & { awaitInboundConnections?: () => Promise<void> }): void {
  for (let loops = 1; loops < HANDSHAKES_AT_ONCE; loops++) {
    void listener.awaitInboundConnections?.();
  }
}

/** `upgrader` for connections of the package, whose streams are replaced by ours. */
function ownStreams(upgrader: Upgrader): Upgrader {
  const replaced = <T extends UpgraderOptions>(options: T): T => ({ ...options, muxerFactory: quicMuxer(nativeOf(options)) });
  return withUpgrades(upgrader, {
    upgradeInbound: async (connection, options) => await upgrader.upgradeInbound(connection, replaced(options)),
    upgradeOutbound: async (connection, options) => {
      options.signal.throwIfAborted();
      return await upgrader.upgradeOutbound(connection, replaced(options));
    },
  });
}

function portOf(addr: Multiaddr | undefined): number | undefined {
  const port = addr?.getComponents().find(({ name }) => name === 'udp')?.value;
  return port === undefined ? undefined : Number(port);
}
