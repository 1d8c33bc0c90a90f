import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CircuitSlots } from '../../../src/relay/circuit-slots.ts';
import type { CircuitSlot } from '../../../src/relay/circuit-slots.ts';
import { INTERNAL_LIMITS } from '../../../src/relay/classes.ts';
import { Refused } from '../../../src/relay/refusal.ts';

const limits = (set: Partial<typeof INTERNAL_LIMITS.circuits>): typeof INTERNAL_LIMITS.circuits => ({ ...INTERNAL_LIMITS.circuits, max: Infinity, perSource: Infinity, perTarget: Infinity, pending: Infinity, ...set });
const refused = (limit: string, current: number, maximum: number) => (error: unknown): boolean =>
  error instanceof Refused && error.limit === limit && error.details.current === current && error.details.maximum === maximum;

describe('CircuitSlots', () => {
  it('stop at each limit, and go on when a slot is free again', () => {
    const cases = [
      ['circuits.max', limits({ max: 2 }), (i: number) => [`s${i}`, `t${i}`]],
      ['circuits.perSource', limits({ perSource: 2 }), (i: number) => ['s', `t${i}`]],
      ['circuits.perTarget', limits({ perTarget: 2 }), (i: number) => [`s${i}`, 't']],
      ['circuits.pending', limits({ pending: 2 }), (i: number) => [`s${i}`, `t${i}`]],
    ] as const;
    for (const [name, set, pair] of cases) {
      const slots = new CircuitSlots();
      const take = (i: number): CircuitSlot => slots.take('public', ...(pair(i) as [string, string]), set);
      const first = take(1);
      take(2);
      assert.throws(() => take(3), refused(name, 2, 2));
      assert.equal(slots.count('public'), 2, 'a refusal changes nothing');
      first.release();
      take(3);
      assert.throws(() => take(4), refused(name, 2, 2));
    }
  });

  it('do not count an established circuit as pending', () => {
    const slots = new CircuitSlots();
    const first = slots.take('public', 's', 't', limits({ pending: 1 }));
    first.established();
    first.established();
    slots.take('public', 's', 't', limits({ pending: 1 }));
    assert.throws(() => slots.take('public', 's', 't', limits({ pending: 1 })), refused('circuits.pending', 1, 1));
    first.release();
    assert.throws(() => slots.take('public', 's', 't', limits({ pending: 1 })), refused('circuits.pending', 1, 1), 'releasing it frees no pending place of another');
  });

  it('are freed once, however often they are released', () => {
    const slots = new CircuitSlots();
    const [first] = [slots.take('public', 's', 't', limits({})), slots.take('public', 's', 't', limits({}))];
    for (let i = 0; i < 3; i++) first.release();
    assert.equal(slots.count('public'), 1);
  });

  it('are a pool each class', () => {
    const slots = new CircuitSlots();
    slots.take('public', 's', 't', limits({ max: 1 }));
    assert.throws(() => slots.take('public', 'a', 'b', limits({ max: 1 })), refused('circuits.max', 1, 1));
    slots.take('member', 's', 't', limits({ max: 1, perSource: 1, perTarget: 1, pending: 1 }));
    assert.deepEqual([slots.count('public'), slots.count('member'), slots.count('internal')], [1, 1, 0]);
  });

  it('agree with a plain list, whatever comes, and end at zero', () => {
    const operation = fc.record({ what: fc.constantFrom('take' as const, 'establish' as const, 'release' as const), source: fc.constantFrom('a', 'b'), target: fc.constantFrom('x', 'y'), which: fc.nat({ max: 30 }) });
    const set = limits({ max: 6, perSource: 4, perTarget: 5, pending: 3 });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 80 }), (operations) => {
        const slots = new CircuitSlots();
        let model: { slot: CircuitSlot; source: string; target: string; pending: boolean }[] = [];
        for (const { what, source, target, which } of operations) {
          const chosen = model[which % Math.max(1, model.length)];
          if (what === 'take') {
            const full = model.length >= 6 || model.filter((held) => held.source === source).length >= 4 || model.filter((held) => held.target === target).length >= 5 || model.filter((held) => held.pending).length >= 3;
            if (full) assert.throws(() => slots.take('public', source, target, set), Refused);
            else model.push({ slot: slots.take('public', source, target, set), source, target, pending: true });
          } else if (chosen !== undefined && what === 'establish') {
            chosen.slot.established();
            chosen.pending = false;
          } else if (chosen !== undefined) {
            chosen.slot.release();
            model = model.filter((held) => held !== chosen);
          }
          assert.equal(slots.count('public'), model.length);
        }
        model.forEach(({ slot }) => slot.release());
        assert.equal(slots.count('public'), 0);
        for (let i = 0; i < 3; i++) slots.take('public', 'a', 'x', set).established();
      }),
    );
  });

  it('do not count a source or target of another relay\'s', () => {
    const slots = new CircuitSlots();
    const set = limits({ perSource: 1, perTarget: 1 });
    const forwarded = [slots.take('public', undefined, 't', set), slots.take('public', 's', undefined, set), slots.take('public', undefined, undefined, set)];
    assert.equal(slots.count('public'), 3);
    assert.throws(() => slots.take('public', undefined, 't', set), refused('circuits.perTarget', 1, 1));
    assert.throws(() => slots.take('public', 's', undefined, set), refused('circuits.perSource', 1, 1));
    forwarded.forEach((slot) => slot.release());
    slots.take('public', 's', 't', set);
    assert.equal(slots.count('public'), 1);
  });
});
