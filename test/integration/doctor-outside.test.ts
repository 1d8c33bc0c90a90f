import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { assertFailed, assertOk, examine } from '../support/doctor.ts';
import type { Examination } from '../support/doctor.ts';
import { Fleet } from '../support/fleet.ts';
import { Lab } from '../support/netns/lab.ts';
import type { Namespace } from '../support/netns/namespace.ts';
import { noNamespaces } from '../support/netns/why-not.ts';
import { until } from '../support/waiting.ts';

/** The doctor where a relay cannot be reached from outside: real processes in real networks, with addresses of the Internet's kind. */

const PORT = 4001;
const TIMEOUT = { timeout: 120_000 };

describe('the doctor, with a relay in another network to ask', { skip: noNamespaces() }, () => {
  let fleet: Fleet;
  let lab: Lab;
  let net: Namespace;
  let ask: string;

  before(async () => {
    fleet = await Fleet.create();
    lab = new Lab();
    net = lab.router('net');
    await start('witness', machine('witness', 1));
    ask = `/ip4/45.0.1.2/tcp/${PORT}/p2p/${await fleet.peerId('witness')}`;
  }, TIMEOUT);

  after(async () => {
    await fleet.stopAll();
    lab.close();
  });

  /** With an address of its own. */
  function machine(name: string, third: number): Namespace {
    const host = lab.host(name);
    lab.cable(net, `45.0.${third}.1`, host, `45.0.${third}.2`);
    host.defaultRoute(`45.0.${third}.1`);
    return host;
  }

  async function configure(name: string): Promise<void> {
    const network = { listen: [`/ip4/0.0.0.0/tcp/${PORT}`], allowPrivate: false };
    await fleet.configure(name, { role: 'relay', network, admin: { listen: `unix:${fleet.dataDir(name)}/admin.sock` } });
  }

  async function start(name: string, host: Namespace): Promise<void> {
    // A device that has just come up is not listed among the machine's for a moment.
    await until(() => !/\bDOWN\b/.test(host.ip('-brief', 'link')), 'the cable is plugged in');
    await configure(name);
    await fleet.start(name, undefined, (argv) => host.command(argv));
  }

  const examineAt = (name: string, host: Namespace): Promise<Examination> => examine(fleet.configFile(name), ['--ask', ask], (argv) => host.command(argv));

  it('finds an open port reachable, by a daemon and without one', TIMEOUT, async () => {
    const host = machine('opened', 2);
    await start('opened', host);
    const running = await examineAt('opened', host);
    assertFailed(running, []);
    assert.match(assertOk(running, 'reachable').reason, /peers reach \/ip4\/45\.0\.2\.2\/tcp\/4001 \(1 asked\)/);
    await fleet.stop('opened');
    const alone = await examineAt('opened', host);
    assertFailed(alone, []);
    assertOk(alone, 'reachable');
  });

  it('names reachable for a port that a firewall closes, by a daemon and without one', TIMEOUT, async () => {
    const host = machine('closed', 3);
    host.filter(`tcp dport ${PORT} ip daddr 45.0.3.2`, 'drop');
    await start('closed', host);
    const running = await examineAt('closed', host);
    assert.match(assertFailed(running, ['reachable']).reason, /cannot open a connection to \/ip4\/45\.0\.3\.2\/tcp\/4001/);
    assertOk(running, 'announced-addresses');
    await fleet.stop('closed');
    assertFailed(await examineAt('closed', host), ['reachable']);
  });

  it('names announced-addresses and reachable for a relay behind a router that announces nothing', TIMEOUT, async () => {
    const [router, host] = [lab.router('home-router'), lab.host('home')];
    lab.cable(net, '45.0.4.1', router, '45.0.4.2');
    lab.cable(router, '10.0.0.1', host, '10.0.0.2');
    router.defaultRoute('45.0.4.1');
    host.defaultRoute('10.0.0.1');
    router.masquerade(net);
    await start('home', host);
    const found = await examineAt('home', host);
    assert.match(assertFailed(found, ['announced-addresses', 'reachable']).reason, /10\.0\.0\.2/);
    assert.match(found.items.get('reachable')?.reason ?? '', /45\.0\.4\.2/);

    router.exec('nft', 'add', 'chain', 'inet', 'lab', 'prerouting', '{ type nat hook prerouting priority -100; policy accept; }');
    router.exec('nft', 'add', 'rule', 'inet', 'lab', 'prerouting', 'iifname', net.name, 'tcp', 'dport', String(PORT), 'dnat', 'ip', 'to', '10.0.0.2');
    router.exec('nft', 'insert', 'rule', 'inet', 'lab', 'forward', 'tcp', 'dport', String(PORT), 'accept');
    const forwarded = await examineAt('home', host);
    assertFailed(forwarded, ['announced-addresses']);
    assert.match(forwarded.items.get('reachable')?.advice ?? '', /set network\.announce: \[\/ip4\/45\.0\.4\.2\/tcp\/4001\]/);
  });
});
