import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { EchoCircuit } from '../support/echo-circuit.ts';
import { Figure } from '../support/figure.ts';
import { ROOMY } from '../support/loss-net.ts';
import type { Relay } from '../support/relay.ts';
import type { Row } from '../support/row.ts';
import type { Scene } from '../support/scene.ts';
import { nowMs } from '../support/time.ts';

/**
 * The file system with the data directory has no byte left: first beside a relay that runs, then when it is killed and started again there. A
 * small one is mounted for the row, where nobody else sees it.
 */

const MINUTE_MS = 60_000;
const ECHO_MS = 1_000;
/** What is slower than the bound is still waited for, to say how slow it was. */
const GIVE_UP_MS = 15_000;

/** A mount that only the process sees which asked for it: needs user namespaces, or root. */
const UNSHARE = ['-rm', 'sh', '-euc'];
/** The mounts last as long as this waits. */
const KEEPER = 'mount -t tmpfs -o size=256k tmpfs "$1"; echo mounted; cat >/dev/null';

export const DISK_FULL: Row = {
  name: 'disk-full',
  title: 'the data directory has no byte left: relaying goes on, the identity stays whole',
  full: { runs: 10, clients: 2 },
  short: { runs: 1, clients: 2 },
  deadlineMs: ({ runs }) => MINUTE_MS + runs * MINUTE_MS,
  skip: () => (spawnSync('unshare', [...UNSHARE, 'mount -t tmpfs tmpfs /mnt']).status === 0 ? false : 'no file system can be mounted here'),
  run,
};

async function run(scene: Scene): Promise<Figure[]> {
  const figures = {
    echoes: new Figure('an echo through an open circuit', 'ms', { max: ECHO_MS }),
    opened: new Figure('reservation and circuit of new peers', 'ms', { max: ECHO_MS }),
    identity: new Figure('identity unchanged, with the disk full and after kill -9 and a start', 'count', { min: 1 }),
  };
  for (let i = 0; i < scene.amount.runs; i++) {
    await oneRun(scene, i, figures);
    Object.values(figures).forEach((figure: Figure) => (figure.runs += 1));
  }
  return Object.values(figures);
}

async function oneRun(scene: Scene, i: number, { echoes, opened, identity }: Record<'echoes' | 'opened' | 'identity', Figure>): Promise<void> {
  const name = `relay-${i}`;
  await scene.fleet.peerId(name);
  const key = await readFile(`${scene.fleet.dataDir(name)}/identity.key`);
  const keeper = await mounted(scene, scene.fleet.dataDir(name));
  await writeFile(keeper.path('identity.key'), key, { mode: 0o600 });
  const relay = await scene.relay({ name, prefix: keeper.enter, root: keeper.root, config: { ...ROOMY, network: { allowPrivate: true } } });
  const circuit = await EchoCircuit.open(relay.addr);
  scene.defer(() => circuit.stop());

  await fill(keeper.path('filler'));
  await timed(echoes, () => circuit.echo(GIVE_UP_MS));
  await timed(opened, () => newPeers(relay));
  identity.add(Number(key.equals(await readFile(keeper.path('identity.key')))));
  await relay.kill();
  await relay.start();
  await timed(opened, () => newPeers(relay));
  identity.add(Number(key.equals(await readFile(keeper.path('identity.key')))));
  await relay.stop();
}

async function newPeers(relay: Relay): Promise<void> {
  const circuit = await EchoCircuit.open(relay.addr);
  try {
    await circuit.echo(GIVE_UP_MS);
  } finally {
    await circuit.stop();
  }
}

async function timed(figure: Figure, work: () => Promise<unknown>): Promise<void> {
  const startMs = nowMs();
  await work().then(
    () => figure.add(nowMs() - startMs),
    (error: Error) => figure.fail(error.message),
  );
}

/** Until not a byte more fits. */
async function fill(file: string): Promise<void> {
  for (let bytes = 64 * 1024; bytes >= 1; bytes = Math.floor(bytes / 2)) {
    while (await writeFile(file, Buffer.alloc(bytes), { flag: 'a' }).then(() => true, () => false));
  }
}

interface Keeper {
  /** Before a program that is to see the mount. */
  enter: string[];
  /** Where those who do not see it find its files. */
  root: string;
  path(name: string): string;
}

async function mounted(scene: Scene, dir: string): Promise<Keeper> {
  const child = spawn('unshare', [...UNSHARE, KEEPER, 'sh', dir], { stdio: ['pipe', 'pipe', 'inherit'] });
  scene.defer(async () => {
    child.stdin.end();
    if (child.exitCode === null) await once(child, 'exit');
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  if (line !== 'mounted') throw new Error(`no file system was mounted: ${line}`);
  const root = `/proc/${child.pid}/root`;
  return { enter: ['nsenter', '-t', String(child.pid), '-U', '-m', '--preserve-credentials', '--'], root, path: (name) => `${root}${dir}/${name}` };
}
