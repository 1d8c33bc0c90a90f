import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { Daemon } from '../../scripts/lib/daemon.ts';
import { runCommand } from '../../scripts/lib/processes.ts';
import { Nodes, untilHolds } from '../support/nodes.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = join(ROOT, 'src/main.ts');
const FIXTURES = join(ROOT, 'test/support/go-relay-daemon');
const COMMAND_TIMEOUT_MS = 30_000;

/** The peer ids that go-libp2p gives the keys. */
const IDENTITIES = { ed25519: '12D3KooWBmUWfwQTPQf8i6wDJKHoJgGVM6HsEMrEjPzttVatc8R4', rsa: 'QmVxJnSgMdvu2cxfkRyS1eZDDuyUUUsGxzQ4sDAJfJHZZa' };

describe('a relay that was moved over from the Go daemon', () => {
  let dir: string;
  const clients = new Nodes();

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'relayd-moved-'));
  });

  after(async () => {
    await clients.stopAll();
    await rm(dir, { recursive: true, force: true });
  });

  for (const [type, peerId] of Object.entries(IDENTITIES)) {
    test(`runs as the same peer, with a key of type ${type}, and clients reserve at the address they knew`, async (t) => {
      const place = join(dir, type);
      const configFile = join(place, 'relay.yaml');
      const old = join(dir, `${type}.json`);
      await writeFile(old, '{"Network": {"ListenAddrs": ["/ip4/127.0.0.1/tcp/0"]}, "RelayV2": {"Resources": {"MaxReservations": 3}}}');
      const moved = await runCommand(process.execPath, [MAIN, 'migrate', old, '--identity', join(FIXTURES, `${type}.identity`), '--config', configFile, '--data-dir', place, '--yes'], { timeoutMs: COMMAND_TIMEOUT_MS });
      assert.equal(moved.exit, 'exit code 0', moved.output);
      await toLoopback(configFile);

      const daemon = new Daemon({ name: 'relay', command: [process.execPath, MAIN], configFile, dataDir: place });
      t.after(() => daemon.stop());
      const ready = await daemon.ready();
      assert.equal(ready.peerId, peerId);
      const client = await clients.start(`client-${type}`, { role: 'client', client: { relays: ready.addrs } });
      assert.deepEqual(await untilHolds(client, 1), [peerId]);
      const { relay } = await daemon.get<{ relay: { reservations: { count: number; max: number } } }>('/api/v1/status');
      assert.deepEqual({ count: relay.reservations.count, max: relay.reservations.max }, { count: 1, max: 3 });
    });
  }
});

/** What a test on one machine needs beside what was moved. */
async function toLoopback(configFile: string): Promise<void> {
  const config = parse(await readFile(configFile, 'utf8')) as { network: object };
  await writeFile(configFile, stringify({ ...config, network: { ...config.network, allowPrivate: true }, admin: { listen: '127.0.0.1:0' } }));
}
