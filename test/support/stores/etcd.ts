import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BoundedText, endOf } from '../../../scripts/lib/processes.ts';
import type { EtcdConfig } from '../../../src/config/domain.ts';
import { WebAuthority, writeCertificate } from '../certificate.ts';
import { freePort } from '../free-port.ts';
import { until, within } from '../waiting.ts';
import { SCRATCH } from './scratch.ts';

const START_MS = 20_000;
const ASK_MS = 10_000;
const STOP_MS = 10_000;

/** Another program may take a port between the time it was found free and the server's start. */
const START_ATTEMPTS = 3;

/** Why no real etcd can be started here. */
export function available(): string | undefined {
  const missing = { etcd: 'etcd-server', etcdctl: 'etcd-client' };
  const [tool, debian] = Object.entries(missing).find(([name]) => spawnSync(name, [name === 'etcd' ? '--version' : 'version'], { env: ETCDCTL_ENV }).error !== undefined) ?? [];
  return tool === undefined ? undefined : `${tool} is not installed: apt-get install ${debian}`;
}

const ETCDCTL_ENV = { ...process.env, ETCDCTL_API: '3' };

export interface ClusterOptions {
  /** Members; one by default. */
  readonly size?: number;
  /** Clients are to speak TLS; `mutual`: with a certificate of the test's authority of their own. */
  readonly tls?: 'server' | 'mutual';
  /** More arguments of etcd. */
  readonly args?: readonly string[];
}

interface Member {
  readonly name: string;
  readonly port: number;
  readonly peerPort: number;
}

/** A real etcd on loopback, of one member or several, each with a folder of its own. */
export class EtcdCluster {
  readonly nodes: readonly EtcdNode[];
  readonly #dir: string;
  readonly #tls: EtcdConfig['tls'] | undefined;
  /** Who etcdctl is, once there are users. */
  #user: readonly string[] = [];

  static async start(options: ClusterOptions = {}): Promise<EtcdCluster> {
    for (let attempt = 1; ; attempt++) {
      const members = await Promise.all(Array.from({ length: options.size ?? 1 }, async (_, i) => ({ name: `n${i + 1}`, port: await freePort(), peerPort: await freePort() })));
      const cluster = new EtcdCluster(members, options);
      try {
        await Promise.all(cluster.nodes.map((node) => node.start()));
        await until(() => cluster.isHealthy(), 'etcd to be healthy', START_MS);
        return cluster;
      } catch (error) {
        await cluster.stop();
        if (attempt === START_ATTEMPTS) throw error;
      }
    }
  }

