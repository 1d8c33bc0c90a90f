import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { SharedRevocations } from '../../../src/coordination/backend.ts';
import { RevocationNews } from '../../../src/coordination/revocation-news.ts';
import type { NewsOutcome } from '../../../src/coordination/revocation-news.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
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
  let news: RevocationNews;

  beforeEach(() => {
    current = undefined;
    authority = AUTHORITY;
    isAway = false;
    isSigned = true;
    [told, outcomes] = [[], []];
    news = new RevocationNews({
      realm: {
        authority: () => authority,
        current: () => current,
        offer: (offered) => {
          if (!isSigned) return 'refused';
          const before = current?.sequence ?? 0;
          if (offered.sequence <= before) return offered.sequence === before ? 'known' : 'older';
          current = offered;
          changed();
          return 'newer';
        },
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
      log: silentLogger,
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
    const later = new RevocationNews({ realm: { authority: () => AUTHORITY, current: () => current, offer: () => 'older', onChange: () => () => {} }, registry: { tellRevocations: async ({ sequence }) => void told.push(sequence) }, log: silentLogger, onOutcome: () => {} });
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
