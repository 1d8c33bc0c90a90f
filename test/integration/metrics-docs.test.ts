import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Fleet } from '../support/fleet.ts';

let fleet: Fleet;

before(async () => {
  fleet = await Fleet.create();
});

after(async () => {
  await fleet.stopAll();
});

test('a relay that is in no cluster has no series of one', { timeout: 120_000 }, async () => {
  const { ready } = await fleet.start('alone', { role: 'relay', network: { listen: ['/ip4/127.0.0.1/tcp/0'] } });
  const text = await (await fetch(`${ready.admin}/metrics`)).text();
  assert.match(text, /^relayd_relay_refusals_total\{/m);
  assert.doesNotMatch(text, /relayd_(cluster|forward|gossip)|cluster\./);
});

const OURS = /^(relayd_|libp2p_relaysvc_|libp2p_autorelay_)/;

test('docs/reference/metrics.md names every series of ours with its type, and no other', { timeout: 120_000 }, async () => {
  const tunnels = { forward: [{ listen: '127.0.0.1:0', peer: await fleet.peerId('other'), name: 'web' }] };
  const secretFile = join(fleet.dataDir('other'), 'cluster-secret');
  await writeFile(secretFile, 'c1'.repeat(32), { mode: 0o600 });
  const { ready } = await fleet.start('node', { role: 'both', network: { listen: ['/ip4/127.0.0.1/tcp/0'] }, tunnels, coordination: { backend: 'gossip', secretFile } });
  const text = await (await fetch(`${ready.admin}/metrics`)).text();
  assert.doesNotMatch(text, /127\.0\.0\.1/, 'an address in a label');
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = '', type = '']) => (OURS.test(name) ? [`${name} ${type}`] : []));

  const page = readFileSync(new URL('../../docs/reference/metrics.md', import.meta.url), 'utf8');
  const written = [...page.matchAll(/^\| `(\S+)` \| (\w+) \|/gm)].map(([, name, type]) => `${name} ${type}`);
  assert.deepEqual(new Set(written), new Set(types));
});
