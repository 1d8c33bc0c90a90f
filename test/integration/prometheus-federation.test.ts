import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { Fleet } from '../support/fleet.ts';
import { freePort } from '../support/free-port.ts';
import { Prometheus, prometheusMissing } from '../support/prometheus.ts';
import { until } from '../support/waiting.ts';
import { WirePeer } from '../support/wire-peer.ts';

/** Two relays of a cluster, a Prometheus beside each as configs/prometheus has it, and one that takes from both: prometheus-federation.yaml. */

const TIMEOUT = { timeout: 120_000 };
const WAIT_MS = 60_000;

describe('a Prometheus for the whole cluster', { skip: prometheusMissing() }, () => {
  const own: Prometheus[] = [];
  const addrs: string[] = [];
  let fleet: Fleet;
  let whole: Prometheus;

  before(async () => {
    fleet = await Fleet.create();
    await writeFile(fleet.configFile('secret'), 'ab'.repeat(32), { mode: 0o600 });
    for (const name of ['a', 'b']) {
      const address = `127.0.0.1:${await freePort()}`;
      const { ready } = await fleet.start(name, { role: 'relay', network: { listen: ['/ip4/127.0.0.1/tcp/0'], allowPrivate: true }, admin: { listen: address }, coordination: { backend: 'gossip', secretFile: fleet.configFile('secret'), relays: addrs.slice(0, 1) } });
      addrs.push(ready.addrs[0] ?? '');
      const prometheus = await Prometheus.start();
      own.push(prometheus);
      prometheus.watch([{ address, role: 'relay' }]);
    }
    whole = await Prometheus.start('prometheus-federation.yaml');
    whole.watchGroups(own.map(({ url }, i) => ({ targets: [url.replace('http://', '')], labels: { relay: `relay-${'ab'[i]}`, cluster: 'example' } })));
  }, TIMEOUT);

  after(async () => {
    await Promise.all([...own, whole].map((prometheus) => prometheus?.stop()));
    await fleet.stopAll();
  });

  /** The values of an expression, by the label that tells them apart, when they are these. */
  async function untilSays(expression: string, label: string, expected: Record<string, number>): Promise<void> {
    let found: Record<string, number> = {};
    const isSo = async (): Promise<boolean> => {
      found = Object.fromEntries((await whole.query(expression)).map(({ metric, value }) => [metric[label] ?? '', value]));
      return isDeepStrictEqual(found, expected);
    };
    await until(isSo, `${expression} to be ${JSON.stringify(expected)}`, WAIT_MS).catch((error: unknown) => assert.fail(`${(error as Error).message}, not ${JSON.stringify(found)}`));
  }

  it('knows each relay by its name, once, and what each of them sees', TIMEOUT, async () => {
    await untilSays('sum by (instance) (up{job="relayd"})', 'instance', { 'relay-a': 1, 'relay-b': 1 });
    await untilSays('sum by (instance) (relayd_cluster_relays{cluster="example", role="relay"})', 'instance', { 'relay-a': 2, 'relay-b': 2 });
    await untilSays('cluster:relayd_cluster_relays:watched', 'cluster', { example: 2 });
  });

  it('counts a circuit over two relays once', TIMEOUT, async (t) => {
    const [target, source] = [await WirePeer.start(), await WirePeer.start()];
    t.after(() => Promise.all([target.stop(), source.stop()]));
    await target.connect(addrs[0] ?? '');
    assert.equal((await target.reserve()).status, 100);
    await source.connect(addrs[1] ?? '');
    await until(async () => {
      const { status, stream } = await source.connectTo(target.peerId);
      if (status !== 100) stream.abort(new Error('not yet'));
      return status === 100;
    }, 'the second relay to know of the reservation', WAIT_MS);
    await untilSays('sum by (instance) (relayd_relay_circuits)', 'instance', { 'relay-a': 1, 'relay-b': 1 });
    await untilSays('cluster:relayd_circuits:sum', 'cluster', { example: 1 });
    await untilSays('sum by (cluster) (cluster_class:relayd_relay_reservations:sum)', 'cluster', { example: 1 });
  });
});
