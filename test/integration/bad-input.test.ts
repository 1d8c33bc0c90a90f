import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../scripts/lib/processes.ts';
import { Fleet } from '../support/fleet.ts';

/** What a person gets who makes a mistake: the exit code, the place, what is wrong and what would be right; and nothing is lost. */

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const BASE = 'network: {listen: [/ip4/127.0.0.1/tcp/0], allowPrivate: true}\nadmin: {listen: 127.0.0.1:0}\n';
const KEY_BYTES = 68;

let dir: string;
let taken: Server;
let takenPort: number;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'relayd-bad-'));
  taken = createServer();
  taken.listen(0, '127.0.0.1');
  await once(taken, 'listening');
  takenPort = (taken.address() as AddressInfo).port;
});

after(async () => {
  taken.close();
  await rm(dir, { recursive: true, force: true });
});

let runs = 0;

/** `relayd run` with `yaml`, in a data directory of its own. */
async function run(yaml: string, options: { dataDir?: string } = {}): Promise<{ exit: string; output: string; file: string; dataDir: string }> {
  const dataDir = options.dataDir ?? join(dir, `data-${++runs}`);
  const file = join(dir, `config-${runs}.yaml`);
  await writeFile(file, yaml.includes('dataDir') ? yaml : `${yaml}dataDir: ${dataDir}\n`);
  const { exit, output } = await runCommand(process.execPath, [MAIN, 'run', '--config', file], { timeoutMs: 30_000 });
  return { exit, output, file, dataDir };
}

interface Mistake {
  name: string;
  yaml: string;
  exit: number;
  /** What the message must say; FILE stands for the config file. */
  says: RegExp;
}

const MISTAKES: Mistake[] = [
  { name: 'a key that there is not, near one that there is', yaml: `${BASE}relay: {limts: {}}\n`, exit: 78, says: /FILE:3:9: relay\.limts: unknown key; did you mean relay\.limits\?/ },
  { name: 'a number without its unit', yaml: `${BASE}relay: {limits: {reservations: {ttl: 60}}}\n`, exit: 78, says: /FILE:3:\d+: relay\.limits\.reservations\.ttl: 60 has no unit; add a unit, such as/ },
  { name: 'a unit of another kind', yaml: `${BASE}relay: {limits: {circuits: {bytesPerDirection: 2m}}}\n`, exit: 78, says: /FILE:3:\d+: relay\.limits\.circuits\.bytesPerDirection: .*; / },
  { name: 'a value of another type', yaml: `${BASE}relay: {open: [maybe]}\n`, exit: 78, says: /FILE:3:\d+: relay\.open: .*; .*true/ },
  { name: 'a malformed multiaddr', yaml: 'network: {listen: [/ip4/127.0.0.1/tpc/1]}\n', exit: 78, says: /FILE:1:\d+: network\.listen\[0\]: .* is not a multiaddr; / },
  { name: 'a named file that is missing', yaml: `${BASE}admin: {tokenFile: nowhere}\n`.replace('admin: {listen: 127.0.0.1:0}\n', ''), exit: 78, says: /FILE:2:\d+: admin\.tokenFile: .*nowhere.*; / },
  { name: 'a key that stands twice', yaml: `${BASE}drain: {timeout: 1s}\ndrain: {timeout: 2s}\n`, exit: 78, says: /FILE:4:1: drain: .*(twice|duplicate|again).*; /i },
  { name: 'broken YAML', yaml: `${BASE}relay: {limits: [\n`, exit: 78, says: /FILE:\d+:\d+: / },
  { name: 'a cluster without a secret', yaml: `${BASE}profile: tier3\n`, exit: 78, says: /FILE:3:10: profile: .*coordination\.secretFile is not set; .*openssl rand -hex 32/ },
];

describe('relayd run says what is wrong, where, and what would be right', () => {
  for (const { name, yaml, exit, says } of MISTAKES) {
    test(name, async () => {
      const result = await run(yaml);
      assert.equal(result.exit, `exit code ${exit}`, result.output);
      assert.match(result.output.replaceAll(result.file, 'FILE'), says);
      assert.doesNotMatch(result.output, /\n\s+at /, 'a stack is not for people');
    });
  }

  test('every mistake at once, each on a line', async () => {
    const { output, file } = await run('relay: {open: 7, limts: 1}\nnetwork: {listen: [x]}\n');
    const lines = output.trim().split('\n').filter((line) => line.startsWith(file));
    assert.equal(lines.length, 3, output);
  });
});

