import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { generateKeyPair } from '@libp2p/crypto/keys';
import type { PeerId, PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import fc from 'fast-check';
import { MAX_DIRECTORY_FRAME_BYTES, decodeMessage, encodeMessage } from '../../../../src/lib/directory/protocol.ts';
import { MAX_ALTERNATIVES, MAX_VALID_MS, openStatement, sealStatement } from '../../../../src/lib/directory/statement.ts';
import type { RelayStatement } from '../../../../src/lib/directory/statement.ts';
import { RelaydError } from '../../../../src/lib/errors.ts';
import { MessageWriter, concat, encodeVarint } from '../../../../src/lib/protobuf.ts';
import { sealEnvelope } from '../../../../src/lib/signed-envelope.ts';

const KIND = { domain: 'relayd-statement', payloadType: new TextEncoder().encode('/relayd/statement') };
const OTHER_RELAY = '12D3KooWGzBgc1JXDpn8TjMtDLDq4fE9t5V7ZyLM8FBkvHrNSmVX';

const code = (wanted: string) => (error: unknown): boolean => error instanceof RelaydError && error.code === wanted;

/** Statements as JSON-like values: addresses as text. */
const plain = (statement: RelayStatement): unknown => ({ ...statement, alternatives: statement.alternatives.map(String) });

const statement = (set: Partial<RelayStatement> = {}): RelayStatement => ({
  sequence: 1_700_000_000_000,
  validMs: 900_000,
  version: '1.2.3',
  region: 'eu-west',
  draining: true,
  drainEndsInMs: 30_000,
  classes: [
    { name: 'public', reservationsMax: 128, reservationTtlMs: 3_600_000, circuitDurationMs: 120_000, circuitBytesPerDirection: 131_072 },
    { name: 'member', reservationsMax: 1024, reservationTtlMs: 3_600_000, circuitDurationMs: Infinity, circuitBytesPerDirection: Infinity },
  ],
  load: { reservations: 0.5, circuits: 0.25, bandwidth: 0.9, eventLoopDelayMs: 50 },
  alternatives: [multiaddr(`/ip4/192.0.2.1/tcp/4001/p2p/${OTHER_RELAY}`)],
  ...set,
});

const whole = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const limit = fc.oneof(whole, fc.constant(Infinity));
const share = fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100);
const word = fc.stringMatching(/^[a-zA-Z0-9 äß水-]{0,100}$/);
const classOf = (name: 'public' | 'member') => fc.record({ name: fc.constant(name), reservationsMax: limit, reservationTtlMs: limit, circuitDurationMs: limit, circuitBytesPerDirection: limit }, { noNullPrototype: true });
const addr = fc.integer({ min: 1, max: 65_535 }).map((port): Multiaddr => multiaddr(`/ip4/192.0.2.1/tcp/${port}/p2p/${OTHER_RELAY}`));

const anyStatement: fc.Arbitrary<RelayStatement> = fc.record({
  sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  validMs: fc.integer({ min: 1, max: MAX_VALID_MS }),
  version: word,
  region: fc.option(word, { nil: undefined }),
  draining: fc.boolean(),
  drainEndsInMs: fc.option(whole, { nil: undefined }),
  classes: fc.subarray(['public', 'member'] as const).chain((names) => fc.tuple(...names.map(classOf))),
  load: fc.record({ reservations: share, circuits: share, bandwidth: fc.option(share, { nil: undefined }), eventLoopDelayMs: whole }, { noNullPrototype: true }),
  alternatives: fc.array(addr, { maxLength: MAX_ALTERNATIVES }),
}, { noNullPrototype: true });

