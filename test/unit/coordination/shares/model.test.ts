import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Scenario } from './scenario.ts';
import { seededRandom } from '../../../support/random.ts';

const RUNS = Number(process.env.SHARES_RUNS ?? 30);
const limits = fc.array(fc.constantFrom(1, 2, 3, 8, 20, 100), { minLength: 1, maxLength: 3 });
const settings = fc.record({ seed: fc.integer(), relays: fc.integer({ min: 2, max: 5 }), delayMs: fc.constantFrom(1, 10, 60), limits });

describe('places that relays share', () => {
  it('are never more than the limit while all relays see each other, and all are to be had, whoever joins', async () => {
    await fc.assert(
      fc.asyncProperty(settings, async ({ seed, relays, delayMs, limits: counts }) => {
        const scenario = new Scenario({ random: seededRandom(seed), delayMs, limits: counts });
        await scenario.begin(relays);
        for (let i = 0; i < 3; i++) {
          await scenario.rush(2_000, 10, 1_500);
          if (scenario.random() < 0.5) await scenario.join();
        }
        await scenario.clock.run(10_000);
        await ended(scenario);
      }),
      { numRuns: RUNS },
    );
  });

  it('are never more than the bound while relays die, are cut off, and come back, and are counted right afterwards', async () => {
    await fc.assert(
      fc.asyncProperty(settings, async ({ seed, relays, delayMs, limits: counts }) => {
        const scenario = new Scenario({ random: seededRandom(seed), delayMs, limits: counts });
        await scenario.begin(relays);
        for (let i = 0; i < 4; i++) {
          await scenario.rush(1_000, 15, 3_000);
          await fault(scenario);
          await scenario.rush(scenario.between(0, 7_000), 25, 3_000);
          scenario.heal();
        }
        await scenario.clock.run(20_000);
        await ended(scenario);
      }),
      { numRuns: RUNS },
    );
  });
});

async function fault(scenario: Scenario): Promise<void> {
  const { relays } = scenario.world;
  const one = scenario.pick(relays);
  const other = scenario.pick(relays);
  if (one === undefined || other === undefined) return;
  const away = new Set(relays.filter(() => scenario.random() < 0.4).map(({ id }) => id));
  const isSilent = scenario.random() < 0.5;
  const faults: (() => Promise<unknown>)[] = [
    async () => scenario.join(),
    async () => relays.length > 1 && scenario.kill(one),
    async () => scenario.cut((a, b) => away.has(a) !== away.has(b), isSilent),
    async () => scenario.cut((a, b) => a === one.id || b === one.id, isSilent),
    async () => scenario.mute(one),
    async () => one !== other && scenario.flap(one, other),
    async () => one !== other && scenario.replace(one, other),
  ];
  await scenario.pick(faults)?.();
}

/** Everybody has gone, all relays see each other: nothing is counted any more, and the whole limit can be had. */
async function ended(scenario: Scenario): Promise<void> {
  assert.deepEqual(scenario.excesses, []);
  assert.deepEqual(scenario.mismatches(), []);
  for (const key of scenario.keys) {
    assert.equal(scenario.total(key.key), 0);
    assert.equal(await scenario.fill(key), scenario.usable(key), key.key);
  }
}
