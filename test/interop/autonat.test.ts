import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { until } from '../support/waiting.ts';
import type { OurClient } from './support/our-client.ts';
import { missing } from './support/peers.ts';
import { Scene } from './support/scene.ts';

/** AutoNAT v2 against go-libp2p's, both ways. */

const TIMEOUT = { timeout: 60_000 };
const LISTEN = ['/ip4/127.0.0.1/tcp/0'];

type Peer = Awaited<ReturnType<Scene['peer']>>;

const reachability = (client: OurClient): unknown => (client.node.view.status().client as { reachability: string }).reachability;

describe('AutoNAT v2 with go-libp2p', { skip: missing('go') }, () => {
  test('our relay tells a go peer whether it can be reached', TIMEOUT, async (context) => {
    const scene = new Scene(context);
    const [relay, open, closed] = await Promise.all([scene.relay(), scene.peer('go', { listen: true, args: ['--autonat'] }), scene.peer('go', { args: ['--autonat'] })]);
    await open.run('connect', { addr: relay.addr });
    assert.deepEqual(await askedBy(open, open.addr), { reachability: 'Public', refused: false });
    await closed.run('connect', { addr: relay.addr });
    assert.deepEqual(await askedBy(closed, '/ip4/127.0.0.1/tcp/1'), { reachability: 'Private', refused: false });
  });

  test('our relay dials no other host for a go peer', TIMEOUT, async (context) => {
    const scene = new Scene(context);
    const [relay, peer] = await Promise.all([scene.relay(), scene.peer('go', { args: ['--autonat'] })]);
    await peer.run('connect', { addr: relay.addr });
    assert.deepEqual(await askedBy(peer, '/ip4/127.0.0.2/tcp/1'), { reachability: 'Unknown', refused: true });
  });

  test('a go relay tells our client that it can be reached, which then reserves nothing', TIMEOUT, async (context) => {
    const scene = new Scene(context);
    const relay = await scene.peer('go', { listen: true, args: ['--mode', 'relay', '--autonat'] });
    const client = await scene.client({ relays: [relay.addr], listen: LISTEN });
    await until(() => reachability(client) === 'public' && client.node.addrs.every((addr) => !addr.includes('/p2p-circuit')), 'public, and no circuit announced', 20_000);
  });

  test('a go relay tells our client that it cannot be reached, which pays for a dial to another of its addresses', TIMEOUT, async (context) => {
    const scene = new Scene(context);
    const relay = await scene.peer('go', { listen: true, args: ['--mode', 'relay', '--autonat'] });
    const client = await scene.client({ relays: [relay.addr], listen: LISTEN, announce: ['/ip4/127.0.0.2/tcp/1'] });
    await until(() => reachability(client) === 'private', 'private', 20_000);
    await client.announces(relay.peerId, 15_000);
  });
});

/** What the relay that the go peer is connected to says of `addr`; once the peer has taken in, some time after it has connected, that it can be asked. */
async function askedBy(peer: Peer, addr: string): Promise<object> {
  let answer: object | undefined;
  await until(async () => {
    try {
      const { reachability: found, refused } = await peer.run('reachability', { addr });
      answer = { reachability: found, refused };
    } catch (error) {
      if (!/no peers for autonat v2/.test(String(error))) throw error;
    }
    return answer !== undefined;
  }, 'the go peer to know whom to ask');
  return answer ?? {};
}