  private constructor(members: readonly Member[], { tls, args = [] }: ClusterOptions) {
    this.#dir = mkdtempSync(join(SCRATCH, 'relayd-etcd-'));
    this.#tls = tls === undefined ? undefined : writeTls(this.#dir);
    const initial = members.map(({ name, peerPort }) => `${name}=http://127.0.0.1:${peerPort}`).join();
    const tlsArgs = this.#tls === undefined ? [] : ['--cert-file', this.#tls.certFile ?? '', '--key-file', this.#tls.keyFile ?? '', ...(tls === 'mutual' ? ['--trusted-ca-file', this.#tls.caFile ?? '', '--client-cert-auth'] : [])];
    this.nodes = members.map((member) => new EtcdNode(member, this.#tls === undefined ? 'http' : 'https', join(this.#dir, member.name), ['--initial-cluster', initial, ...tlsArgs, ...args]));
  }

  get first(): EtcdNode {
    return this.nodes[0] as EtcdNode;
  }

  /** As `coordination.etcd` would be, but for user and password. */
  config(some: Partial<EtcdConfig> = {}): EtcdConfig {
    const tls = this.#tls ?? { caFile: undefined, certFile: undefined, keyFile: undefined };
    return { endpoints: this.nodes.map(({ url }) => url), username: undefined, passwordFile: undefined, tls, ...some };
  }

  /** A file of the test's, gone with the cluster. */
  file(name: string, content: string): string {
    const file = join(this.#dir, name);
    writeFileSync(file, content, { mode: 0o600 });
    return file;
  }

  /** Asks as an operator does. */
  ask(...args: readonly string[]): string {
    const { status, stdout, stderr } = this.#etcdctl(args);
    if (status !== 0) throw new Error(`etcdctl ${args.join(' ')}: ${stdout}${stderr}`);
    return stdout.trim();
  }

  /** Root, and a user `relayd` with this password who may use what lies under `prefix` and nothing else. */
  demandUsers(password: string, prefix: string): void {
    this.ask('user', 'add', 'root:root-password');
    this.ask('user', 'grant-role', 'root', 'root');
    this.ask('role', 'add', 'relays');
    this.ask('role', 'grant-permission', 'relays', 'readwrite', '--prefix=true', prefix);
    this.ask('user', 'add', `relayd:${password}`);
    this.ask('user', 'grant-role', 'relayd', 'relays');
    this.ask('auth', 'enable');
    this.#user = ['--user', 'root:root-password'];
  }

  /** All history up to now is dropped. */
  compact(): void {
    const { header } = JSON.parse(this.ask('get', 'nothing', '-w', 'json')) as { header: { revision: number } };
    this.ask('compaction', String(header.revision));
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #etcdctl(args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
    const tls = this.#tls === undefined ? [] : ['--cacert', this.#tls.caFile ?? '', '--cert', this.#tls.certFile ?? '', '--key', this.#tls.keyFile ?? ''];
    const endpoints = this.nodes.filter((node) => node.isRunning).map(({ url }) => url);
    return spawnSync('etcdctl', ['--endpoints', endpoints.join(), ...tls, ...this.#user, ...args], { encoding: 'utf8', timeout: ASK_MS, env: ETCDCTL_ENV });
  }

  /** Every member that runs answers, and has a leader. */
  isHealthy(): boolean {
    this.nodes.forEach((node) => node.checkRuns());
    return this.#etcdctl(['endpoint', 'health']).status === 0;
  }
}

/** One member. */
export class EtcdNode {
  readonly url: string;
  readonly port: number;
  readonly #args: readonly string[];
  readonly #dir: string;
  readonly #said = new BoundedText();
  #child: ChildProcess | undefined;
  #ended: Promise<string> | undefined;
  #exit: string | undefined;
  /** Of a test run that is interrupted. */
  readonly #onExit = (): void => void this.#child?.kill('SIGKILL');

  constructor({ name, port, peerPort }: Member, scheme: string, dir: string, args: readonly string[]) {
    this.port = port;
    this.url = `${scheme}://127.0.0.1:${port}`;
    this.#dir = dir;
    const peerUrl = `http://127.0.0.1:${peerPort}`;
    this.#args = ['--name', name, '--listen-client-urls', this.url, '--advertise-client-urls', this.url, '--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl, ...args];
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#exit === undefined;
  }

  /** With what it has on disc. It may not answer yet. */
  async start(): Promise<void> {
    this.#exit = undefined;
    this.#child = spawn('etcd', ['--data-dir', this.#dir, ...this.#args], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    this.#said.readFrom(this.#child.stdout);
    this.#said.readFrom(this.#child.stderr);
    process.removeListener('exit', this.#onExit).once('exit', this.#onExit);
    this.#ended = endOf(this.#child);
    void this.#ended.then((how) => (this.#exit = how));
  }

  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  /** As a crash; what is on disc stays. */
  async kill(): Promise<void> {
    if (this.#ended === undefined) return;
    this.#child?.kill('SIGKILL');
    await within(this.#ended, 'etcd to be gone', STOP_MS);
    process.removeListener('exit', this.#onExit);
  }

  /** What was on disc is lost too. */
  forget(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** @throws Error with what it said, when it has ended by itself */
  checkRuns(): void {
    if (this.#exit !== undefined) throw new Error(`etcd ended with ${this.#exit}; it said:\n${this.#said.text}`);
  }
}

/** One certificate for servers and clients: etcd's gateway is a client of its own server, with the server's certificate. */
function writeTls(dir: string): EtcdConfig['tls'] {
  const authority = new WebAuthority();
  const caFile = join(dir, 'ca.pem');
  writeFileSync(caFile, authority.cert);
  return { caFile, ...writeCertificate(dir, authority.issue({ forClients: true })) };
}
