import { once } from 'node:events';
import { randomBytes } from 'node:crypto';

/** The protocol of the echo command, as in the Go and Rust peers. */
export const ECHO = '/relayd-test/echo/1.0.0';

const PING = '/ipfs/ping/1.0.0';
const PING_BYTES = 32;
const PIECE_BYTES = 65_536;

/**
 * The commands that libp2p 2 and 3 answer alike. What differs comes in: the functions of that version, and `exchange`, which
 * writes the pieces to a stream, ends it and gives what came back.
 *
 * @param {{ node: any, multiaddr: (text: string) => any, peerIdFromString: (text: string) => any, exchange: (stream: any, pieces: Uint8Array[], signal: AbortSignal) => Promise<Uint8Array[]> }} parts
 */
export function peerCommands({ node, multiaddr, peerIdFromString, exchange }) {
  const addrs = () => node.getMultiaddrs().map(String);

  /** On a connection that is there. libp2p's own ping would dial again: it does not take a limited connection for one. */
  const exchangeWith = async (peer, protocol, bytes, signal) => {
    const connection = node.getConnections(peerIdFromString(peer)).findLast(({ status }) => status === 'open');
    if (connection === undefined) throw new Error(`not connected to ${peer}`);
    const start = performance.now();
    const sent = randomBytes(bytes);
    const stream = await connection.newStream([protocol], { signal, runOnLimitedConnection: true });
    const received = Buffer.concat(await exchange(stream, piecesOf(sent), signal));
    return { bytes: received.length, match: sent.equals(received), ms: performance.now() - start };
  };

  return {
    async reserve({ relay }, signal) {
      const relayId = relay.split('/p2p/').at(-1);
      const held = () => addrs().filter((addr) => addr.includes(`/p2p/${relayId}/p2p-circuit`));
      await node.components.transportManager.listen([multiaddr(`${relay}/p2p-circuit`)]);
      while (held().length === 0) await once(node, 'self:peer:update', { signal });
      return { addrs: held() };
    },
    async connect({ addr }, signal) {
      const start = performance.now();
      const connection = await node.dial(multiaddr(addr), { signal });
      return { path: pathOf(connection), limited: connection.limits !== undefined, limits: limitsOf(connection), ms: performance.now() - start };
    },
    async disconnect({ peer }, signal) {
      await node.hangUp(peerIdFromString(peer), { signal });
      return {};
    },
    async connections() {
      return { connections: node.getConnections().map(describe) };
    },
    async addrs() {
      return { addrs: addrs() };
    },
    async ping({ peer, count = 1 }, signal) {
      const rttMs = [];
      for (let i = 0; i < count; i++) rttMs.push((await exchangeWith(peer, PING, PING_BYTES, signal)).ms);
      return { rttMs };
    },
    async echo({ peer, bytes }, signal) {
      return await exchangeWith(peer, ECHO, bytes, signal);
    },
  };
}

function piecesOf(bytes) {
  return Array.from({ length: Math.ceil(bytes.length / PIECE_BYTES) }, (_, i) => bytes.subarray(i * PIECE_BYTES, (i + 1) * PIECE_BYTES));
}

function pathOf(connection) {
  return connection.remoteAddr.toString().includes('/p2p-circuit') ? 'relay' : 'direct';
}

/** Its members are getters that JSON does not see. */
function limitsOf({ limits }) {
  return limits === undefined ? null : { seconds: limits.seconds ?? null, bytes: limits.bytes === undefined ? null : Number(limits.bytes) };
}

function describe(connection) {
  return { peer: connection.remotePeer.toString(), remote: connection.remoteAddr.toString(), direction: connection.direction, security: connection.encryption };
}
