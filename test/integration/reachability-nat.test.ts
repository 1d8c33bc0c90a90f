import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Fleet } from '../support/fleet.ts';
import { Lab } from '../support/netns/lab.ts';
import type { Namespace } from '../support/netns/namespace.ts';
import { noNamespaces } from '../support/netns/why-not.ts';
import { until } from '../support/waiting.ts';

/** Reachability where it matters: real processes, real routers, addresses of the Internet's kind, and nothing private allowed. */

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const PORT = 4001;
const LISTEN = [`/ip4/0.0.0.0/tcp/${PORT}`];
const TIMEOUT = { timeout: 120_000 };

/** A dial that nothing answers takes the relay 8 s. */
const VERDICT_MS = 30_000;

interface Status {
  addrs: string[];
  client: { held: number; reachability: string; reachableAddrs: string[] };
}

describe('a client in a network of its own', { skip: noNamespaces() }, () => {
  let fleet: Fleet;
  let lab: Lab;
  let net: Namespace;
  let relayAddr: string;

  before(async () => {
    fleet = await Fleet.create();
    lab = new Lab();
    net = lab.router('net');
    const host = lab.host('relay');
    lab.cable(net, '45.0.1.1', host, '45.0.1.2');
    host.defaultRoute('45.0.1.1');
    const { ready } = await start('relay', host, { role: 'relay' });
    const addr = ready.addrs.find((text) => text.startsWith('/ip4/45.0.1.2/'));
    assert.ok(addr, ready.addrs.join());
    relayAddr = addr;
  }, TIMEOUT);

  after(async () => {
    await fleet.stopAll();
    lab.close();
  });

  async function start(name: string, host: Namespace, config: object): ReturnType<Fleet['start']> {
    // A device that has just come up is not listed among the machine's for a moment.
    await until(() => !/\bDOWN\b/.test(host.ip('-brief', 'link')), 'the cable is plugged in');
    const whole = { network: { listen: LISTEN, allowPrivate: false }, admin: { listen: `unix:${fleet.dataDir(name)}/admin.sock` }, ...config };
    return await fleet.start(name, whole, (argv) => host.command(argv));
  }

  const client = (name: string, host: Namespace): ReturnType<Fleet['start']> => start(name, host, { role: 'client', client: { relays: [relayAddr], desired: 1, holePunch: false } });

  async function statusOf(name: string): Promise<Status> {
    const { stdout } = await promisify(execFile)(process.execPath, [MAIN, 'status', '--json', '--config', fleet.configFile(name)]);
    return JSON.parse(stdout) as Status;
  }

  async function untilIs(name: string, reachability: string, held: number): Promise<Status> {
    let status: Status | undefined;
    await until(
      async () => {
        status = await statusOf(name);
        return status.client.reachability === reachability && status.client.held === held;
      },
      `${name} is ${reachability} and holds ${held}`,
      VERDICT_MS,
    );
    return status as Status;
  }

  /** A home router with one machine behind it. */
  function home(name: string, third: number): { router: Namespace; machine: Namespace } {
    const [router, machine] = [lab.router(`${name}-router`), lab.host(name)];
    lab.cable(net, `45.0.${third}.1`, router, `45.0.${third}.2`);
    lab.cable(router, '10.0.0.1', machine, '10.0.0.2');
    router.defaultRoute(`45.0.${third}.1`);
    machine.defaultRoute('10.0.0.1');
    router.masquerade(net);
    return { router, machine };
  }

  it('is private behind a home router, and tells nothing but its circuit', TIMEOUT, async () => {
    const { machine } = home('behind', 2);
    await client('behind', machine);
    const { addrs, client: found } = await untilIs('behind', 'private', 1);
    assert.deepEqual(found.reachableAddrs, []);
    assert.deepEqual(addrs.filter((addr) => !addr.includes('/p2p-circuit')), []);
  });

  it('is public behind a router that forwards its port, and tells the address of the router', TIMEOUT, async () => {
    const { router, machine } = home('opened', 3);
    router.exec('nft', 'add', 'chain', 'inet', 'lab', 'prerouting', '{ type nat hook prerouting priority -100; policy accept; }');
    router.exec('nft', 'add', 'rule', 'inet', 'lab', 'prerouting', 'iifname', net.name, 'tcp', 'dport', String(PORT), 'dnat', 'ip', 'to', '10.0.0.2');
    router.exec('nft', 'insert', 'rule', 'inet', 'lab', 'forward', 'tcp', 'dport', String(PORT), 'accept');
    await client('opened', machine);
    const { addrs, client: found } = await untilIs('opened', 'public', 0);
    assert.deepEqual(found.reachableAddrs, [`/ip4/45.0.3.2/tcp/${PORT}`]);
    assert.deepEqual(addrs.map((addr) => addr.replace(/\/p2p\/.*/, '')), [`/ip4/45.0.3.2/tcp/${PORT}`]);
  });

  it('is private with an address of its own whose port is filtered, and no longer tells that address', TIMEOUT, async () => {
    const machine = lab.host('filtered');
    lab.cable(net, '45.0.4.1', machine, '45.0.4.2');
    machine.defaultRoute('45.0.4.1');
    machine.filter(`tcp dport ${PORT} ip daddr 45.0.4.2`, 'drop');
    await client('filtered', machine);
    const { addrs } = await untilIs('filtered', 'private', 1);
    assert.deepEqual(addrs.filter((addr) => !addr.includes('/p2p-circuit')), []);
  });
});
