import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ReservationTable } from '../../../../src/coordination/gossip/reservation-table.ts';

const holding = (sequence: number): { sequence: number; toldAt: number; expiresAt: number } => ({ sequence, toldAt: sequence / 2, expiresAt: sequence * 2 });

describe('the table of reservations', () => {
  it('is a map of peers, whatever is put and taken in whatever order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(200), fc.boolean())), (steps) => {
        const [table, model] = [new ReservationTable(), new Map<string, number>()];
        steps.forEach(([number, isPut], i) => {
          const peer = `peer-${number}`;
          if (isPut) table.set(peer, holding(i + 1));
          else table.delete(peer);
          if (isPut) model.set(peer, i + 1);
          else model.delete(peer);
        });
        assert.equal(table.size, model.size);
        assert.deepEqual(new Map([...table.since(0)].map(({ peer, sequence }) => [peer, sequence])), model);
        for (const [peer, sequence] of model) assert.deepEqual(table.get(peer), holding(sequence));
      }),
    );
  });

  it('drops what is over, some entries at a time', () => {
    const table = new ReservationTable();
    for (let i = 1; i <= 1_000; i++) table.set(`peer-${i}`, holding(i));
    table.sweep(1_000, 100);
    assert.equal(table.size, 900);
    for (let i = 0; i < 20; i++) table.sweep(1_000, 100);
    assert.equal(table.size, 500);
    assert.equal(table.get('peer-500'), undefined);
    assert.deepEqual(table.get('peer-501'), holding(501));
  });
});
