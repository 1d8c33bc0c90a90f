import type { ComponentLogger, Transport, Upgrader } from '@libp2p/interface';
import type { Clock } from '../lib/clock.ts';
import type { HolePuncher } from '../lib/contracts.ts';
import { TcpPuncher } from './native/tcp-puncher.ts';
import { TcpTransport } from './native/tcp.ts';
import { QuicPuncher } from './quic/puncher.ts';
import { QuicTransport } from './quic/transport.ts';

interface PuncherOptions {
  upgrader: Upgrader;
  logger: ComponentLogger;
  clock: Clock;
}

/** What holes can be punched with over `transports`, those of one node; QUIC's come first, as more routers let them through. */
export function holePunchers(transports: readonly Transport[], options: PuncherOptions): HolePuncher[] {
  const quic = transports.filter((transport) => transport instanceof QuicTransport).map((transport) => new QuicPuncher({ ...options, transport }));
  const tcp = transports.filter((transport) => transport instanceof TcpTransport && transport.sharesPorts).map((transport) => new TcpPuncher({ ...options, localPortTo: (addr) => (transport as TcpTransport).localPortTo(addr) }));
  return [...quic, ...tcp];
}
