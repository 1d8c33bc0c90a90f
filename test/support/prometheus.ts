import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { BoundedText, endOf } from '../../scripts/lib/processes.ts';
import { hasten } from './alerts/hasten.ts';
import { freePort } from './free-port.ts';
import { until, within } from './waiting.ts';

export const PROMETHEUS_CONFIGS = fileURLToPath(new URL('../../configs/prometheus/', import.meta.url));

/** Of scrapes and of rules. */
export const INTERVAL_MS = 500;
const START_MS = 30_000;
const STOP_MS = 10_000;
const ASK_MS = 10_000;

export interface Target {
  /** HOST:PORT: its `instance` label. */
  readonly address: string;
  readonly role: 'relay' | 'client' | 'both';
}

export interface Sample {
  readonly metric: Record<string, string>;
  readonly value: number;
}

export interface Alert {
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
  readonly state: 'pending' | 'firing';
}

interface PrometheusConfig {
  global: Record<string, string>;
  scrape_configs: Record<string, unknown>[];
}

/** Why the tests with Prometheus cannot run here, or false. */
export function prometheusMissing(): string | false {
  const missing = ['prometheus', 'promtool'].find((tool) => spawnSync(tool, ['--version']).error !== undefined);
  return missing === undefined ? false : `${missing} is not installed: apt-get install prometheus`;
}

/** What promtool says, and whether it is content. */
export function promtool(...args: readonly string[]): { ok: boolean; text: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8', timeout: START_MS });
  return { ok: status === 0, text: `${stdout}${stderr}` };
}

/**
 * A real Prometheus on loopback, with a folder of its own and the configuration and rules of configs/prometheus, in which every minute is a
 * second ({@link hasten}), the intervals are {@link INTERVAL_MS}, and the targets are those that the test names.
 */
export class Prometheus {
  readonly #dir: string;
  readonly #url: string;
  readonly #child: ChildProcess;
  readonly #log = new BoundedText();
  readonly #ended: Promise<string>;
  #exit: string | undefined;
  /** Of a test run that is interrupted. */
  readonly #onExit = (): void => void this.#child.kill('SIGKILL');

  /** @param file of configs/prometheus */
  static async start(file = 'prometheus.yaml'): Promise<Prometheus> {
    const dir = mkdtempSync(join(tmpdir(), 'relayd-prometheus-'));
    const prometheus = new Prometheus(dir, await freePort(), file);
    try {
      await until(() => prometheus.#isReady(), 'Prometheus to be ready', START_MS);
    } catch (error) {
      await prometheus.stop();
      throw new Error(`${(error as Error).message}; it said:\n${prometheus.#log.text}`, { cause: error });
    }
    return prometheus;
  }

  private constructor(dir: string, port: number, configFile: string) {
    this.#dir = dir;
    this.#url = `http://127.0.0.1:${port}`;
    this.watch([]);
    for (const file of ['recording-rules.yaml', 'alert-rules.yaml']) {
      writeFileSync(join(dir, file), hasten(readFileSync(join(PROMETHEUS_CONFIGS, file), 'utf8')));
    }
    writeFileSync(join(dir, 'prometheus.yaml'), stringify(configOf(configFile)));
    const args = [`--config.file=${join(dir, 'prometheus.yaml')}`, `--storage.tsdb.path=${join(dir, 'data')}`, `--web.listen-address=127.0.0.1:${port}`];
    this.#child = spawn('prometheus', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#log.readFrom(this.#child.stdout);
    this.#log.readFrom(this.#child.stderr);
    this.#ended = endOf(this.#child).then((exit) => (this.#exit = exit));
    process.once('exit', this.#onExit);
  }

  get url(): string {
    return this.#url;
  }

  /** Scrapes these from now on, and no others. */
  watch(targets: readonly Target[]): void {
    this.watchGroups(targets.map(({ address, role }) => ({ targets: [address], labels: { role } })));
  }

  /** Targets with labels, as a configuration has them. */
  watchGroups(groups: readonly { targets: readonly string[]; labels: Readonly<Record<string, string>> }[]): void {
    // It must never read half a file.
    writeFileSync(join(this.#dir, 'targets.new'), JSON.stringify(groups));
    renameSync(join(this.#dir, 'targets.new'), join(this.#dir, 'targets.json'));
  }

  async query(expression: string): Promise<Sample[]> {
    const { result } = await this.#get<{ result: { metric: Record<string, string>; value: [number, string] }[] }>(`/api/v1/query?query=${encodeURIComponent(expression)}`);
    return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  /** All that are pending or firing now. */
  async alerts(): Promise<Alert[]> {
    return (await this.#get<{ alerts: Alert[] }>('/api/v1/alerts')).alerts;
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await within(this.#ended, 'the end of Prometheus', STOP_MS).catch(() => this.#child.kill('SIGKILL'));
    await this.#ended;
    process.off('exit', this.#onExit);
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** @throws Error when it has ended by itself */
  async #isReady(): Promise<boolean> {
    if (this.#exit !== undefined) throw new Error(`Prometheus ended with ${this.#exit}`);
    return fetch(`${this.#url}/-/ready`, { signal: AbortSignal.timeout(ASK_MS) }).then(({ ok }) => ok, () => false);
  }

  async #get<T>(path: string): Promise<T> {
    const response = await fetch(`${this.#url}${path}`, { signal: AbortSignal.timeout(ASK_MS) });
    const answer = (await response.json()) as { status: string; error?: string; data: T };
    if (answer.status !== 'success') throw new Error(`${path}: ${answer.error}`);
    return answer.data;
  }
}

function configOf(file: string): PrometheusConfig {
  const config = parse(readFileSync(join(PROMETHEUS_CONFIGS, file), 'utf8')) as PrometheusConfig;
  const interval = `${INTERVAL_MS}ms`;
  const jobs = config.scrape_configs.map((job) => {
    const others = Object.entries(job).filter(([name]) => name !== 'static_configs');
    return { ...Object.fromEntries(others), file_sd_configs: [{ files: ['targets.json'], refresh_interval: '1s' }] };
  });
  return { ...config, global: { ...config.global, scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval }, scrape_configs: jobs };
}

/** A copy of the folder, with the token file that one of the configurations names: for `promtool check config`. */
export function withTokenFile(): string {
  const dir = mkdtempSync(join(tmpdir(), 'relayd-promtool-'));
  for (const file of ['prometheus.yaml', 'prometheus-fleet.yaml', 'prometheus-federation.yaml', 'recording-rules.yaml', 'alert-rules.yaml']) copyFileSync(join(PROMETHEUS_CONFIGS, file), join(dir, file));
  writeFileSync(join(dir, 'relayd-token'), 'a token of sixteen', { mode: 0o600 });
  return dir;
}
