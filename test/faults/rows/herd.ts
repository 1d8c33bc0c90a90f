import { Figure } from '../support/figure.ts';
import { oneAddress } from '../support/one-address.ts';
import type { OneAddress } from '../support/one-address.ts';
import type { Clients } from '../support/clients.ts';
import type { Relay } from '../support/relay.ts';
import type { Row } from '../support/row.ts';
import type { Scene } from '../support/scene.ts';
import { delay, nowMs } from '../support/time.ts';

/**
 * The one relay of tier 1 is killed and started again; all its clients sit behind one address, so that every limit per prefix
 * meets them together. What an operator sets for so many is in {@link SETTINGS}; all else is the profile's.
 */

const MINUTE_MS = 60_000;
/** Clients have backed off by then: the less, the shorter a test has to wait for them. */
const DOWN_MS = { full: 5_000, short: 1_000 };
const BACK_WITHIN_MS = 30_000;
/** What is slower has failed; it is waited for, to say how slow it was. */
const WAIT_MS = 90_000;
const FIRST_WITHIN_MS = 180_000;

/** Room beyond the clients: the relay's own check reserves too. */
const ROOM = 100;

/** Two ways to let so many in: to raise each limit of a prefix, or to name the address as one to which none applies. */
const SETTINGS: Record<'raised' | 'exempt', (count: number, address: string) => { relay: object; connections?: object }> = {
  raised: (count) => ({
    connections: { pendingPerPrefix: 256, inboundPerPrefix: '256/s' },
    relay: { limits: { reservations: { max: count + ROOM, perPrefix: count + ROOM }, rates: { reservePerPrefix: `${2 * count}/m` } } },
  }),
  exempt: (count, address) => ({ relay: { prefixes: { exempt: [`${address}/32`] }, limits: { reservations: { max: count + ROOM } } } }),
};

type Setting = keyof typeof SETTINGS;

export const HERD: Row = {
  name: 'herd',
  title: 'a tier 1 relay restarts: all clients behind one address reserve again',
  full: { runs: 10, clients: 1000 },
  short: { runs: 1, clients: 20 },
  deadlineMs: ({ runs, clients }) => 2 * (5 * MINUTE_MS + clients * 200 + runs * 2 * MINUTE_MS),
  run: async (scene) => {
    const figures: Figure[] = [];
    for (const setting of Object.keys(SETTINGS) as Setting[]) {
      figures.push(await withSetting(scene, setting));
    }
    return figures;
  },
};

async function withSetting(scene: Scene, setting: Setting): Promise<Figure> {
  const figure = new Figure(`back after a restart, limits of the prefix ${setting}`, 's', { max: BACK_WITHIN_MS / 1000 });
  const { runs, clients: count } = scene.amount;
  const place = oneAddress(scene);
  const relay = await scene.relay({ name: `relay-${setting}`, ...place.relay, config: { profile: 'tier1', network: { allowPrivate: true }, ...SETTINGS[setting](count, place.address) } });
  const clients = await scene.clients({ count, prefix: place.clients, config: { profile: 'tier1', client: { relays: [relay.addr] } } });
  await clients.untilHeld(1, { timeoutMs: FIRST_WITHIN_MS });
  for (let i = 0; i < runs; i++) {
    await oneRun(scene, figure, relay, clients);
  }
  describe(scene, setting, place, clients);
  await clients.stop();
  await relay.stop();
  return figure;
}

async function oneRun(scene: Scene, figure: Figure, relay: Relay, clients: Clients): Promise<void> {
  await clients.begin();
  await relay.kill();
  await delay(scene.amount.short ? DOWN_MS.short : DOWN_MS.full);
  await relay.start();
  const readyMs = nowMs();
  const lacking = await clients.lacking(1, { timeoutMs: WAIT_MS });
  const { announced, lag } = await clients.end();
  figure.runs += 1;
  const back = Map.groupBy(announced.filter(({ relays }) => relays.length > 0), ({ client }) => client);
  // Some are back before the line that says so has been read.
  back.forEach((times) => figure.add(Math.max(0, (times[0]?.atMs ?? NaN) - readyMs) / 1000));
  lacking.forEach(({ client }) => figure.fail(`client ${client}: no reservation ${WAIT_MS / 1000} s after the relay was ready`));
  if (relay.exit !== undefined) figure.fail(`the relay ended: ${relay.exit}`);
  scene.note(`${figure.title}: ${await refusals(relay)}; client processes late by at most ${Math.round(lag.maxMs)} ms, ${lag.cpuSeconds.toFixed(1)} CPU seconds, ${Math.round(lag.rssMiB)} MiB`);
}

const REFUSALS = /^(relayd_connections_refused_total|relayd_relay_refusals_total|relayd_handshakes_evicted_total)\{/;

/** What the relay refused since it started, by reason, and how late it ran. */
async function refusals(relay: Relay): Promise<string> {
  const metrics = await relay.metrics();
  const refused = [...metrics].filter(([series, value]) => REFUSALS.test(series) && value > 0).map(([series, value]) => `${series.replaceAll(/relayd_|_total|"/g, '')} ${value}`);
  const late = (metrics.get('relayd_event_loop_delay_seconds{quantile="max"}') ?? NaN) * 1000;
  return `${refused.length === 0 ? 'nothing refused' : refused.join(', ')}; relay late by at most ${Math.round(late)} ms`;
}

function describe(scene: Scene, setting: Setting, place: OneAddress, { count }: Clients): void {
  const where = place.isNat ? `a masquerading router (${place.address})` : 'loopback';
  scene.note(`${setting}, ${count} clients behind ${where}: ${JSON.stringify(SETTINGS[setting](count, place.address))}`);
}
