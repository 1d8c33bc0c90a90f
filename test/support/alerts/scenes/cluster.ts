import { mkdirSync, writeFileSync } from 'node:fs';
import { FakeClock, noFakeClock } from '../../../faults/support/fake-clock.ts';
import type { Relay } from '../../../faults/support/relay.ts';
import { available, RedisServer } from '../../stores/redis.ts';
import type { WirePeer } from '../../wire-peer.ts';
import { Again } from '../scene.ts';
import type { Scene } from '../scene.ts';
import type { Stage } from '../stage.ts';

const CONNECT_EVERY_MS = 100;

const RATES = { reservePerPeer: 'unlimited', reservePerPrefix: 'unlimited', connectPerPeer: 'unlimited', connectPerPrefix: 'unlimited' };

function secretFile(stage: Stage, digits: string): string {
  mkdirSync(stage.fleet.dataDir('files'), { recursive: true });
  const file = stage.path(`${digits}.secret`);
  writeFileSync(file, digits.repeat(32), { mode: 0o600 });
  return file;
}

/** A relay of a cluster in which two peers fill a limit. */
function clusterRelay(stage: Stage, name: string, coordination: object, prefix: readonly string[] = []): Promise<Relay> {
  const limits = { reservations: { max: 2 }, rates: RATES };
  return stage.node(name, { role: 'relay', prefix, config: { relay: { limits: { rates: RATES } }, coordination: { secretFile: secretFile(stage, 'ab'), limits, ...coordination } } });
}

async function reserved(stage: Stage, relay: Relay): Promise<WirePeer> {
  const peer = await stage.peer(relay);
  const { status } = await peer.reserve();
  if (status !== 100) throw new Error(`RESERVE was answered ${status}`);
  return peer;
}

export const CLUSTER: Scene = {
  name: 'cluster',
  title: 'of two relays of a cluster one is given other settings, is full, cannot reach a peer, or stands still',
  alerts: ['RelaydClusterRelaysDisagree', 'RelaydClusterLimitNearlyFull', 'RelaydForwardingFails', 'RelaydClusterSplit', 'RelaydClusterRelayGone'],
  async run(stage) {
    const first = await clusterRelay(stage, 'relay-a', { backend: 'gossip' });
    const others = { backend: 'gossip', relays: [first.addr] };
    const second = await clusterRelay(stage, 'relay-b', others);
    await stage.measure(['RelaydClusterRelaysDisagree'], {
      what: 'one of two relays of a cluster is started again with other limits; then with the same',
      break: () => stage.change(second, { coordination: { ...others, secretFile: secretFile(stage, 'ab'), limits: { reservations: { max: 3 } } } }),
      repair: () => stage.change(second, {}),
    });
    const holders: WirePeer[] = [];
    await stage.measure(['RelaydClusterLimitNearlyFull'], {
      what: 'two peers, one at each relay, hold the two reservations that the cluster gives; they leave',
      break: async () => void holders.push(await reserved(stage, first), await reserved(stage, second)),
      repair: () => Promise.all(holders.map((peer) => peer.stop())),
    });
    await measureForwarding(stage, first, second);
    await stage.measure(['RelaydClusterSplit'], {
      what: 'one of two relays is started again with the secret of another cluster; then with its own',
      break: () => stage.change(second, { coordination: { ...others, secretFile: secretFile(stage, 'cd') } }),
      repair: () => stage.change(second, {}),
    });
    await stage.measure(['RelaydClusterRelayGone'], { what: 'one of two relays gets SIGSTOP; then SIGCONT', break: () => second.signal('SIGSTOP'), repair: () => second.signal('SIGCONT') });
  },
};

async function measureForwarding(stage: Stage, first: Relay, second: Relay): Promise<void> {
  const [target, source] = [await reserved(stage, second), await stage.peer(first)];
  target.script = ({ stream }) => stream.abort(new Error('this peer wants no circuit'));
  const calling = new Again(CONNECT_EVERY_MS, async () => (await source.connectTo(target.peerId)).stream.abort(new Error('asked')));
  stage.defer(() => calling.stop());
  await stage.measure(['RelaydForwardingFails'], {
    what: 'a peer of one relay, which the other is asked for ten times a second, takes no circuit; the asking ends',
    break: () => calling.start(),
    repair: () => calling.stop(),
  });
  await Promise.all([target.stop(), source.stop()]);
}

/** More than relays' clocks differ by on any network, and less than what tokens put up with. */
const CLOCK_OFF_SECONDS = 35;

export const CLUSTER_CLOCK: Scene = {
  name: 'cluster-clock',
  title: 'the clock of one of two relays of a cluster is off',
  alerts: ['RelaydClusterClocksDiffer'],
  skip: noFakeClock,
  async run(stage) {
    const first = await clusterRelay(stage, 'relay-a', { backend: 'gossip' });
    const clock = new FakeClock(stage.path('clock'));
    await clusterRelay(stage, 'relay-b', { backend: 'gossip', relays: [first.addr] }, clock.prefix);
    await stage.measure(['RelaydClusterClocksDiffer'], {
      what: `the clock of one of two relays of a cluster is set ${CLOCK_OFF_SECONDS} s ahead; it is set right`,
      break: () => clock.step(CLOCK_OFF_SECONDS),
      repair: () => clock.step(0),
    });
  },
};

export const CLUSTER_STORE: Scene = {
  name: 'cluster-store',
  title: 'the Redis of a cluster stands still',
  alerts: ['RelaydClusterStoreAway'],
  skip: () => available() ?? false,
  async run(stage) {
    const redis = await RedisServer.start();
    stage.defer(() => redis.stop());
    await clusterRelay(stage, 'relay', { backend: 'redis', redis: { url: redis.url } });
    await stage.measure(['RelaydClusterStoreAway'], { what: 'Redis gets SIGSTOP; then SIGCONT', break: () => redis.freeze(), repair: () => redis.thaw() });
  },
};
