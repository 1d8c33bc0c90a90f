import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { holdYoungGeneration, youngBytes } from '../../../src/cli/young-generation.ts';

const MIB = 1 << 20;

/** Makes what survives, in turns, as a busy daemon does. @returns the largest the young generation was, in MiB */
async function work(): Promise<number> {
  const kept: object[] = [];
  let largest = 0;
  for (let turn = 0; turn < 2_000; turn++) {
    for (let i = 0; i < 1_000; i++) kept.push({ turn, parts: [i] });
    await new Promise((resolve) => setImmediate(resolve));
    largest = Math.max(largest, youngBytes());
  }
  return largest / MIB;
}

/** It leans on how this version of V8 grows: where it fails on a new one, measure again and see the decision record. */
describe('holdYoungGeneration', () => {
  it('keeps the young generation small while it holds, and lets go of it', async () => {
    const letGo = holdYoungGeneration();
    const held = await work();
    letGo();
    const free = await work();
    assert.ok(held <= 64, `${held} MiB while held`);
    assert.ok(free > held, `${free} MiB when let go, ${held} while held`);
  });
});
