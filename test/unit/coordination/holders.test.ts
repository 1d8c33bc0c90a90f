import assert from 'node:assert/strict';
import { before, beforeEach, describe, it } from 'node:test';
import type { PeerId } from '@libp2p/interface';
import { Holders } from '../../../src/coordination/holders.ts';
import type { LinkHandler } from '../../../src/coordination/links.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { makePeerIds } from '../../support/peer-ids.ts';
import { settled } from '../../support/waiting.ts';

const nobody = new AbortController().signal;

describe('who holds a reservation', () => {
  let target: PeerId;
  let registered: string[] | undefined;
  /** The registry does not answer. */
  let isFrozen: boolean;
  /** What each linked relay says; `undefined`: that it cannot, `silent`: nothing. */
  let says: Map<string, boolean | undefined | 'silent'>;
  let asked: string[];
  /** Who is known to be one of the cluster. */
  let relays: Set<string>;
  /** Who is linked, and gone as far as the registry knows. */
  let lapsed: Set<string>;
  let clock: ManualClock;
  let handler: LinkHandler | undefined;
  let holders: Holders;

  before(async () => {
    [target] = (await makePeerIds(1)) as [PeerId];
  });

  beforeEach(() => {
    registered = [];
    isFrozen = false;
    lapsed = new Set();
    clock = new ManualClock();
    says = new Map();
    asked = [];
    relays = new Set();
    holders = new Holders({
      self: 'self',
      registry: {
        holders: async () => {
          if (isFrozen) return await new Promise(() => {});
          if (registered === undefined) throw new RelaydError('STORE_UNAVAILABLE', 'away');
          return [...registered];
        },
      },
      links: {
        members: () => [...says.keys()],
        ask: async (relay, _kind, question) => {
          asked.push(relay);
          const said = says.get(relay);
          if (said === undefined) throw new RelaydError('CLOSED', 'no link any more');
          if (said === 'silent') return await new Promise(() => {});
          assert.equal(new TextDecoder().decode(question), target.toString());
          return Uint8Array.of(Number(said));
        },
        answer: (_kind, answers) => {
          handler = answers;
          return () => (handler = undefined);
        },
      },
      isRelay: (relay) => relays.has(relay),
      holds: (peer) => peer === target.toString(),
      isLive: (relay) => !lapsed.has(relay),
      clock,
    });
    holders.start();
  });

  async function pass(ms: number): Promise<void> {
    await settled();
    clock.advance(ms);
    await settled();
  }

  it('is what the registry says, without this relay itself', async () => {
    registered = ['b', 'self', 'a'];
    assert.deepEqual(await holders.of(target, nobody), ['b', 'a']);
    assert.deepEqual(asked, []);
  });

  it('is first who is known to be a relay, however many names the store has, and sixteen are kept of them', async () => {
    relays = new Set(['old', 'new']);
    const madeUp = Array.from({ length: 20_000 }, (_, i) => `made up ${i}`);
    registered = [...madeUp, 'new', 'old'];
    const told = ['new', 'old', ...madeUp.slice(0, 14)];
    assert.deepEqual(await holders.of(target, nobody), told);
    registered = undefined;
    assert.deepEqual(await holders.of(target, nobody), told, 'remembered');
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

  it('is asked of sixteen first, those before all that had it last, and then of all the others', async () => {
    registered = ['r30'];
    await holders.of(target, nobody);
    registered = undefined;
    says = new Map(Array.from({ length: 40 }, (_, i) => [`r${i}`, i === 30]));
    assert.deepEqual(await holders.of(target, nobody), ['r30']);
    assert.deepEqual([asked.length, asked[0]], [16, 'r30']);
    asked = [];
    says = new Map<string, boolean | 'silent'>(Array.from({ length: 40 }, (_, i) => [`r${i}`, i === 39]));
    says.set('r0', 'silent');
    const found = holders.of(target, nobody);
    await pass(300);
    await pass(100);
    assert.deepEqual(await found, ['r39'], 'the others do not wait for one of the first that is silent');
    assert.equal(asked.length, 40);
  });

  it('is nobody only when all linked relays have said so, or one of them for long nothing', async () => {
    registered = undefined;
    says = new Map<string, boolean | 'silent'>([['a', false], ['b', 'silent']]);
    const found = holders.of(target, nobody);
    await pass(1_900);
    says = new Map([['a', true]]);
    assert.deepEqual(await Promise.race([found, Promise.resolve('waits')]), 'waits');
    await pass(100);
    assert.deepEqual(await found, []);
  });

  it('is asked of the relays beside a store that was away of late: they are surer, and who is found waits for no store', async () => {
    registered = ['old', 'far'];
    says = new Map([['old', false], ['new', true]]);
    assert.deepEqual(await holders.of(target, nobody), ['old', 'far']);
    holders.doubt();
    assert.deepEqual(await holders.of(target, nobody), ['new', 'far'], 'it has moved');
    says.set('new', false);
    registered = ['old', 'new', 'far', 'farther'];
    assert.deepEqual(await holders.of(target, nobody), ['far', 'farther'], 'what no relay says may be so');
    says.set('new', true);
    isFrozen = true;
    assert.deepEqual(await holders.of(target, nobody), ['new', 'far']);
    isFrozen = false;
    await pass(250);
    await pass(15_000);
    assert.deepEqual(await holders.of(target, nobody), registered, 'it has been told by then');
  });

  it('is waited for as long as it may take, once, and then nobody waits for a while', async () => {
    isFrozen = true;
    says = new Map([['a', true]]);
    const found = holders.of(target, nobody);
    await settled();
    assert.deepEqual(asked, []);
    // A quarter of a second while it is not known how long it takes.
    await pass(250);
    assert.deepEqual(await found, ['a']);
    assert.deepEqual(await holders.of(target, nobody), ['a']);
    isFrozen = false;
    registered = ['b'];
    await pass(250);
    await pass(1_000);
    assert.deepEqual(await holders.of(target, nobody), ['b'], 'it is asked again');
  });

  it('is asked of relays that the store knows nothing of when it names nobody: they cannot tell it', async () => {
    registered = [];
    says = new Map([['cut off', true], ['other', true]]);
    lapsed = new Set(['cut off']);
    assert.deepEqual([await holders.of(target, nobody), asked], [['cut off'], ['cut off']]);
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