describe('statements', () => {
  let key: PrivateKey;
  let relay: PeerId;

  before(async () => {
    key = await generateKeyPair('Ed25519');
    relay = peerIdFromPrivateKey(key);
  });

  /** A payload of the test's own making, signed as it must be. */
  const opened = async (payload: Uint8Array): Promise<RelayStatement> => openStatement(await sealEnvelope(KIND, payload, key), relay);
  const base = (): MessageWriter => new MessageWriter().varint(1, 1).varint(2, 1000);

  it('come back as they were', async () => {
    await fc.assert(
      fc.asyncProperty(anyStatement, async (made) => assert.deepEqual(plain(await openStatement(await sealStatement(made, key), relay)), plain(made))),
      { numRuns: 200 },
    );
  });

  it('fit a message, whatever they hold and whoever signs', async () => {
    const rsa = await generateKeyPair('RSA', 4096);
    const name = 'a'.repeat(60);
    const long = multiaddr(`/dns4/${name}.${name}.${name}.example/tcp/4001/p2p/${OTHER_RELAY}`);
    const sealed = await sealStatement(statement({ version: 'v'.repeat(128), region: 'r'.repeat(128), alternatives: Array.from({ length: 20 }, () => long) }), rsa);
    const message = decodeMessage(encodeMessage({ type: 'statement', statement: sealed }));
    assert.ok(message.type === 'statement');
    const read = await openStatement(message.statement, peerIdFromPrivateKey(rsa));
    assert.equal(read.alternatives.length, MAX_ALTERNATIVES);
  });

  it('are a statement or a RelaydError, whatever bytes come', async () => {
    const good = [...(await sealStatement(statement(), key))];
    const changed = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 5 }).map((changes) => changes.reduce((bytes, [at, byte]) => bytes.with(at, byte), Uint8Array.from(good)));
    const bytes = fc.oneof(fc.uint8Array({ maxLength: 300 }), changed);
    await fc.assert(
      fc.asyncProperty(bytes, async (envelope) => {
        await openStatement(envelope, relay).catch((error: unknown) => assert.ok(error instanceof RelaydError, String(error)));
      }),
    );
  });

  it('are a statement or a RelaydError, whatever a relay signs', async () => {
    const field = fc.tuple(fc.integer({ min: 1, max: 12 }), fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.uint8Array({ maxLength: 60 })));
    const payload = fc.array(field, { maxLength: 20 }).map((fields) => {
      const writer = base();
      fields.forEach(([number, value]) => (typeof value === 'bigint' ? writer.varint(number, value) : writer.bytes(number, value)));
      return writer.finish();
    });
    await fc.assert(
      fc.asyncProperty(fc.oneof(payload, fc.uint8Array({ maxLength: 100 })), async (body) => {
        await opened(body).catch((error: unknown) => assert.ok(error instanceof RelaydError && error.code === 'MALFORMED_MESSAGE', String(error)));
      }),
    );
  });

  // The library's decoder does not look at a field's wire type: such a bit changes the envelope, and not what is signed.
  it('never say anything else when any one bit is changed', async () => {
    const sealed = await sealStatement(statement(), key);
    const said = plain(await openStatement(sealed, relay));
    let refused = 0;
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = sealed.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      await openStatement(changed, relay).then(
        (read) => assert.deepEqual(plain(read), said, `bit ${bit}`),
        (error: unknown) => {
          assert.ok(code('STATEMENT_INVALID')(error), `bit ${bit}: ${String(error)}`);
          refused++;
        },
      );
    }
    assert.ok(refused > sealed.length * 8 - 50, `${refused} of ${sealed.length * 8}`);
  });

  it('hold only for the relay that signed them, and only as statements', async () => {
    const other = await generateKeyPair('Ed25519');
    await assert.rejects(openStatement(await sealStatement(statement(), other), relay), code('STATEMENT_INVALID'));
    const payload = base().finish();
    for (const kind of [{ ...KIND, domain: 'libp2p-relay-rsvp' }, { ...KIND, payloadType: Uint8Array.of(0x03, 0x02) }]) {
      await assert.rejects(openStatement(await sealEnvelope(kind, payload, key), relay), code('STATEMENT_INVALID'));
    }
  });

  it('are refused unread when they are longer than a message', async () => {
    await assert.rejects(openStatement(new Uint8Array(MAX_DIRECTORY_FRAME_BYTES + 1), relay), code('MALFORMED_MESSAGE'));
  });

  it('are refused without a sequence number or a lifetime', async () => {
    await assert.rejects(opened(new MessageWriter().varint(1, 1).finish()), code('MALFORMED_MESSAGE'));
    await assert.rejects(opened(new MessageWriter().varint(2, 1).finish()), code('MALFORMED_MESSAGE'));
  });

  it('may hold what a later version adds', async () => {
    const laterClass = new MessageWriter().text(1, 'guest').varint(2, 7).varint(99, 1).finish();
    const read = await opened(base().bytes(7, laterClass).text(50, 'later').varint(51, 1).finish());
    assert.deepEqual(read.classes, []);
    assert.equal(read.sequence, 1);
  });

  it('are believed for a day at most, and no share is over all of it', async () => {
    const read = await opened(new MessageWriter().varint(1, 1).varint(2, 2n ** 64n - 1n).bytes(8, new MessageWriter().varint(1, 250).finish()).finish());
    assert.equal(read.validMs, MAX_VALID_MS);
    assert.equal(read.load.reservations, 1);
  });

  it('keep eight alternatives, and none that is no full direct address of a relay', async () => {
    const good = Array.from({ length: 12 }, (_, i) => multiaddr(`/ip4/192.0.2.1/tcp/${i + 1}/p2p/${OTHER_RELAY}`));
    const name = Array.from({ length: 6 }, () => 'a'.repeat(50)).join('.');
    const bad = ['/ip4/192.0.2.1/tcp/1', `/ip4/192.0.2.1/tcp/1/p2p/${OTHER_RELAY}/p2p-circuit/p2p/${OTHER_RELAY}`, `/dns4/${name}/tcp/1/p2p/${OTHER_RELAY}`].map((text) => multiaddr(text).bytes);
    const writer = base();
    [Uint8Array.of(0xff, 0xff, 0xff), new Uint8Array(), ...bad, ...good.map(({ bytes }) => bytes)].forEach((bytes) => writer.bytes(9, bytes));
    const read = await opened(writer.finish());
    assert.deepEqual(read.alternatives.map(String), good.slice(0, MAX_ALTERNATIVES).map(String));
  });

  it('give no text to a log that could do harm there', async () => {
    const read = await opened(base().text(3, '1.0\u001b[31m\nx').text(4, 'r'.repeat(1000)).finish());
    assert.equal(read.version, '1.0?[31m?x');
    assert.ok((read.region ?? '').length < 200);
  });
});

