import { describe, test } from 'node:test';
import { play } from './case.ts';
import { CASES } from './cases/index.ts';

/** p2p-relayd on the wire, by shared/conformance.md: a test a behaviour, under its number. */
describe('circuit relay v2', { concurrency: 6 }, () => {
  for (const one of CASES) {
    test(`${String(one.number).padStart(2, '0')} ${one.title}`, () => play(one, 'ours'));
  }
});
