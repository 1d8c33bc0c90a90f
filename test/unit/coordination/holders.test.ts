import assert from 'node:assert/strict';
import { before, beforeEach, describe, it } from 'node:test';
import type { PeerId } from '@libp2p/interface';
import { Holders } from '../../../src/coordination/holders.ts';
import type { LinkHandler } from '../../../src/coordination/links.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { makePeerIds } from '../../support/peer-ids.ts';

const nobody = new AbortController().signal;

describe('who holds a reservation', () => {
  let target: PeerId;
  let registered: string[] | undefined;
  /** What each linked relay says; `undefined`: nothing. */
  let says: Map<string, boolean | undefined>;
  let asked: string[];
  let handler: LinkHandler | undefined;
  let holders: Holders;

  before(async () => {
    [target] = (await makePeerIds(1)) as [PeerId];
  });

  beforeEach(() => {
    registered = [];
    says = new Map();
    asked = [];
    holders = new Holders({
      self: 'self',
      registry: {
        holders: async () => {
          if (registered === undefined) throw new RelaydError('STORE_UNAVAILABLE', 'away');
          return [...registered];
        },
      },
      links: {
        members: () => [...says.keys()],
        ask: async (relay, _kind, question) => {
          asked.push(relay);
          const said = says.get(relay);
          if (said === undefined) throw new RelaydError('TIMEOUT', 'silent');
          assert.equal(new TextDecoder().decode(question), target.toString());
          return Uint8Array.of(Number(said));
        },
        answer: (_kind, answers) => {
          handler = answers;
          return () => (handler = undefined);
        },
      },
      holds: (peer) => peer === target.toString(),
      clock: systemClock,
    });
    holders.start();
  });

  it('is what the registry says, without this relay itself', async () => {
    registered = ['b', 'self', 'a'];
    assert.deepEqual(await holders.of(target, nobody), ['b', 'a']);
    assert.deepEqual(asked, []);
  });

  it('is asked of the relays themselves while the store is away, and else remembered', async () => {
    registered = ['old', 'gone'];
    await holders.of(target, nobody);
    registered = undefined;
    says = new Map([['a', false], ['b', true], ['old', false]]);
    assert.deepEqual(await holders.of(target, nobody), ['b', 'gone'], 'the old one says no, the gone one cannot be asked');
    says = new Map([['old', undefined]]);
    assert.deepEqual(await holders.of(target, nobody), ['old', 'gone'], 'a silent one may hold it still');
  });

  it('is forgotten when the registry says that there is none', async () => {
    registered = ['a'];
    await holders.of(target, nobody);
    registered = [];
    await holders.of(target, nobody);
    registered = undefined;
    assert.deepEqual(await holders.of(target, nobody), []);
  });

  it('is asked of no more than sixteen, those first that had it last', async () => {
    registered = ['r30'];
    await holders.of(target, nobody);
    registered = undefined;
    says = new Map(Array.from({ length: 40 }, (_, i) => [`r${i}`, i === 30]));
    assert.deepEqual(await holders.of(target, nobody), ['r30']);
    assert.deepEqual([asked.length, asked[0]], [16, 'r30']);
  });

  it('is nobody for who has given up, and never an error', async () => {
    registered = undefined;
    says = new Map([['a', true]]);
    assert.deepEqual(await holders.of(target, AbortSignal.abort(new Error('gone'))), []);
  });

  it('is answered to other relays, until this one stops', async () => {
    const answer = (text: string): unknown => handler?.('other', new TextEncoder().encode(text), nobody);
    assert.deepEqual([answer(target.toString()), answer('12D3Koo')], [Uint8Array.of(1), Uint8Array.of(0)]);
    assert.throws(() => answer('x'.repeat(200)), (error) => error instanceof RelaydError && error.code === 'BAD_REQUEST');
    holders.stop();
    assert.equal(handler, undefined);
  });
});
