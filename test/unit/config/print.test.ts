import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { parse, stringify } from 'yaml';
import { printConfig } from '../../../src/config/index.ts';
import { KEYS } from '../../../src/config/schema.ts';
import { coveredKeys, rightConfig } from './arbitrary.ts';
import { fileIn, folder, load, PEERS } from './helpers.ts';

const STORES = ['redis', 'etcd'];
const FILES = ['passwordFile', 'tls.caFile', 'tls.certFile', 'tls.keyFile'];

const KINDS = [
  { origin: false, json: false },
  { origin: true, json: false },
  { origin: false, json: true },
];

describe('printConfig', () => {
  it('prints what loads again to the same config, from another folder', (t) => {
    const [from, to] = [folder(t), folder(t)];
    fc.assert(
      fc.property(rightConfig, (written) => {
        const first = load({ file: fileIn(from, 'relayd.yaml', stringify(written)) });
        for (const options of KINDS) {
          const again = load({ file: fileIn(to, 'printed.yaml', printConfig(first, options)), defaultDataDir: '/elsewhere' });
          assert.deepEqual(again.config, first.config);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('is tried with every key that has more than one value and names no file', () => {
    const fixed = ['coordination.backend', 'coordination.secretFile', ...STORES.flatMap((store) => FILES.map((file) => `coordination.${store}.${file}`)), 'coordination.redis.sentinelPasswordFile', 'profile', 'network.swarmKeyFile', 'network.websocket.certFile', 'network.websocket.keyFile', 'relay.asnFile', 'realm.tokenFile', 'admin.tokenFile', 'connections.low', 'connections.high', 'client.probe.timeout'];
    const choosable = KEYS.filter(({ name }) => !fixed.includes(name));
    assert.equal(coveredKeys, choosable.length);
  });

  it('prints every key, in the order of the schema', () => {
    const names = (tree: object, above: string): string[] => Object.entries(tree).flatMap(([name, value]) => (value !== null && typeof value === 'object' && !Array.isArray(value) ? names(value, `${above}${name}.`) : [`${above}${name}`]));
    assert.deepEqual(names(parse(printConfig(load({}), KINDS[0]!)), ''), KEYS.map(({ name }) => name));
  });

  it('writes values as a person does, and says who set each', (t) => {
    const path = folder(t);
    const file = fileIn(path, 'relayd.yaml', `role: client\nrelay:\n  limits:\n    circuits: {duration: 120s}\nrealm:\n  members:\n    - ${PEERS[0]}\n    - ${PEERS[1]}\n`);
    const printed = printConfig(load({ file, set: ['connections.max=100'], env: { RELAYD_LOG__LEVEL: 'debug' } }), { origin: true, json: false });
    for (const line of [
      'profile: tier1 # default',
      `role: client # ${file}:1`,
      'dataDir: /var/lib/relayd # default',
      '  listen: [] # profile tier1',
      '  swarmKeyFile: # default',
      '  max: 100 # --set',
      '  high: 100 # default, lowered to connections.max',
      `      duration: 2m # ${file}:4`,
      '      bytesPerDirection: 128KiB # default',
      '      total: unlimited # default',
      '  desired: 1 # profile tier1',
      '  level: debug # environment RELAYD_LOG__LEVEL',
    ]) {
      assert.ok(printed.includes(`\n${line}\n`) || printed.startsWith(`${line}\n`), line);
    }
    assert.ok(printed.includes(`  members: # ${file}:6\n    - ${PEERS[0]}\n    - ${PEERS[1]}\n`));
  });

  it('has a flat JSON form with origins', () => {
    const printed = JSON.parse(printConfig(load({ set: ['drain.timeout=90s'] }), { origin: true, json: true })) as Record<string, unknown>;
    assert.deepEqual(printed['drain.timeout'], { value: '90s', origin: '--set' });
    assert.deepEqual(printed['relay.prefixes.ipv6'], { value: [56, 48], origin: 'default' });
    assert.deepEqual(printed['realm.name'], { value: null, origin: 'default' });
    assert.equal(Object.keys(printed).length, KEYS.length);
  });

  it('prints the names of secret files and nothing of what is in them', (t) => {
    const path = folder(t);
    const secret = 'correct-horse-battery-staple';
    fileIn(path, 'token', secret);
    fileIn(path, 'swarm.key', `/key/swarm/psk/1.0.0/\n/base16/\n${'ab'.repeat(32)}`);
    const loaded = load({ file: fileIn(path, 'relayd.yaml', 'admin: {tokenFile: token}\nnetwork: {swarmKeyFile: swarm.key}\n') });
    for (const options of [...KINDS, { origin: true, json: true }]) {
      const printed = printConfig(loaded, options);
      assert.ok(printed.includes(join(path, 'token')));
      assert.ok(!printed.includes(secret) && !printed.includes('abab'));
    }
  });

  it('keeps a file name with a line break out of the next line', (t) => {
    const path = folder(t);
    const file = fileIn(path, 'a\nrole: both.yaml', 'role: client\n');
    const printed = printConfig(load({ file }), { origin: true, json: false });
    assert.equal((parse(printed) as { role: string }).role, 'client');
  });
});
