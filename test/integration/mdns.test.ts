import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { Daemon } from '../../scripts/lib/daemon.ts';
import { runCommand } from '../../scripts/lib/processes.ts';
import type { CandidateRow } from '../../src/lib/contracts.ts';
import { Lab } from '../support/netns/lab.ts';
import type { Namespace } from '../support/netns/namespace.ts';
import { noNamespaces } from '../support/netns/why-not.ts';
import { until } from '../support/waiting.ts';

/** Two machines on one cable, in namespaces of this test: no multicast leaves them. */

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const PATIENCE_MS = 40_000;

describe('mDNS', { skip: noNamespaces(), timeout: 120_000 }, () => {
  let lab: Lab;
  let dir: string;
  const daemons: Daemon[] = [];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'relayd-mdns-'));
    lab = new Lab();
  });

  after(async () => {
    await Promise.all(daemons.map((daemon) => daemon.stop()));
    lab.close();
    await rm(dir, { recursive: true, force: true });
  });

  /** The admin server is at a socket in the file system, which the namespaces share. */
  async function start(name: string, where: Namespace, config: object): Promise<Daemon> {
    const configFile = join(dir, `${name}.yaml`);
    const dataDir = join(dir, name);
    await writeFile(configFile, stringify({ ...config, discovery: { mdns: true }, dataDir, admin: { listen: `unix:${join(dir, `${name}.sock`)}` }, log: { format: 'json' } }));
    const daemon = new Daemon({ name, command: where.command([process.execPath, MAIN]), configFile, dataDir });
    daemons.push(daemon);
    await daemon.ready();
    return daemon;
  }

  async function relaysOf(name: string): Promise<CandidateRow[]> {
    const { stdout } = await runCommand(process.execPath, [MAIN, 'relays', '--json', '--config', join(dir, `${name}.yaml`)], { timeoutMs: 20_000 });
    return JSON.parse(stdout) as CandidateRow[];
  }

  it('leads a client to a relay in the local network, which is told nothing of either', async () => {
    const [left, right] = [lab.host('left'), lab.host('right')];
    lab.cable(left, '10.77.0.1', right, '10.77.0.2');
    left.defaultRoute('10.77.0.2');
    right.defaultRoute('10.77.0.1');
    await start('relay', left, { role: 'relay', network: { listen: ['/ip4/0.0.0.0/tcp/4001'], allowPrivate: true } });
    await start('client', right, { role: 'client', network: { listen: [], allowPrivate: true } });
    let rows: CandidateRow[] = [];
    await until(async () => (rows = await relaysOf('client')).some(({ state }) => state === 'reserved'), 'a reservation', PATIENCE_MS).catch(() => assert.fail(JSON.stringify(rows)));
    assert.deepEqual(rows.map(({ source, addr }) => [source, addr.startsWith('/ip4/10.77.0.1/tcp/4001/')]), [['mdns', true]]);
  });
});
