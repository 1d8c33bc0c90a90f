import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import fc from 'fast-check';
import { MAX_EPOCH } from '../../../src/coordination/epoch.ts';
import { MAX_RECORD_BYTES, decodeRecord, encodeRecord, openRecord } from '../../../src/coordination/record.ts';
import type { RelayRecord } from '../../../src/coordination/record.ts';
import { ClusterSecret } from '../../../src/coordination/secret.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { SECRET, aRelay } from './a-relay.ts';
import type { ARelay } from './a-relay.ts';

const code = (wanted: string) => (error: unknown): boolean => error instanceof RelaydError && error.code === wanted;

describe('the record of a relay', () => {
  let relay: ARelay;
  let other: ARelay;

  before(async () => {
    [relay, other] = await Promise.all([aRelay(), aRelay()]);
  });

  it('says what the relay said, to who has the secret', async () => {
    assert.deepEqual(await openRecord(await relay.seal(), relay.id, SECRET), { ...relay.facts(), epoch: 7, sequence: 1 });
  });

  it('cannot be read without the secret: it names private addresses', async () => {
    const sealed = await relay.seal();
    assert.ok(!Buffer.from(sealed).includes('10.0.0.1'));
    await assert.rejects(openRecord(sealed, relay.id, new ClusterSecret(['00'.repeat(32)], 'test', silentLogger)), code('MALFORMED_MESSAGE'));
    await assert.rejects(openRecord(sealed, relay.id, new ClusterSecret(['5b'.repeat(32)], 'other', silentLogger)), code('MALFORMED_MESSAGE'), 'of another cluster');
  });

  it('is nobody else\'s: who has the secret cannot speak for another relay', async () => {
    await assert.rejects(openRecord(await other.seal(), relay.id, SECRET), code('STATEMENT_INVALID'));
  });

  it('is refused when a bit of it was changed, or when it is larger than any', async () => {
    const sealed = await relay.seal();
    const changed = Uint8Array.from(sealed, (byte, i) => (i === 40 ? byte ^ 1 : byte));
    await assert.rejects(openRecord(changed, relay.id, SECRET), code('MALFORMED_MESSAGE'));
    await assert.rejects(openRecord(new Uint8Array(MAX_RECORD_BYTES + 1), relay.id, SECRET), code('MALFORMED_MESSAGE'));
  });

  it('is of no run that leaves no room above it: signed once with a stolen key, it would shut the relay out for ever', async () => {
    assert.equal((await openRecord(await relay.seal({ epoch: MAX_EPOCH }), relay.id, SECRET)).epoch, MAX_EPOCH);
    for (const epoch of [MAX_EPOCH + 1, Number.MAX_SAFE_INTEGER]) {
      await assert.rejects(openRecord(await relay.seal({ epoch }), relay.id, SECRET), code('MALFORMED_MESSAGE'));
    }
  });

  it('keeps only addresses that lead to the relay itself', async () => {
    const [good, wrong] = [`/dns4/relay.example/tcp/4001/p2p/${relay.name}`, `/ip4/192.0.2.9/tcp/1/p2p/${other.name}`];
    const addrs = [wrong, good, 'nonsense', '/ip4/192.0.2.9/tcp/1', `/ip4/192.0.2.9/tcp/1/p2p/${other.name}/p2p-circuit/p2p/${relay.name}`];
    const record = await openRecord(await relay.seal({ addrs, linkAddrs: addrs }), relay.id, SECRET);
    assert.deepEqual([record.addrs, record.linkAddrs], [[good], [good]]);
  });

  it('with as many long addresses as fit is still read', async () => {
    const addrs = Array.from({ length: 40 }, (_, i) => `/dns4/${`${'a'.repeat(50)}.`.repeat(3)}r${i}.example/tcp/4001/p2p/${relay.name}`);
    const record = await openRecord(await relay.seal({ addrs, linkAddrs: addrs }), relay.id, SECRET);
    assert.deepEqual(record.addrs, addrs.slice(0, 16));
  });

  it('names two secrets at most, however many are told', async () => {
    assert.deepEqual((await openRecord(await relay.seal({ secrets: ['a', 'b', 'c'] }), relay.id, SECRET)).secrets, ['a', 'b']);
  });

  const PLAIN = { noNullPrototype: true } as const;
  const whole = fc.nat({ max: Number.MAX_SAFE_INTEGER });
  const places = fc.record({ count: whole, max: fc.oneof(whole, fc.constant(Infinity)) }, PLAIN);
  const counts = fc.record({ reservations: places, circuits: places }, PLAIN);
  const some = fc.record({
    epoch: fc.integer({ min: 1, max: MAX_EPOCH }),
    sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    state: fc.constantFrom('ready' as const, 'unready' as const, 'draining' as const),
    addrs: fc.constant<readonly string[]>([]),
    linkAddrs: fc.constant<readonly string[]>([]),
    region: fc.oneof(fc.constant(undefined), fc.stringMatching(/^[a-z-]{1,20}$/)),
    version: fc.stringMatching(/^[0-9.]{1,20}$/),
    classes: fc.record({ public: counts, member: counts }, PLAIN),
    bytesRelayed: whole,
    load: fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100),
    digest: fc.stringMatching(/^[0-9a-f]{16}$/),
    secrets: fc.array(fc.stringMatching(/^[0-9a-f]{8}$/), { maxLength: 2 }),
  }, PLAIN);

  it('comes back from its bytes as it was, whatever it says', () => {
    fc.assert(fc.property(some, (record: RelayRecord) => assert.deepEqual(decodeRecord(encodeRecord(record), relay.name), record)));
  });

  it('is malformed or a record, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeRecord(bytes, relay.name);
        } catch (error) {
          assert.ok(code('MALFORMED_MESSAGE')(error), String(error));
        }
      }),
    );
  });
});
