import assert from 'node:assert/strict';
import { before, beforeEach, describe, it } from 'node:test';
import { SignedProofs } from '../../../src/coordination/proofs.ts';
import { ClusterSecret } from '../../../src/coordination/secret.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { SECRET, aRelay } from './a-relay.ts';
import type { ARelay } from './a-relay.ts';

const EPOCH = 7;

describe('what is believed for a signature alone', () => {
  let self: ARelay;
  let other: ARelay;
  let clock: ManualClock;
  let warnings: number;
  let refused: number;
  let signed: number | undefined;
  let proofs: SignedProofs;

  before(async () => {
    [self, other] = await Promise.all([aRelay(), aRelay()]);
  });

  beforeEach(() => {
    [clock, warnings, refused] = [new ManualClock(), 0, 0];
    proofs = new SignedProofs({
      self: self.name,
      epoch: EPOCH,
      secret: SECRET,
      realm: { authority: () => 'aa', signedSequence: () => signed },
      clock,
      log: { ...silentLogger, warn: () => void warnings++ },
      onRefusedList: () => refused++,
    });
  });

  it('is a newer run of this relay, by its own key and for what is in the record', async () => {
    assert.equal(await proofs.provesNewer(await self.seal({ epoch: EPOCH + 1 })), true);
    assert.equal(warnings, 0);
  });

  it('is no run that is not newer, nor one that another key or another cluster speaks of', async () => {
    const records = [
      await self.seal({ epoch: EPOCH }),
      await self.seal({ epoch: EPOCH - 1, sequence: 1_000 }),
      await other.seal({ epoch: EPOCH + 1 }),
      await self.seal({ epoch: EPOCH + 1 }, new ClusterSecret(['11'.repeat(32)], 'test', silentLogger)),
      new Uint8Array(),
      Buffer.from('not signed'),
    ];
    for (const record of records) assert.equal(await proofs.provesNewer(record), false);
    assert.equal(warnings, 1, 'once a minute');
    clock.advance(60_000);
    await proofs.provesNewer(new Uint8Array());
    assert.equal(warnings, 2);
  });

  it('is the run in which another relay has signed its record', async () => {
    const record = await other.seal({ epoch: 9 });
    assert.equal(await proofs.isOfRun(other.name, 9, record), true);
    assert.equal(await proofs.isOfRun(other.name, 10, record), false);
    assert.equal(await proofs.isOfRun(self.name, 9, record), false);
    assert.equal(await proofs.isOfRun('no peer id', 9, record), false);
  });

  it('is the number in a list; those without one are counted, and complained of once a minute', () => {
    const list = { authority: 'aa', sequence: 1_000, list: Uint8Array.of(1) };
    signed = 5;
    assert.deepEqual([proofs.signedSequence(list), proofs.ownAuthority(), refused], [5, 'aa', 0]);
    signed = undefined;
    for (let i = 0; i < 10; i++) assert.equal(proofs.signedSequence(list), undefined);
    assert.deepEqual([refused, warnings], [10, 1]);
  });
});
