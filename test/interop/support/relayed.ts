import assert from 'node:assert/strict';
import type { Answers } from './answers.ts';
import type { OurClient } from './our-client.ts';
import type { PeerProcess } from './peer-process.ts';

export const MiB = 1024 * 1024;

/** `caller` dials `addr`, must get there through a relay, gets a MiB back unchanged, and pings. */
export async function peerReaches(caller: PeerProcess, peer: string, addr: string, bytes = MiB): Promise<Answers['connect']> {
  const connected = await caller.run('connect', { addr });
  assert.equal(connected.path, 'relay');
  const echoed = await caller.run('echo', { peer, bytes });
  assert.deepEqual({ bytes: echoed.bytes, match: echoed.match }, { bytes, match: true });
  // After the echo: rust-libp2p answers the newest ping stream alone, and a rust caller opens one by itself when it connects.
  const { rttMs } = await caller.run('ping', { peer, count: 2 });
  assert.equal(rttMs.length, 2);
  return connected;
}

/** The same by our client's dialler. */
export async function clientReaches(caller: OurClient, peer: string, addr: string, relay: string, bytes = MiB): Promise<void> {
  const { path, via } = await caller.ping(addr);
  assert.deepEqual({ path, via }, { path: 'relay', via: relay });
  await caller.echo(peer, bytes);
}

/**
 * A peer dials our client and pings it; then our client, which has no echo service, sends a MiB to the peer's over the very
 * circuit at which it was dialled.
 */
export async function peerReachesClient(caller: PeerProcess, client: OurClient, addr: string, relay: string, bytes = MiB): Promise<void> {
  const connected = await caller.run('connect', { addr });
  assert.equal(connected.path, 'relay');
  const { rttMs } = await caller.run('ping', { peer: client.peerId, count: 2 });
  assert.equal(rttMs.length, 2);
  const { path, via } = await client.ping(caller.peerId);
  assert.deepEqual({ path, via }, { path: 'relay', via: relay });
  await client.echo(caller.peerId, bytes);
}