describe('directory messages', () => {
  it('are a request or a statement, and come back as they were', () => {
    assert.deepEqual(decodeMessage(encodeMessage({ type: 'get' })), { type: 'get' });
    const message = { type: 'statement' as const, statement: Uint8Array.of(1, 2, 3) };
    assert.deepEqual(decodeMessage(encodeMessage(message)), message);
  });

  it('are bytes that other implementations can write down', () => {
    assert.equal(Buffer.from(encodeMessage({ type: 'get' })).toString('hex'), '0a00');
    assert.equal(Buffer.from(encodeMessage({ type: 'statement', statement: Uint8Array.of(0xab) })).toString('hex'), '1201ab');
  });

  it('may carry what a later version adds, and are malformed with nothing that this one knows', () => {
    assert.deepEqual(decodeMessage(concat([encodeMessage({ type: 'get' }), new MessageWriter().varint(9, 1).finish()])), { type: 'get' });
    for (const body of [new Uint8Array(), new MessageWriter().varint(9, 1).finish(), encodeVarint(5)]) {
      assert.throws(() => decodeMessage(body), code('MALFORMED_MESSAGE'));
    }
  });

  it('are a message or MALFORMED_MESSAGE, whatever bytes come', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (body) => {
        try {
          assert.ok(['get', 'statement'].includes(decodeMessage(body).type));
        } catch (error) {
          assert.ok(code('MALFORMED_MESSAGE')(error), String(error));
        }
      }),
    );
  });

  it('are not written when they are too long to be read', () => {
    assert.throws(() => encodeMessage({ type: 'statement', statement: new Uint8Array(MAX_DIRECTORY_FRAME_BYTES) }), code('MALFORMED_MESSAGE'));
  });
});
