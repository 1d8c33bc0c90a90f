import type { PeerRow } from '../../../../src/lib/contracts.ts';
import type { ClusterNet } from './cluster-net.ts';

/**
 * After a silence TCP sends again what was under way at its begin, but only when its timer says so: it waits twice as long after each time in vain, so that
 * up to as long as the silence itself may pass before it learns that the network is back. No program can make it, at neither end. The kernel says who waits.
 */

/** Peers whose every connection to a relay waits so, at one of its ends: for each relay, in order. */
export async function tcpWaits(net: ClusterNet): Promise<ReadonlySet<string>[]> {
  const atPeers = waitingPorts(sockets(net.home.at), net.home.host);
  return Promise.all(net.relays.map(async (relay, i) => {
    const ports = new Set([...atPeers, ...waitingPorts(sockets(net.relayAt(i)), net.home.host)]);
    if (ports.size === 0) return new Set<string>();
    // One that does not answer has no connection that anybody should wait for.
    const { status, text } = await relay.get('/api/v1/peers').catch(() => ({ status: 0, text: '' }));
    return status === 200 ? waitingPeers(JSON.parse(text) as PeerRow[], net.home.host, ports) : new Set<string>();
  }));
}

function sockets(at: { exec(tool: string, ...args: string[]): string }): string {
  return at.exec('ss', '-tinHO', 'state', 'established');
}

/**
 * Ports of `host` whose connection has something unanswered that was sent again in vain.
 *
 * @param text what `ss -tinHO state established` says, at that end or at the other
 */
export function waitingPorts(text: string, host: string): string[] {
  // Without anything unacknowledged it is a reader who has no room, which is no matter of the network.
  const waiting = text.split('\n').filter((line) => / backoff:[1-9]/.test(line) && / unacked:[1-9]/.test(line));
  return waiting.flatMap((line) => {
    const ends = line.trim().split(/\s+/).slice(2, 4);
    return ends.filter((end) => end.startsWith(`${host}:`)).map((end) => end.slice(host.length + 1));
  });
}

/** @param rows the relay's connections, as its admin server lists them */
export function waitingPeers(rows: readonly Pick<PeerRow, 'peer' | 'addr'>[], host: string, ports: ReadonlySet<string>): Set<string> {
  const isWaiting = ({ addr }: Pick<PeerRow, 'addr'>): boolean => {
    const [, , at, , port] = addr.split('/');
    return at === host && ports.has(port ?? '');
  };
  const alive = new Set(rows.filter((row) => !isWaiting(row)).map(({ peer }) => peer));
  return new Set(rows.filter((row) => isWaiting(row) && !alive.has(row.peer)).map(({ peer }) => peer));
}
