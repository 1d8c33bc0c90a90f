import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { errorMessage } from '../src/lib/errors.ts';
import type { CircuitRow, TunnelRow } from '../src/lib/contracts.ts';
import { Daemon } from './lib/daemon.ts';
import { startService } from './lib/service.ts';
import type { Service } from './lib/service.ts';
import { configOf, makeMember, relaydCommand } from './lib/quickstart-config.ts';
import type { Member } from './lib/quickstart-config.ts';

/**
 * The program behind `scripts/quickstart`: a relay and two clients as processes of their own, on loopback. Neither client listens, and
 * neither knows the other's address: all they have is the relay. A web page that only client A can reach is then fetched at client B.
 */

const USAGE = `usage: scripts/quickstart [--once]

  --once   exit after the proof: 0, or 1 with the reason`;

const EXIT_USAGE = 64;

/** A circuit counts its bytes as they pass; how long the relay's list may lag behind. */
const CIRCUIT_WAIT_MS = 5_000;
const FETCH_WAIT_MS = 20_000;
const FETCH_TIMEOUT_MS = 5_000;
const POLL_MS = 100;

interface Scene {
  relay: Daemon;
  a: Daemon;
  b: Daemon;
  /** Where client B offers the page of client A. */
  tunnelUrl: string;
  files: Record<'relay' | 'a' | 'b', string>;
}

async function main(): Promise<number> {
  const values = readArguments();
  if (values === undefined) {
    return EXIT_USAGE;
  }
  if (values.help === true) {
    console.log(USAGE);
    return 0;
  }
  const daemons: Daemon[] = [];
  const signal = stopSignal(daemons);
  const dir = await mkdtemp(join(tmpdir(), 'relayd-quickstart-'));
  const service = await startService();
  try {
    const scene = await Promise.race([play({ dir, service, daemons, signal }), untilAborted(signal)]);
    await (scene === undefined || values.once === true ? undefined : stayUp(scene, signal));
    return 0;
  } catch (error) {
    console.error(`\nThe quickstart failed: ${errorMessage(error)}`);
    return 1;
  } finally {
    console.log('Stopping everything …');
    await Promise.all(daemons.map((daemon) => daemon.stop()));
    service.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

/** `undefined` for what is no option of this program, which has been said then. */
function readArguments(): { once?: boolean; help?: boolean } | undefined {
  try {
    return parseArgs({ options: { once: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } }).values;
  } catch (error) {
    console.error(`quickstart: ${errorMessage(error)}\n\n${USAGE}`);
    return undefined;
  }
}

/** Aborts at the first Ctrl-C; a second one does not wait for the daemons to drain. */
function stopSignal(daemons: readonly Daemon[]): AbortSignal {
  const stop = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) {
      daemons.forEach((daemon) => daemon.signal('SIGKILL'));
    }
    stop.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal).on('SIGHUP', onSignal);
  return stop.signal;
}

/** Starts everything and proves that it works; what is started is in `daemons` at once, so that the caller can stop it. */
async function play({ dir, service, daemons, signal }: { dir: string; service: Service; daemons: Daemon[]; signal: AbortSignal }): Promise<Scene> {
  console.log('Making three identities …');
  const [relay, a, b] = await Promise.all([makeMember(dir, 'relay'), makeMember(dir, 'client-a'), makeMember(dir, 'client-b')]);
  const start = async (member: Member, config: object): Promise<Daemon> => {
    const configFile = await member.write(config);
    signal.throwIfAborted();
    const daemon = new Daemon({ name: member.name, command: relaydCommand, configFile, dataDir: member.dataDir, ownGroup: true });
    daemons.push(daemon);
    const { peerId, addrs } = await daemon.ready();
    console.log(`  ${member.name} runs: ${peerId}${addrs.length === 0 ? ', no address of its own yet' : ` at ${addrs.join(' ')}`}`);
    return daemon;
  };
  console.log('Starting the relay, then the two clients, which know only the relay …');
  const relayDaemon = await start(relay, configOf.relay({ members: [a.peerId, b.peerId] }));
  const relayAddr = firstAddr(await relayDaemon.ready());
  const aDaemon = await start(a, configOf.exposing({ relayAddr, service, allow: b.peerId }));
  const bDaemon = await start(b, configOf.forwarding({ relayAddr, peer: a.peerId }));
  const scene: Scene = { relay: relayDaemon, a: aDaemon, b: bDaemon, tunnelUrl: await forwardedUrl(bDaemon), files: { relay: relay.configFile, a: a.configFile, b: b.configFile } };
  await prove(scene, service, a.peerId, b.peerId);
  return scene;
}

