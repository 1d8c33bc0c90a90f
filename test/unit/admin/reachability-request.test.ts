import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAsk } from '../../../src/admin/reachability-request.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { ALICE } from './fake-view.ts';

const FULL = `/ip4/198.51.100.4/tcp/4001/p2p/${ALICE}`;

describe('a request to check reachability', () => {
  it('names the peers to ask by their full addresses', () => {
    assert.deepEqual(parseAsk({ ask: [FULL] }), [FULL]);
  });

  for (const [what, body] of [
    ['nothing', undefined],
    ['no list', { ask: FULL }],
    ['an empty list', { ask: [] }],
    ['too many', { ask: Array.from({ length: 17 }, () => FULL) }],
    ['no text', { ask: [7] }],
    ['no address', { ask: ['relay.example.org'] }],
    ['an address without a peer', { ask: ['/ip4/198.51.100.4/tcp/4001'] }],
    ['a peer without an address', { ask: [`/p2p/${ALICE}`] }],
    ['one without end', { ask: [`/dns4/${'a'.repeat(2000)}/tcp/1/p2p/${ALICE}`] }],
  ] as const) {
    it(`is refused with ${what}`, () => {
      assert.throws(() => parseAsk(body), (error) => error instanceof RelaydError && error.code === 'BAD_REQUEST' && error.data['field'] === 'ask');
    });
  }
});
