import type { Connection, Stream, StreamHandler } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { Clock } from '../../src/lib/clock.ts';
import { DIRECTORY_PROTOCOL } from '../../src/lib/directory/protocol.ts';
import { DirectoryEndpoint } from '../../src/lib/directory/endpoint.ts';
import type { DirectoryHost } from '../../src/lib/directory/endpoint.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { makePeerIds } from './peer-ids.ts';
import { yamuxPair } from './yamux-pair.ts';

class Handlers implements DirectoryHost {
  readonly handlers = new Map<string, StreamHandler>();

  async handle(protocol: string, handler: StreamHandler): Promise<void> {
    this.handlers.set(protocol, handler);
  }

  async unhandle(protocol: string): Promise<void> {
    this.handlers.delete(protocol);
  }
}

export interface DirectoryPair {
  /** The side that opens streams, and the one whose handler they reach. */
  readonly near: DirectoryEndpoint;
  readonly far: DirectoryEndpoint;
  /** The connection as the near side has it. */
  readonly connection: Connection;
  /** Opens a stream to the far side by hand. */
  open(): Promise<Stream>;
  /** The far side's ends of the streams so far. */
  readonly arrived: Stream[];
}

/** Two endpoints over one connection in memory; what the connection says of itself may be set. */
export async function directoryPair(clock: Clock, about: { near?: Partial<Connection>; far?: Partial<Connection> } = {}): Promise<DirectoryPair> {
  const hosts = [new Handlers(), new Handlers()] as const;
  const [near, far] = hosts.map((host) => new DirectoryEndpoint({ host, clock, log: silentLogger })) as [DirectoryEndpoint, DirectoryEndpoint];
  await near.start();
  await far.start();
  const [nearPeer, farPeer] = await makePeerIds(2);
  const muxers = yamuxPair();
  const arrived: Stream[] = [];
  const base = { remoteAddr: multiaddr('/ip4/192.0.2.7/tcp/1'), status: 'open' };
  const farConnection = { ...base, remotePeer: nearPeer, ...about.far } as Connection;
  const open = async (): Promise<Stream> => {
    const [stream, inner] = await muxers.open();
    arrived.push(inner);
    void hosts[1].handlers.get(DIRECTORY_PROTOCOL)?.(inner, farConnection);
    return stream;
  };
  const connection = { ...base, remotePeer: farPeer, newStream: open, ...about.near } as unknown as Connection;
  return { near, far, connection, open, arrived };
}
