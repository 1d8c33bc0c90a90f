import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { PeerProcess } from '../interop/support/peer-process.ts';
import { startPeer } from '../interop/support/peers.ts';
import { Fleet } from './fleet.ts';
import type { Running } from './fleet.ts';
import { until, within } from './waiting.ts';

const PROTOCOL = '/relayd-test/kad/1.0.0';
const NODES = fileURLToPath(new URL('dht-nodes.ts', import.meta.url));
const START_TIMEOUT_MS = 60_000;

/** Our nodes are clients too, all at one address: what an address may have is not to be what is looked at. */
const RELAY = { prefixes: { exempt: ['127.0.0.0/8'] } };

/** How many servers of the DHT there are of each kind, the relays beside them. */
export interface DhtPlan {
  readonly go: number;
  readonly js: number;
  readonly ours: number;
  readonly relays: number;
}

/** What `discovery` of a config file is for a node that knows one address. */
function discoveryBy(bootstrap: string): object {
  return { bootstrap: [bootstrap], dht: { enabled: true, protocol: PROTOCOL } };
}

/** A DHT of go-libp2p, js-libp2p and our nodes on loopback, all of which came in by the first go peer; relays of ours that advertise themselves in it. */
export class DhtNetwork {
  readonly fleet: Fleet;
  readonly relays: Running[] = [];
  /** An address of each server that is no relay, the kinds in turn. */
  readonly servers: string[] = [];
  readonly #go: PeerProcess[] = [];
  #others: ChildProcess | undefined;

  static async start(plan: DhtPlan): Promise<DhtNetwork> {
    const network = new DhtNetwork(await Fleet.create());
    try {
      await network.#start(plan);
      return network;
    } catch (error) {
      await network.stop();
      throw error;
    }
  }

  private constructor(fleet: Fleet) {
    this.fleet = fleet;
  }

  /** A client that knows one address and no relay. */
  async client(name: string, bootstrap: string): Promise<Running> {
    return this.fleet.start(name, { role: 'client', client: { desired: 2 }, discovery: discoveryBy(bootstrap) });
  }

  /** The peers that the DHT names as providers of `key`, asked by a go peer. */
  async providers(key: string): Promise<string[]> {
    const answer = await this.#seed().run('providers', { key, count: 0 });
    return answer.providers.map(({ peer }) => peer);
  }

  async stop(): Promise<void> {
    await this.fleet.stopAll();
    await Promise.all(this.#go.map((peer) => peer.stop()));
    if (this.#others !== undefined && this.#others.exitCode === null) {
      this.#others.stdin?.end();
      await once(this.#others, 'exit');
    }
  }

  async #start({ go, js, ours, relays }: DhtPlan): Promise<void> {
    for (let i = 0; i < go; i++) {
      this.#go.push(await startPeer('go', { listen: true, args: ['--dht', PROTOCOL] }));
    }
    const seed = this.#seed();
    await Promise.all(this.#go.slice(1).map((peer) => peer.run('connect', { addr: seed.addr })));
    const others = await this.#startOthers(['--protocol', PROTOCOL, '--bootstrap', seed.addr, '--js', String(js), '--ours', String(ours)]);
    const goAddrs = this.#go.map((peer) => peer.addr);
    for (let i = 0; i < Math.max(go, js, ours); i++) {
      this.servers.push(...[goAddrs[i], others.js[i], others.ours[i]].filter((addr) => addr !== undefined));
    }
    for (let i = 0; i < relays; i++) {
      this.relays.push(await this.fleet.start(`relay-${i}`, { role: 'relay', network: { listen: ['/ip4/127.0.0.1/tcp/0'] }, relay: RELAY, discovery: discoveryBy(seed.addr) }));
    }
    await Promise.all(this.relays.map((relay) => untilAdvertised(relay)));
  }

  #seed(): PeerProcess {
    const [seed] = this.#go;
    if (seed === undefined) throw new Error('the first of the network is a go peer');
    return seed;
  }

  async #startOthers(args: readonly string[]): Promise<{ ours: string[]; js: string[] }> {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', NODES, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#others = child;
    const [line] = (await within(once(createInterface({ input: child.stdout }), 'line'), 'the js nodes', START_TIMEOUT_MS)) as [string];
    return JSON.parse(line) as { ours: string[]; js: string[] };
  }
}

async function untilAdvertised({ daemon, ready }: Running): Promise<void> {
  const isThere = async (): Promise<boolean> => (await (await fetch(`${ready.admin}/metrics`)).text()).includes('relayd_discovery_advertised 1');
  await until(isThere, `${daemon.name} stands in the DHT`, START_TIMEOUT_MS);
}
