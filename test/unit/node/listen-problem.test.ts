import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { listenProblem } from '../../../src/node/listen-problem.ts';

describe('an address that cannot be listened on', () => {
  for (const [code, is, text] of [
    ['EADDRINUSE', 'ADDRESS_IN_USE', /in use by another program/],
    ['EACCES', 'ADDRESS_UNAVAILABLE', /CAP_NET_BIND_SERVICE, or choose a port from 1024 on$/],
    ['EADDRNOTAVAIL', 'ADDRESS_UNAVAILABLE', /\(EADDRNOTAVAIL\); use an address of this machine/],
  ] as const) {
    it(`is explained: ${code}`, () => {
      const problem = listenProblem('/ip4/0.0.0.0/tcp/443/tls/ws', Object.assign(new Error('no'), { code }));
      assert.equal(problem.code, is);
      assert.match(problem.message, /^network\.listen: \/ip4\/0\.0\.0\.0\/tcp\/443\/tls\/ws: /);
      assert.match(problem.message, text);
    });
  }
});
