import { describe, test } from 'node:test';
import { missing } from './support/peers.ts';
import { reachedThroughOurRelay, readsOurLimits, servesMembersByPeerId, understandsOurRefusals } from './support/relay-cases.ts';
import { UNLIMITED } from './support/relay-daemon.ts';
import { clientReaches, peerReachesClient } from './support/relayed.ts';
import { Scene } from './support/scene.ts';

/** Stock js-libp2p peers, versions 3 and 2, at our relay and with our client. */

const RESERVED_MS = 15_000;

for (const [kind, other] of [['js3', 'js2'], ['js2', 'js3']] as const) {
  describe(`stock js-libp2p ${kind.slice(2)}`, () => {
    reachedThroughOurRelay(kind, [kind, other, 'go']);
    readsOurLimits(kind);
    understandsOurRefusals(kind);
    servesMembersByPeerId(kind);

    test(`a ${kind} peer reaches our client through our relay`, { timeout: 60_000, skip: missing(kind) }, async (context) => {
      const scene = new Scene(context);
      const relay = await scene.relay({ limits: UNLIMITED });
      const [client, peer] = await Promise.all([scene.client({ relays: [relay.addr] }), scene.peer(kind)]);
      await peerReachesClient(peer, client, await client.announces(relay.peerId, RESERVED_MS), relay.peerId);
    });
  });
}

test("our client reserves at js-libp2p 3's relay and is reached there, and reaches others there", { timeout: 60_000, skip: missing('js3', 'js2') }, async (context) => {
  const scene = new Scene(context);
  const relay = await scene.peer('js3', { listen: true, args: ['--mode', 'relay'] });
  const [client, target, ...callers] = await Promise.all([scene.client({ relays: [relay.addr] }), scene.peer('js3'), scene.peer('js3'), scene.peer('js2')]);
  const addr = await client.announces(relay.peerId, RESERVED_MS);
  for (const caller of callers) {
    await peerReachesClient(caller, client, addr, relay.peerId);
  }
  await target.run('reserve', { relay: relay.addr });
  await clientReaches(client, target.peerId, `${relay.addr}/p2p-circuit/p2p/${target.peerId}`, relay.peerId);
});
