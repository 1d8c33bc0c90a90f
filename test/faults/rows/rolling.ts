import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { ClusterView } from '../../../src/lib/contracts.ts';
import type { Clients } from '../support/clients.ts';
import { settled } from '../support/cluster/settle.ts';
import { EchoTunnel } from '../support/echo-tunnel.ts';
import { Figure } from '../support/figure.ts';
import { HeldLog } from '../support/held-log.ts';
import { ROOMY } from '../support/loss-net.ts';
import type { Relay } from '../support/relay.ts';
import type { Row } from '../support/row.ts';
import type { Scene } from '../support/scene.ts';
import { nowMs } from '../support/time.ts';
import { dialPort, service, tunnelPairs } from '../support/tunnel-pairs.ts';

/**
 * Three independent relays (tier 2) become a cluster (tier 3) and independent again, one after the other, each by another config and a restart, while
 * clients hold reservations and tunnels. Half of the cluster's life is spent with relays of both kinds side by side.
 */

const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
const DRAIN_MS = 5_000;
const RESERVED_WITHIN_MS = 60_000;
const TOGETHER_MS = 15_000;
/** What is slower has missed its bound; it is waited for, to say how slow it was. */
const GIVE_UP_MS = 60_000;
const RELAYS = 3;
const DESIRED = 2;

export const ROLLING: Row = {
  name: 'rolling',
  title: 'three relays go from tier 2 to tier 3 and back, one restart after the other, under clients with tunnels',
  full: { runs: 3, clients: 50 },
  short: { runs: 1, clients: 10 },
  deadlineMs: ({ runs }) => 2 * MINUTE_MS + runs * 6 * MINUTE_MS,
  run,
};

const makeFigures = () => ({
  least: new Figure('least reservations that a client held', 'count', { min: 1 }),
  tunnels: new Figure('tunnels cut before a drain\'s deadline', 'count', { max: 0 }),
  unopened: new Figure('new tunnels that did not open, before each step', 'count', { max: 0 }),
  together: new Figure('until the three see each other as a cluster', 'ms', { max: TOGETHER_MS }),
});

type Figures = ReturnType<typeof makeFigures>;

interface Parts {
  readonly relays: readonly Relay[];
  readonly clients: Clients;
  readonly ports: readonly number[];
  readonly figures: Figures;
}

async function run(scene: Scene): Promise<Figure[]> {
  const figures = makeFigures();
  const identities = await scene.identities(scene.amount.clients);
  const common = { ...ROOMY, realm: { name: 'faults', members: identities.peerIds }, drain: { timeout: `${DRAIN_MS}ms` }, network: { allowPrivate: true } };
  const alone = { ...common, profile: 'tier2' };
  const relays = await Promise.all(Array.from({ length: RELAYS }, (_, i) => scene.relay({ name: `relay-${i}`, config: alone })));
  const joined = { ...common, profile: 'tier3', coordination: { secretFile: secretIn(scene.fleet.dataDir('secret')), relays: relays.map(({ addr }) => addr) } };
  const to = await service(scene, (socket) => socket.pipe(socket));
  const { clients, ports } = await tunnelPairs(scene, { identities, relays, to, client: { desired: DESIRED } });
  await clients.untilHeld(DESIRED, { nobodyAway: true, timeoutMs: RESERVED_WITHIN_MS });
  for (let i = 0; i < scene.amount.runs; i++) {
    await roll(scene, { relays, clients, ports, figures }, joined);
    await measureTogether(relays, figures.together);
    await roll(scene, { relays, clients, ports, figures }, alone);
    Object.values(figures).forEach((figure: Figure) => (figure.runs += 1));
  }
  return Object.values(figures);
}

function secretIn(dir: string): string {
  mkdirSync(dir, { recursive: true });
  const file = `${dir}/cluster-secret`;
  writeFileSync(file, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 });
  return file;
}

/** Each relay in turn, the next one only when every client holds as many as it wants again. */
async function roll(scene: Scene, parts: Parts, config: Parameters<Relay['reconfigure']>[0]): Promise<void> {
  for (const relay of parts.relays) await step(scene, parts, relay, config);
}

async function step(scene: Scene, { clients, ports, figures }: Parts, relay: Relay, config: Parameters<Relay['reconfigure']>[0]): Promise<void> {
  const tunnels = await openTunnels(scene, ports, figures.unopened);
  await clients.begin();
  const startMs = nowMs();
  relay.reconfigure(config);
  const how = await relay.stop();
  if (how !== 'exit code 0') figures.least.fail(relay.failure(`ended with ${how}`).message);
  await relay.start();
  await clients.untilHeld(DESIRED, { nobodyAway: true, timeoutMs: RESERVED_WITHIN_MS });
  const { held } = await clients.end();
  const log = new HeldLog(held);
  clients.peerIds.forEach((_, client) => figures.least.add(log.leastFrom(client, startMs)));
  figures.tunnels.add(tunnels.filter(({ endedMs }) => endedMs !== undefined && endedMs - startMs < DRAIN_MS - 500).length);
  tunnels.forEach((tunnel) => tunnel.stop());
}

/** A new connection through each pair's tunnel; those that do not open fail the figure. */
async function openTunnels(scene: Scene, ports: readonly number[], figure: Figure): Promise<EchoTunnel[]> {
  const tunnels = await Promise.all(ports.map(async (port) => new EchoTunnel(await dialPort(scene, port))));
  const opened = await Promise.allSettled(tunnels.map((tunnel) => tunnel.untilEchoed()));
  figure.add(opened.filter(({ status }) => status === 'rejected').length);
  return tunnels;
}

async function measureTogether(relays: readonly Relay[], figure: Figure): Promise<void> {
  const beganMs = nowMs();
  const atMs = await settled(GIVE_UP_MS, async () => {
    const answers = await Promise.all(relays.map((relay) => relay.get('/api/v1/cluster')));
    const views = answers.map(({ status, text }) => (status === 200 ? (JSON.parse(text) as ClusterView) : undefined));
    return views.every((view) => view?.problem === null && view.relays.length === relays.length && view.relays.every(({ linked }) => linked !== false));
  });
  if (atMs === undefined) figure.fail(`not ${GIVE_UP_MS / SECOND_MS} s after the last start`);
  else figure.add(atMs - beganMs);
}
