import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { SharedRevocations } from '../../../src/coordination/backend.ts';
import { RevocationNews } from '../../../src/coordination/revocation-news.ts';
import type { NewsOutcome } from '../../../src/coordination/revocation-news.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import type { Logger } from '../../../src/lib/logger.ts';
import { settled } from '../../support/waiting.ts';

const AUTHORITY = 'a1'.repeat(32);
const list = (sequence: number, authority = AUTHORITY): SharedRevocations => ({ authority, sequence, list: Uint8Array.of(sequence) });

describe('news of revocations', () => {
  let current: SharedRevocations | undefined;
  let authority: string | undefined;
  let isAway: boolean;
  let told: number[];
  let outcomes: NewsOutcome[];
  let changed: () => void;
  let isSigned: boolean;
  let lastOffer: 'known' | undefined;
  let news: RevocationNews;
  let warnings: number;
  const log: Logger = { ...silentLogger, warn: () => void warnings++ };

  beforeEach(() => {
    current = undefined;
    authority = AUTHORITY;
    isAway = false;
    isSigned = true;
    warnings = 0;
    [told, outcomes] = [[], []];
    news = new RevocationNews({
      realm: {
        authority: () => authority,
        current: () => current,
        offer: (offered) => {
          if (!isSigned) return 'refused';
          if (lastOffer !== undefined) return lastOffer;
          const before = current?.sequence ?? 0;
          if (offered.sequence <= before) return offered.sequence === before ? 'known' : 'older';
          current = offered;
          changed();
          return 'newer';
        },
        signedSequence: ({ sequence }) => (isSigned ? sequence : undefined),
        onChange: (listener) => {
          changed = listener;
          return () => (changed = () => {});
        },
      },
      registry: {
        tellRevocations: async ({ sequence }) => {
          if (isAway) throw new RelaydError('STORE_UNAVAILABLE', 'away');
          told.push(sequence);
        },
      },
      clock: new ManualClock(),
      log,
      onOutcome: (outcome) => outcomes.push(outcome),
    });
    news.start();
  });

  const revoke = async (sequence: number): Promise<void> => {
    current = list(sequence);
    changed();
    await settled(2);
  };

  it('are told when there are some, and again when the store may have lost them', async () => {
    await news.tellAgain();
    assert.deepEqual(told, []);
    await revoke(1);
    await revoke(2);
    await news.tellAgain();
    assert.deepEqual([told, outcomes], [[1, 2, 2], ['told', 'told', 'told']]);
  });

  it('are not told while the store is away, and are when it is back', async () => {
    await revoke(1);
    assert.deepEqual(told, []);
    isAway = true;
    await assert.rejects(news.tellAgain());
    isAway = false;
    await news.tellAgain();
    assert.deepEqual([told, outcomes], [[1], ['failed', 'told']]);
  });

  it('are taken over, and not told back to who told them', async () => {
    await news.tellAgain();
    news.heard(list(5));
    await settled(2);
    assert.deepEqual([current?.sequence, told, outcomes], [5, [], ['taken']]);
  });

  it('that are older are answered with those in force', async () => {
    await news.tellAgain();
    await revoke(9);
    news.heard(list(4));
    news.heard(list(9));
    await settled(2);
    assert.deepEqual([current?.sequence, told], [9, [9]], 'it was told already');
    const later = new RevocationNews({ realm: { authority: () => AUTHORITY, current: () => current, offer: () => 'older', signedSequence: () => 1, onChange: () => () => {} }, registry: { tellRevocations: async ({ sequence }) => void told.push(sequence) }, clock: new ManualClock(), log: silentLogger, onOutcome: () => {} });
    current = undefined;
    await later.tellAgain();
    current = list(9);
    later.heard(list(4));
    await settled(2);
    assert.deepEqual(told, [9, 9]);
  });

  it('that nobody has signed are counted, and keep no true ones back', async () => {
    await news.tellAgain();
    isSigned = false;
    news.heard(list(1_000));
    isSigned = true;
    await revoke(3);
    assert.deepEqual([told, outcomes], [[3], ['refused', 'told']]);
    isSigned = false;
    for (let i = 0; i < 50; i++) news.heard(list(2_000 + i));
    assert.deepEqual([outcomes.length, warnings], [52, 1], 'each is counted, and the log does not grow with them');
  });

  it('are known by what is in force here, whatever number was claimed', async () => {
    await news.tellAgain();
    await revoke(3);
    // As if it were the third, which is in force: nothing newer is known to be there.
    lastOffer = 'known';
    news.heard(list(1_000));
    lastOffer = undefined;
    await revoke(4);
    assert.deepEqual(told, [3, 4]);
  });

  it('of another realm pass by', async () => {
    news.heard(list(1, 'b2'.repeat(32)));
    authority = undefined;
    news.heard(list(1));
    assert.deepEqual([current, outcomes], [undefined, []]);
  });

  it('are not followed after a stop', async () => {
    await news.tellAgain();
    news.stop();
    await revoke(1);
    assert.deepEqual(told, []);
  });
});
