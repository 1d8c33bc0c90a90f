import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { TcpConnection } from '../../../src/transport/native/tcp-connection.ts';
import { silent } from './link-rig.ts';

/** Two connected sockets of the loopback interface. */
export async function rawSocketPair(host = '127.0.0.1'): Promise<[near: Socket, far: Socket]> {
  const server = createServer();
  server.listen(0, host);
  await once(server, 'listening');
  const near = connect((server.address() as AddressInfo).port, host);
  const [[far]] = (await Promise.all([once(server, 'connection'), once(near, 'connect')])) as [[Socket], unknown];
  server.close();
  return [near, far];
}

/** The two ends of a TCP connection, as our transport has them. */
export async function socketPair(host?: string): Promise<[near: TcpConnection, far: TcpConnection]> {
  const [near, far] = await rawSocketPair(host);
  return [new TcpConnection({ socket: near, direction: 'outbound', logger: silent }), new TcpConnection({ socket: far, direction: 'inbound', logger: silent })];
}
