import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { multiaddr } from '@multiformats/multiaddr';
import { ManualClock } from '../../../src/lib/clock.ts';
import { dialBack } from '../../../src/reachability/autonat-dial-back.ts';
import type { DialBackHost } from '../../../src/reachability/autonat-dial-back.ts';
import { DialStatus } from '../../../src/reachability/autonat-protocol.ts';

const ADDR = multiaddr('/ip4/8.8.8.8/tcp/4001');

function failing(error: Error): DialBackHost {
  return { start: () => Promise.resolve(), stop: () => Promise.resolve(), isDialable: () => Promise.resolve(true), dial: () => Promise.reject(error) };
}

const dial = (error: Error, stopped = new AbortController().signal): Promise<number> => dialBack(failing(error), ADDR, 1n, new ManualClock(), stopped);
const coded = (code: string): Error => Object.assign(new Error(code), { code });

describe('a dial that fails', () => {
  it("is the client's fault when nothing answers there", async () => {
    for (const code of ['ECONNREFUSED', 'ETIMEDOUT', 'EHOSTUNREACH']) {
      assert.equal(await dial(coded(code)), DialStatus.DIAL_ERROR, code);
    }
    assert.equal(await dial(new AggregateError([coded('ECONNREFUSED')])), DialStatus.DIAL_ERROR);
  });

  it("is nobody's word about the client when this machine is short of something, however libp2p wraps that", async () => {
    for (const error of [coded('EMFILE'), new Error('dial failed', { cause: coded('ENETUNREACH') }), new AggregateError([coded('ECONNREFUSED'), new Error('x', { cause: coded('ENOBUFS') })])]) {
      await assert.rejects(dial(error), error);
    }
    await assert.rejects(dial(coded('ECONNREFUSED'), AbortSignal.abort(new Error('stopping'))));
  });
});
