import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { beforeEach, describe, test } from 'node:test';
import { supervise } from '../../../src/cli/supervise.ts';
import type { SupervisedNode } from '../../../src/cli/supervise.ts';
import { createLogger } from '../../../src/lib/logger.ts';

/** A node whose start and drain the test lets go on; it records what it is told. */
class FakeNode extends EventEmitter<{ drained: []; called: [string] }> implements SupervisedNode {
  readonly calls: string[] = [];
  readonly peerId = '12D3KooWTest';
  readonly addrs = ['/ip4/127.0.0.1/tcp/1/p2p/12D3KooWTest'];
  readonly adminUrl = 'http://127.0.0.1:2';
  starting = Promise.resolve();
  draining = Promise.resolve();
  reloading: () => Promise<{ changed: string[]; restartNeeded: string[] }> = () => Promise.resolve({ changed: ['log.level'], restartNeeded: [] });

  start(): Promise<void> {
    return this.#call('start', this.starting);
  }

  stop(): Promise<void> {
    return this.#call('stop', Promise.resolve());
  }

  async drain(): Promise<void> {
    await this.#call('drain', this.draining);
    this.emit('drained');
  }

  reload(): ReturnType<SupervisedNode['reload']> {
    return this.#call('reload', this.reloading());
  }

  #call<T>(name: string, result: Promise<T>): Promise<T> {
    this.calls.push(name);
    this.emit('called', name);
    return result;
  }
}

interface Line {
  level: string;
  event?: string;
  [key: string]: unknown;
}

let node: FakeNode;
let signals: EventEmitter;
let lines: Line[];
let told: string[];
let exits: number[];
let written: EventEmitter<{ line: [Line] }>;

beforeEach(() => {
  node = new FakeNode();
  signals = new EventEmitter();
  lines = [];
  told = [];
  exits = [];
  written = new EventEmitter();
});

function start(level: 'info' | 'silent' = 'info'): Promise<number> {
  const write = (text: string): void => {
    const line = JSON.parse(text) as Line;
    lines.push(line);
    written.emit('line', line);
  };
  const log = createLogger({ level, format: 'json', destination: { write } });
  return supervise({ node, log, facts: { profile: 'tier1', role: 'relay' }, notify: (state) => told.push(state), signals, exitNow: (code) => exits.push(code) });
}

async function untilLine(event: string): Promise<Line> {
  for (;;) {
    const found = lines.find((line) => line.event === event);
    if (found !== undefined) return found;
    await once(written, 'line');
  }
}

function events(): (string | undefined)[] {
  return lines.map((line) => line.event);
}

describe('supervise', { timeout: 10_000 }, () => {
  test('one ready line, whatever the log level; a signal drains, stops and ends with 0', async () => {
    const done = start('silent');
    const ready = await untilLine('ready');
    const { peerId, addrs, admin, pid, profile, role } = ready;
    assert.deepEqual({ peerId, addrs, admin, pid, profile, role }, { peerId: node.peerId, addrs: node.addrs, admin: node.adminUrl, pid: process.pid, profile: 'tier1', role: 'relay' });
    signals.emit('SIGTERM', 'SIGTERM');
    assert.equal(await done, 0);
    assert.deepEqual(node.calls, ['start', 'drain', 'stop']);
    assert.deepEqual(events(), ['ready']);
    assert.deepEqual(told, ['ready', 'stopping', 'stopping']);
    assert.deepEqual(exits, []);
    assert.deepEqual(signals.eventNames(), []);
  });

  test('a second signal ends the process at once', async () => {
    const drained = Promise.withResolvers<void>();
    node.draining = drained.promise;
    const done = start();
    await untilLine('ready');
    signals.emit('SIGINT', 'SIGINT');
    assert.deepEqual(exits, []);
    signals.emit('SIGTERM', 'SIGTERM');
    assert.deepEqual(exits, [1]);
    drained.resolve();
    await done;
  });

  test('a drain that came over the API ends it too, and a signal meanwhile is a first one', async () => {
    const done = start();
    await untilLine('ready');
    node.emit('drained');
    assert.equal(await done, 0);
    assert.deepEqual(node.calls, ['start', 'stop']);
  });

  test('a drain that fails does not keep it from stopping', async () => {
    node.draining = Promise.reject(new Error('no'));
    node.draining.catch(() => {});
    const done = start();
    await untilLine('ready');
    signals.emit('SIGTERM', 'SIGTERM');
    assert.equal(await done, 0);
    assert.equal(node.calls.at(-1), 'stop');
  });

  test('a signal during the start stops as soon as it is over, without a ready line', async () => {
    const started = Promise.withResolvers<void>();
    node.starting = started.promise;
    const done = start();
    signals.emit('SIGTERM', 'SIGTERM');
    signals.emit('SIGHUP', 'SIGHUP');
    started.resolve();
    assert.equal(await done, 0);
    assert.deepEqual(node.calls, ['start', 'stop']);
    assert.ok(!events().includes('ready'));
  });

  test('a start that fails is thrown, and no listener stays', async () => {
    node.starting = Promise.reject(new Error('in use'));
    await assert.rejects(start(), /in use/);
    assert.deepEqual(signals.eventNames(), []);
    assert.equal(node.listenerCount('drained'), 0);
  });

  test('SIGHUP reloads and says what changed; signals that come meanwhile make one more', async () => {
    const first = Promise.withResolvers<{ changed: string[]; restartNeeded: string[] }>();
    node.reloading = () => first.promise;
    const done = start();
    await untilLine('ready');
    const called = once(node, 'called');
    signals.emit('SIGHUP', 'SIGHUP');
    await called;
    signals.emit('SIGHUP', 'SIGHUP');
    signals.emit('SIGHUP', 'SIGHUP');
    node.reloading = () => Promise.reject(new Error('relay.yaml:1:1: relai: unknown key'));
    first.resolve({ changed: ['log.level'], restartNeeded: ['network.listen'] });
    const { changed, restartNeeded } = await untilLine('reloaded');
    assert.deepEqual([changed, restartNeeded], [['log.level'], ['network.listen']]);
    const failed = await untilLine('reload-failed');
    assert.equal(failed.level, 'error');
    assert.match(String(failed['error']), /unknown key/);
    assert.deepEqual(node.calls, ['start', 'reload', 'reload']);
    signals.emit('SIGTERM', 'SIGTERM');
    await done;
    assert.deepEqual(told, ['ready', 'reloading', 'ready', 'reloading', 'ready', 'stopping', 'stopping']);
  });

  test('SIGHUP during the start reloads after it: the file may have changed since it was read', async () => {
    const started = Promise.withResolvers<void>();
    node.starting = started.promise;
    const done = start();
    signals.emit('SIGHUP', 'SIGHUP');
    assert.deepEqual(node.calls, ['start']);
    started.resolve();
    await untilLine('reloaded');
    assert.deepEqual(node.calls, ['start', 'reload']);
    signals.emit('SIGTERM', 'SIGTERM');
    await done;
  });

  test('an error that nothing caught is logged, and the process ends with 1', async () => {
    void start();
    await untilLine('ready');
    const exited = Promise.withResolvers<void>();
    exits.push = (code) => (exited.resolve(), code);
    signals.emit('uncaughtException', new Error('bug'));
    await exited.promise;
    const fatal = await untilLine('fatal');
    assert.equal(fatal['error'], 'bug');
    assert.match(String(fatal['stack']), /supervise\.test/);
    assert.equal(node.calls.at(-1), 'stop');
    node.emit('drained');
  });
});