describe('what stands in the way outside the config', () => {
  test('a port in use: which, and under which key', async () => {
    const listen = `/ip4/127.0.0.1/tcp/${takenPort}`;
    const { exit, output } = await run(`network: {listen: [${listen}], allowPrivate: true}\nadmin: {listen: 127.0.0.1:0}\n`);
    assert.equal(exit, 'exit code 1', output);
    assert.match(output, new RegExp(`network\\.listen: ${listen}: the port is in use`));
  });

  test('the port of the admin server in use', async () => {
    const { exit, output } = await run(`network: {listen: [/ip4/127.0.0.1/tcp/0], allowPrivate: true}\nadmin: {listen: 127.0.0.1:${takenPort}}\n`);
    assert.equal(exit, 'exit code 1', output);
    assert.match(output, new RegExp(`admin\\.listen.*127\\.0\\.0\\.1:${takenPort}|127\\.0\\.0\\.1:${takenPort}.*admin\\.listen`));
  });

  test('a data directory that another daemon uses', async () => {
    const fleet = await Fleet.create();
    try {
      await fleet.start('first', { role: 'relay', network: { listen: ['/ip4/127.0.0.1/tcp/0'] } });
      const { exit, output } = await run(BASE, { dataDir: fleet.dataDir('first') });
      assert.equal(exit, 'exit code 1', output);
      assert.match(output, /dataDir: .* is used by a daemon that runs \(process \d+\); /);
    } finally {
      await fleet.stopAll();
    }
  });

  test('no data directory that a killed daemon used: the next one takes it', async () => {
    const fleet = await Fleet.create();
    try {
      const { ready } = await fleet.start('killed', { role: 'relay', admin: { listen: `unix:${join(dir, 'killed.sock')}` } });
      await fleet.kill('killed');
      assert.equal(await readlink(join(fleet.dataDir('killed'), 'lock')).then((text) => text.split(':')[0]), String(ready.pid));
      assert.equal((await fleet.start('killed')).ready.peerId, ready.peerId);
      assert.equal(await fleet.stop('killed'), 'exit code 0');
      assert.deepEqual(await readdir(fleet.dataDir('killed')), ['identity.key']);
    } finally {
      await fleet.stopAll();
    }
  });

  test('a data directory where none can be made', async () => {
    const { exit, output } = await run(BASE, { dataDir: '/proc/relayd/state' });
    assert.equal(exit, 'exit code 78', output);
    assert.match(output, /dataDir: \/proc\/relayd\/state is not a folder that relayd can write to; /);
  });

  test('a data directory that is a file', async () => {
    const dataDir = join(dir, 'a-file');
    await writeFile(dataDir, 'mine');
    const { exit, output } = await run(BASE, { dataDir });
    assert.equal(exit, 'exit code 78', output);
    assert.match(output, /dataDir: .*a-file.* is not a folder that relayd can write to; /);
    assert.equal(await readFile(dataDir, 'utf8'), 'mine');
  });

  test('an identity that others may read: refused, with the command that helps', async () => {
    const { dataDir, keyFile, bytes } = await identityOf('readable');
    await chmod(keyFile, 0o644);
    const { exit, output } = await run(BASE, { dataDir });
    assert.equal(exit, 'exit code 78', output);
    assert.match(output, /identity\.keyFile: .* has mode 0644.*chmod 600/);
    assert.deepEqual(await readFile(keyFile), bytes);
  });

  test('a damaged identity: refused and left as it is', async () => {
    const { dataDir, keyFile, bytes } = await identityOf('damaged');
    await writeFile(keyFile, bytes.subarray(0, 20));
    const { exit, output } = await run(BASE, { dataDir });
    assert.equal(exit, 'exit code 78', output);
    assert.match(output, /identity\.keyFile: .*\(20 bytes\) does not hold a libp2p private key; restore it from a backup/);
    assert.deepEqual(await readFile(keyFile), bytes.subarray(0, 20));
  });
});

async function identityOf(name: string): Promise<{ dataDir: string; keyFile: string; bytes: Buffer }> {
  const dataDir = join(dir, name);
  const keyFile = join(dataDir, 'identity.key');
  await mkdir(dataDir, { mode: 0o700 });
  const { exit, output } = await runCommand(process.execPath, [MAIN, 'key', 'new', '--set', `dataDir=${dataDir}`], { timeoutMs: 30_000 });
  assert.equal(exit, 'exit code 0', output);
  const bytes = await readFile(keyFile);
  assert.equal(bytes.byteLength, KEY_BYTES);
  return { dataDir, keyFile, bytes };
}
