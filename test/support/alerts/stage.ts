import { join } from 'node:path';
import { Relay } from '../../faults/support/relay.ts';
import { Fleet } from '../fleet.ts';
import { freePort } from '../free-port.ts';
import { INTERVAL_MS } from '../prometheus.ts';
import type { Alert, Prometheus, Target } from '../prometheus.ts';
import { until } from '../waiting.ts';
import { WirePeer } from '../wire-peer.ts';

/** Real time that any alert of the hastened rules may take to fire or to resolve: the longest is 15 s, and machines are slow. */
const ALERT_MS = 90_000;
const HEALTHY_MS = 60_000;

export interface NodeSetup {
  readonly role: Target['role'];
  readonly config?: { network?: object; relay?: object } & Record<string, unknown>;
  readonly prefix?: readonly string[];
  readonly nodeArgs?: readonly string[];
}

export interface Measured {
  readonly alert: string;
  /** What was done. */
  readonly what: string;
  /** Seconds from then until it fired. */
  readonly firedSeconds: number;
  /** Seconds from the repair until it was over. */
  readonly resolvedSeconds: number;
}

/** How a thing is broken and mended; each resolves when that is done. */
export interface Trouble {
  readonly what: string;
  readonly break: () => Promise<unknown> | void;
  readonly repair: () => Promise<unknown> | void;
}

/** The nodes of one scene, watched by Prometheus, and what its alerts did. All is gone when it is closed. */
export class Stage {
  readonly measured: Measured[] = [];
  readonly #prometheus: Prometheus;
  readonly fleet: Fleet;
  readonly #targets: Target[] = [];
  readonly #configs = new Map<Relay, Parameters<Relay['reconfigure']>[0]>();
  readonly #undo: (() => Promise<unknown> | void)[] = [];

  static async open(prometheus: Prometheus): Promise<Stage> {
    return new Stage(prometheus, await Fleet.create());
  }

  private constructor(prometheus: Prometheus, fleet: Fleet) {
    this.#prometheus = prometheus;
    this.fleet = fleet;
  }

  /** A `relayd run` on loopback that is watched; it keeps its ports from one start to the next. */
  async node(name: string, { role, config = {}, prefix, nodeArgs }: NodeSetup): Promise<Relay> {
    const address = `127.0.0.1:${await freePort()}`;
    const network = { allowPrivate: true, ...(role === 'client' ? { listen: [] } : {}), ...config.network };
    const whole = { role, admin: { listen: address }, ...config, network, relay: { prefixes: { exempt: ['127.0.0.0/8'] }, ...config.relay } };
    const node = await Relay.start(this.fleet, { name, config: whole, ...(prefix === undefined ? {} : { prefix }), ...(nodeArgs === undefined ? {} : { nodeArgs }) });
    this.defer(() => node.stop());
    this.#configs.set(node, whole);
    this.watch({ address, role });
    return node;
  }

  /** Starts a node again, with these settings in place of those that it was made with; the next change starts from those too. */
  async change(node: Relay, changes: Record<string, unknown>): Promise<void> {
    node.reconfigure({ ...this.#configs.get(node), ...changes });
    await node.stop();
    await node.start();
  }

  watch(target: Target): void {
    this.#targets.push(target);
    this.#prometheus.watch(this.#targets);
  }

  /** Takes all targets away, or puts them back. */
  blind(isBlind: boolean): void {
    this.#prometheus.watch(isBlind ? [] : this.#targets);
  }

  /** Every target has been scraped since now. */
  async untilScraped(): Promise<void> {
    const now = Date.now() / 1000;
    await this.#until(async () => {
      const scraped = await this.#prometheus.query('timestamp(up == 1)');
      return scraped.length === this.#targets.length && scraped.every(({ value }) => value > now);
    }, HEALTHY_MS, 'all targets to be scraped');
  }

  async peer(relay: { addr: string }): Promise<WirePeer> {
    const peer = await WirePeer.start();
    this.defer(() => peer.stop());
    await peer.connect(relay.addr);
    return peer;
  }

  /** A folder of this scene's. */
  path(name: string): string {
    return join(this.fleet.dataDir('files'), name);
  }

  /** Done at the end, the last first. */
  defer(undo: () => Promise<unknown> | void): void {
    this.#undo.push(undo);
  }

  /**
   * Breaks something when all is well, waits until every one of `alerts` fires, mends it, and waits until none does.
   *
   * @throws Error that names the alert that did not
   */
  async measure(alerts: readonly string[], trouble: Trouble): Promise<void> {
    await this.#untilHealthy(alerts);
    await trouble.break();
    const fired = await this.#times(alerts, true);
    await trouble.repair();
    const resolved = await this.#times(alerts, false);
    alerts.forEach((alert, i) => this.measured.push({ alert, what: trouble.what, firedSeconds: fired[i] ?? NaN, resolvedSeconds: resolved[i] ?? NaN }));
  }

  async close(): Promise<void> {
    this.#prometheus.watch([]);
    for (const undo of this.#undo.toReversed()) {
      await Promise.resolve(undo()).catch(() => {});
    }
    await this.fleet.stopAll();
  }

  async #untilHealthy(alerts: readonly string[]): Promise<void> {
    await this.#until(async () => {
      const up = await this.#prometheus.query('up');
      return up.length === this.#targets.length && up.every(({ value }) => value === 1) && (await this.#active(alerts)).length === 0;
    }, HEALTHY_MS, `all targets to answer and none of ${alerts.join(', ')}`);
  }

  /** How long each took from now until it fired, or was over. */
  async #times(alerts: readonly string[], isFiring: boolean): Promise<number[]> {
    const start = performance.now();
    const one = async (alert: string): Promise<number> => {
      await this.#until(async () => {
        const firing = (await this.#active([alert])).filter(({ state }) => state === 'firing');
        firing.forEach(assertReadable);
        return firing.length > 0 === isFiring;
      }, ALERT_MS, `${alert} to ${isFiring ? 'fire' : 'resolve'}`);
      return Math.round(performance.now() - start) / 1000;
    };
    return Promise.all(alerts.map(one));
  }

  async #active(names: readonly string[]): Promise<Alert[]> {
    return (await this.#prometheus.alerts()).filter(({ labels }) => names.includes(labels.alertname ?? ''));
  }

  /** Looks as often as is of use. */
  async #until(check: () => Promise<boolean>, timeoutMs: number, what: string): Promise<void> {
    let nextAt = 0;
    await until(async () => {
      if (performance.now() < nextAt) return false;
      nextAt = performance.now() + INTERVAL_MS / 5;
      return check();
    }, what, timeoutMs);
  }
}

/** Prometheus writes what is wrong with a template into the text that people get. */
function assertReadable({ labels, annotations }: Alert): void {
  const { summary = '', description = '' } = annotations;
  const isText = [summary, description].every((text) => text !== '' && !/error expanding|<no value>|\{\{/.test(text));
  if (!isText) throw new Error(`${labels.alertname} says: ${summary} ${description}`);
}
