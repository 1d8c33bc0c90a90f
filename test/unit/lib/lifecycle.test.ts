import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Lifecycle } from '../../../src/lib/lifecycle.ts';
import type { Part } from '../../../src/lib/lifecycle.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import type { Logger } from '../../../src/lib/logger.ts';
import { within } from '../../support/waiting.ts';

function part(name: string, told: string[], faults: Partial<Part> = {}): Part {
  return { name, start: () => void told.push(`+${name}`), stop: () => void told.push(`-${name}`), ...faults };
}

function listeningLog(warned: unknown[]): Logger {
  return Object.assign(Object.create(silentLogger) as Logger, { warn: (facts: unknown) => warned.push(facts) });
}

describe('Lifecycle', () => {
  it('starts parts in order and stops them in reverse, again and again', async () => {
    const told: string[] = [];
    const lifecycle = new Lifecycle(silentLogger);
    for (let i = 0; i < 3; i++) {
      await lifecycle.start([part('a', told), part('b', told), part('c', told)]);
      await lifecycle.stop();
    }
    assert.equal(told.join(' '), Array(3).fill('+a +b +c -c -b -a').join(' '));
    await lifecycle.stop();
    assert.equal(told.length, 18, 'nothing is stopped twice');
  });

  it('waits for each part before the next', async () => {
    const told: string[] = [];
    const slow: Partial<Part> = {
      start: async () => {
        await new Promise((resolve) => setImmediate(resolve));
        told.push('+slow');
      },
      stop: async () => {
        await new Promise((resolve) => setImmediate(resolve));
        told.push('-slow');
      },
    };
    const lifecycle = new Lifecycle(silentLogger);
    await lifecycle.start([part('a', told), part('slow', told, slow), part('b', told)]);
    await lifecycle.stop();
    assert.deepEqual(told, ['+a', '+slow', '+b', '-b', '-slow', '-a']);
  });

  it('stops what it started when a part fails, and throws that failure', async () => {
    const told: string[] = [];
    const failure = new Error('no');
    for (const start of [() => Promise.reject(failure), () => { throw failure; }]) {
      const lifecycle = new Lifecycle(silentLogger);
      await assert.rejects(lifecycle.start([part('a', told), part('b', told), part('bad', told, { start }), part('c', told)]), failure);
      assert.deepEqual(told, ['+a', '+b', '-b', '-a']);
      await lifecycle.stop();
      assert.equal(told.splice(0).length, 4, 'nothing is left to stop');
    }
  });

  it('goes on stopping when a part fails to stop, and says which', async () => {
    const told: string[] = [];
    const warned: unknown[] = [];
    const lifecycle = new Lifecycle(listeningLog(warned));
    const thrown = part('thrown', told, { stop: () => { throw new Error('one'); } });
    const rejected = part('rejected', told, { stop: () => Promise.reject(new Error('two')) });
    await lifecycle.start([part('a', told), thrown, part('b', told), rejected]);
    await lifecycle.stop();
    assert.deepEqual(told.slice(-2), ['-b', '-a']);
    assert.deepEqual(warned, [{ part: 'rejected', error: 'two' }, { part: 'thrown', error: 'one' }]);
  });

  it('does not wait for a part that does not stop', async () => {
    const told: string[] = [];
    const warned: { part: string; error: string }[] = [];
    const lifecycle = new Lifecycle(listeningLog(warned), 20);
    await lifecycle.start([part('a', told), part('stuck', told, { stop: () => new Promise(() => {}) })]);
    await within(lifecycle.stop(), 'the other parts to stop');
    assert.deepEqual(told, ['+a', '+stuck', '-a']);
    assert.equal(warned[0]?.part, 'stuck');
    assert.match(warned[0]?.error ?? '', /20 ms/);
  });
});
