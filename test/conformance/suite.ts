import { describe, test } from 'node:test';
import { play } from './case.ts';
import { CASES } from './cases/index.ts';
import { variant } from './variant.ts';

/** p2p-relayd on the wire, by shared/conformance.md: a test a behaviour, under its number. */
export function conformance(how: typeof variant): void {
  Object.assign(variant, how);
  // The library's TLS, which the peers use, costs several times what its noise does.
  describe(`circuit relay v2, ${how.dataPath} data path, ${how.security} over ${how.over}`, { concurrency: how.security === 'tls' ? 3 : 6 }, () => {
    for (const one of CASES) {
      test(`${String(one.number).padStart(2, '0')} ${one.title}`, () => play(one, 'ours'));
    }
  });
}
