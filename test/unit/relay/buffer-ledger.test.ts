import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BufferLedger } from '../../../src/relay/buffer-ledger.ts';

describe('BufferLedger', () => {
  it('is full at its maximum', () => {
    const ledger = new BufferLedger(100);
    ledger.change(99);
    assert.equal(ledger.full, false);
    ledger.change(1);
    assert.deepEqual([ledger.full, ledger.held], [true, 100]);
  });

  it('wakes each waiter once when there is room again, and not one that was forgotten', () => {
    const ledger = new BufferLedger(100);
    const woken: string[] = [];
    const [a, b] = ['a', 'b'].map((name) => () => void woken.push(name)) as [() => void, () => void];
    ledger.change(150);
    [a, b, a].forEach((wake) => ledger.onRoom(wake));
    ledger.change(-50);
    assert.deepEqual(woken, [], 'still full');
    ledger.forget(b);
    ledger.change(-1);
    assert.deepEqual(woken, ['a']);
    ledger.change(-1);
    assert.deepEqual(woken, ['a']);
  });

  it('wakes waiters when its maximum is raised', () => {
    const ledger = new BufferLedger(100);
    let woken = 0;
    ledger.change(100);
    ledger.onRoom(() => woken++);
    ledger.maximum = 100;
    assert.equal(woken, 0);
    ledger.maximum = 101;
    assert.equal(woken, 1);
  });

  it('takes a waiter that comes back while it is woken', () => {
    const ledger = new BufferLedger(100);
    let woken = 0;
    const again = (): void => {
      woken++;
      ledger.onRoom(again);
    };
    ledger.change(100);
    ledger.onRoom(again);
    ledger.change(-10);
    assert.equal(woken, 1, 'not called again in the same round');
    ledger.change(-10);
    assert.equal(woken, 2);
  });

  it('asks for relief until what is held fits, and no more when that is of no use', () => {
    let asked = 0;
    const ledger: BufferLedger = new BufferLedger(100, () => {
      asked++;
      if (asked <= 2) ledger.change(-40);
    });
    ledger.change(100);
    assert.equal(asked, 0);
    ledger.change(60);
    assert.deepEqual([asked, ledger.held], [2, 80]);
    ledger.change(50);
    assert.deepEqual([asked, ledger.held], [3, 130]);
  });
});