function firstAddr({ addrs }: { addrs: string[] }): string {
  const [addr] = addrs;
  if (addr === undefined) {
    throw new Error('the relay named no address in its ready line');
  }
  return addr;
}

async function forwardedUrl(b: Daemon): Promise<string> {
  const forward = (await b.get<TunnelRow[]>('/api/v1/tunnels')).find((row) => row.kind === 'forward');
  if (forward === undefined) {
    throw b.failure('lists no forward');
  }
  return `http://${forward.local}/`;
}

/** Fetches the page through the tunnel, and finds its bytes in the relay's list of circuits. */
async function prove(scene: Scene, service: Service, target: string, source: string): Promise<void> {
  console.log(`Fetching ${scene.tunnelUrl} (client B), which leads to ${service.url} (client A) …`);
  const page = await fetchThrough(scene);
  if (page !== service.page || service.requests === 0) {
    throw new Error(`the tunnel gave another page than the service serves: ${page.slice(0, 200)}`);
  }
  const bytes = Buffer.byteLength(page);
  console.log(`  the page came: ${bytes} bytes, the ones that the service sent`);
  const circuit = await findCircuit(scene.relay, { source, target, bytes });
  console.log(`  the relay carried them: circuit ${circuit.id}, ${circuit.bytesToTarget} bytes to client A, ${circuit.bytesToSource} bytes to client B`);
}

/** Client A may still be about to reserve: until then a connection to the tunnel is closed without an answer. */
async function fetchThrough(scene: Scene): Promise<string> {
  const until = performance.now() + FETCH_WAIT_MS;
  for (;;) {
    try {
      const response = await fetch(scene.tunnelUrl, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
      return await response.text();
    } catch (error) {
      if (performance.now() > until) {
        throw scene.b.failure(`gave no page within ${FETCH_WAIT_MS / 1000} s (${errorMessage(error)})`);
      }
      await sleep(POLL_MS);
    }
  }
}

async function findCircuit(relay: Daemon, wanted: { source: string; target: string; bytes: number }): Promise<CircuitRow> {
  const until = performance.now() + CIRCUIT_WAIT_MS;
  for (;;) {
    const circuits = await relay.get<CircuitRow[]>('/api/v1/circuits');
    const found = circuits.find((row) => row.source === wanted.source && row.target === wanted.target && row.bytesToSource >= wanted.bytes);
    if (found !== undefined) {
      return found;
    }
    if (performance.now() > until) {
      throw relay.failure(`lists no circuit between the clients that carried ${wanted.bytes} bytes: ${JSON.stringify(circuits)}`);
    }
    await sleep(POLL_MS);
  }
}

async function stayUp({ relay, a, b, tunnelUrl, files }: Scene, signal: AbortSignal): Promise<void> {
  const relayd = quoted(relative(process.cwd(), relaydCommand[0]));
  console.log(`
It works. Everything stays up until Ctrl-C; meanwhile, in another terminal:
  open ${(await relay.ready()).admin}/ in a browser: the relay's status page
  curl ${tunnelUrl}
  ${relayd} circuits --config ${files.relay}
  ${relayd} reservations --config ${files.relay}
  ${relayd} relays --config ${files.a}
  ${relayd} ping ${(await a.ready()).peerId} --fresh --config ${files.b}`);
  const died = await Promise.race([untilAborted(signal), ...[relay, a, b].map(async (daemon) => (await daemon.ended, daemon))]);
  if (died !== undefined) {
    throw died.failure(`ended by itself with ${died.exit}`);
  }
}

/** For a shell, if it needs that. */
function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path}'`;
}

async function untilAborted(signal: AbortSignal): Promise<undefined> {
  if (!signal.aborted) {
    await once(signal, 'abort');
  }
}

process.exitCode = await main();
