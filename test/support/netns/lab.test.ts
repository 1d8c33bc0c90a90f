import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { until } from '../waiting.ts';
import { run } from './commands.ts';
import { Lab } from './lab.ts';
import type { Namespace } from './namespace.ts';
import { noNamespaces } from './why-not.ts';

const PORT = 4001;

/** Says to whoever connects from where he comes. */
const WHENCE = `require('node:net').createServer((socket) => socket.end(socket.remoteAddress)).listen(${PORT}, '::')`;

/** Prints what a server said, or why not. */
function ask(from: Namespace, host: string): string {
  const script = `const s=require('node:net').connect(${PORT}, '${host}'); s.setTimeout(400, () => { console.log('silence'); process.exit(); }); s.on('data', (d) => console.log(String(d))); s.on('error', (e) => console.log(e.code));`;
  const [program, ...args] = from.command([process.execPath, '-e', script]);
  return spawnSync(program, args, { encoding: 'utf8', timeout: 10_000 }).stdout.trim();
}

describe('the laboratory of namespaces', { skip: noNamespaces() }, () => {
  let lab: Lab;
  let net: Namespace;
  let server: Namespace;
  let nat: Namespace;
  let client: Namespace;

  before(async () => {
    lab = new Lab();
    [net, server, nat, client] = [lab.router('net'), lab.host('server'), lab.router('nat'), lab.host('client')];
    lab.cable(net, '45.0.1.1', server, '45.0.1.2');
    lab.cable(net, '45.0.2.1', nat, '45.0.2.2');
    lab.cable(nat, '10.0.0.1', client, '10.0.0.2');
    server.defaultRoute('45.0.1.1');
    nat.defaultRoute('45.0.2.1');
    client.defaultRoute('10.0.0.1');
    nat.masquerade(net);
    for (const namespace of [server, client]) {
      const [program, ...args] = namespace.command([process.execPath, '-e', WHENCE]);
      spawn(program, args, { stdio: 'ignore' });
      await until(() => ask(namespace, '127.0.0.1') !== 'ECONNREFUSED', 'the server listens');
    }
  });

  after(() => lab.close());

  it('shows a client behind a masquerading router under the address of the router', () => {
    assert.equal(ask(client, '45.0.1.2'), '::ffff:45.0.2.2');
  });

  it('lets nobody in from outside who was not asked', () => {
    assert.equal(ask(server, '45.0.2.2'), 'silence');
    server.route('10.0.0.0/24', '45.0.1.1');
    net.route('10.0.0.0/24', '45.0.2.2');
    assert.equal(ask(server, '10.0.0.2'), 'silence');
  });

  it('cuts in silence, and heals', () => {
    net.forwarding(false);
    assert.equal(ask(client, '45.0.1.2'), 'silence');
    net.forwarding(true);
    assert.equal(ask(client, '45.0.1.2'), '::ffff:45.0.2.2');
  });

  it('drops or rejects what matches, until it is undone', () => {
    const undoDrop = net.filter('ip daddr 45.0.1.2 tcp dport 4001', 'drop');
    assert.equal(ask(client, '45.0.1.2'), 'silence');
    undoDrop();
    const undoReject = net.filter('ip daddr 45.0.1.2', 'reject');
    assert.equal(ask(client, '45.0.1.2'), 'ECONNREFUSED');
    undoReject();
    assert.equal(ask(client, '45.0.1.2'), '::ffff:45.0.2.2');
  });

  it('bounds the bandwidth of a cable', () => {
    net.bandwidth(server, 1_000_000);
    assert.match(net.exec('tc', 'qdisc', 'show', 'dev', 'server'), /tbf .*rate 1Mbit/);
    net.bandwidth(server, 0);
    assert.doesNotMatch(net.exec('tc', 'qdisc', 'show', 'dev', 'server'), /tbf/);
  });

  it('goes over IPv6 too', () => {
    lab.address(net, 'fd00::1', 'server');
    lab.address(server, 'fd00::2', 'net');
    assert.equal(ask(net, 'fd00::2'), 'fd00::1');
  });

  it('is gone after close, with what ran in it', async () => {
    const other = new Lab();
    const host = other.host('sleeper');
    const [program, ...args] = host.command([process.execPath, '-e', 'setInterval(() => {}, 1000)']);
    const child = spawn(program, args, { stdio: 'ignore' });
    await until(() => run('ip', ['netns', 'pids', host.id]).trim() === String(child.pid), 'it runs');
    const ended = once(child, 'exit');
    other.close();
    assert.deepEqual(await ended, [null, 'SIGKILL']);
    assert.doesNotMatch(run('ip', ['netns', 'list']), new RegExp(host.id));
  });

  it('is removed with a process that gets a signal, and by the next one when that was killed', async () => {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const script = `const { Lab } = await import('${new URL('lab.ts', import.meta.url).href}'); new Lab().host('left'); process.stdout.write('made'); setInterval(() => {}, 1000);`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
      await once(child.stdout, 'data');
      const ended = once(child, 'exit');
      child.kill(signal);
      assert.deepEqual(await ended, [null, signal]);
      if (signal === 'SIGKILL') new Lab().close();
      assert.doesNotMatch(run('ip', ['netns', 'list']), new RegExp(`-${child.pid}-`));
    }
  });
});
