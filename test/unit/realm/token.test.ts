import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import * as fc from 'fast-check';
import { RelaydError } from '../../../src/lib/errors.ts';
import { MessageWriter, concat, encodeVarint } from '../../../src/lib/protobuf.ts';
import { decodeContent, encodeContent } from '../../../src/realm/content.ts';
import type { TokenContent } from '../../../src/realm/content.ts';
import { MAX_TOKEN_BYTES, formatToken, readToken, readTokenBytes } from '../../../src/realm/index.ts';
import { opensslVerifier, seal, sealedBy, splitSealed } from '../../../src/realm/signature.ts';
import { signToken } from '../../../src/realm/token.ts';
import { ANNA, BERT, NOW, contentOf, makeKey } from './support.ts';

const KEY = makeKey();
const TOKEN = signToken(contentOf({ uses: ['reserve', 'connect', 'tunnel:ssh'], limits: { circuits: 4, durationMs: 60_000, bytesPerDirection: 2 ** 40, bandwidth: 1 } }), KEY.privateKey);
const TEXT = formatToken(TOKEN);

const problemOf = (read: () => unknown): unknown => {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof RelaydError && error.code === 'TOKEN_INVALID', String(error));
    return error.data['problem'];
  }
  return undefined;
};

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
const whole = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
const contents: fc.Arbitrary<TokenContent> = fc
  .record({
    realm: name,
    id: fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('hex')),
    peer: fc.constantFrom(ANNA, BERT, undefined),
    bearers: fc.integer({ min: 1, max: 1000 }),
    start: fc.integer({ min: 0, max: 4_000_000_000 }),
    life: fc.integer({ min: 1, max: 1_000_000_000 }),
    plain: fc.subarray(['reserve', 'connect'] as const),
    tunnels: fc.uniqueArray(name, { minLength: 1, maxLength: 8 }),
    limits: fc.record({ circuits: maybe(whole), durationMs: maybe(whole), bytesPerDirection: maybe(whole), bandwidth: maybe(whole) }),
  })
  .map(({ realm, id, peer, bearers, start, life, plain, tunnels, limits }) => ({
    realm,
    id,
    peer,
    maxPeers: peer === undefined ? bearers : undefined,
    notBeforeSeconds: start,
    expiresSeconds: start + life,
    uses: [...plain, ...tunnels.sort().map((tunnel) => `tunnel:${tunnel}` as const)],
    limits: Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined)),
  }));

describe('a token', () => {
  it('says what was put into it, in bytes that say it again', () => {
    fc.assert(
      fc.property(contents, (content) => {
        const bytes = encodeContent(content);
        const read = decodeContent(bytes);
        assert.deepEqual({ ...read, peer: read.peer?.toString() }, { ...content, peer: content.peer?.toString() });
        assert.deepEqual(encodeContent(read), bytes);
        assert.ok(bytes.byteLength + 64 <= MAX_TOKEN_BYTES);
      }),
    );
  });

  it('is read from its text and from its bytes, its signature looked at when the key is given', () => {
    const facts = readToken(` ${TEXT}\n`, KEY.text);
    assert.deepEqual(facts, readTokenBytes(TOKEN));
    assert.deepEqual({ ...facts, bytes: Buffer.from(facts.bytes).toString('hex') }, {
      bytes: Buffer.from(TOKEN).toString('hex'), id: '00112233aabbccdd', realm: 'home', peer: ANNA.toString(), maxPeers: undefined,
      notBeforeWall: NOW * 1000, expiresAtWall: (NOW + 3600) * 1000, toleranceMs: 60_000,
      uses: ['reserve', 'connect', 'tunnel:ssh'], limits: { circuits: 4, durationMs: 60_000, bytesPerDirection: 2 ** 40, bandwidth: 1 },
    });
    assert.equal(problemOf(() => readToken(TEXT, makeKey().text)), 'token signature');
    assert.equal(problemOf(() => readToken(TEXT, 'ed25519:no-key')), 'token signature');
  });

  it('is refused with any bit of any byte changed', () => {
    for (let at = 0; at < TOKEN.byteLength; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const altered = TOKEN.slice();
        altered[at] = (altered[at] ?? 0) ^ (1 << bit);
        assert.notEqual(problemOf(() => readTokenBytes(altered, KEY.text)), undefined, `byte ${at}, bit ${bit}`);
      }
    }
  });

  it('is refused when it is cut at any length, or longer', () => {
    for (let length = 0; length < TOKEN.byteLength; length++) {
      assert.notEqual(problemOf(() => readTokenBytes(TOKEN.subarray(0, length), KEY.text)), undefined, `${length} bytes`);
      assert.notEqual(problemOf(() => readTokenBytes(TOKEN.subarray(TOKEN.byteLength - length), KEY.text)), undefined, `the last ${length} bytes`);
    }
    assert.notEqual(problemOf(() => readTokenBytes(concat([TOKEN, Uint8Array.of(0)]), KEY.text)), undefined);
    assert.equal(problemOf(() => readTokenBytes(new Uint8Array(MAX_TOKEN_BYTES + 1))), 'token malformed');
    assert.throws(() => readTokenBytes(new Uint8Array(MAX_TOKEN_BYTES + 1)), /1025 bytes are no token/);
  });

  it('has one text: with any character changed, left out or added it is refused', () => {
    for (let at = 0; at < TEXT.length; at++) {
      for (const other of ['A', 'z', '-', '_', '+', '/', '=', ' ', '\n', '.', '\u0430']) {
        if (TEXT[at] === other) continue;
        assert.notEqual(problemOf(() => readToken(TEXT.slice(0, at) + other + TEXT.slice(at + 1), KEY.text)), undefined, `character ${at} is ${other}`);
      }
      assert.notEqual(problemOf(() => readToken(TEXT.slice(0, at) + TEXT.slice(at + 1), KEY.text)), undefined, `without character ${at}`);
    }
    const padded = formatToken(signToken(contentOf({ realm: 'ho' }), KEY.privateKey));
    for (const text of ['', 'relaytoken1.', `${TEXT}=`, `${padded}==`, `${TEXT}.`, TEXT.toUpperCase(), TEXT.replace('1', '2'), `relaytoken1.${Buffer.from(TOKEN).toString('base64')}+`, `x${TEXT}`]) {
      assert.notEqual(problemOf(() => readToken(text, KEY.text)), undefined, text);
    }
  });

  it('cannot make its reader throw anything but TOKEN_INVALID', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 1100 }), (bytes) => assert.notEqual(problemOf(() => readTokenBytes(bytes, KEY.text)), undefined)), { numRuns: 500 });
    fc.assert(fc.property(fc.string(), (text) => assert.equal(problemOf(() => readToken(`relaytoken1.${text}`)), 'token malformed')), { numRuns: 300 });
    // Near to what is right: the parts of a good one, one of them replaced.
    const payload = encodeContent(contentOf());
    fc.assert(
      fc.property(fc.nat(payload.byteLength), fc.uint8Array({ maxLength: 12 }), fc.nat(4), (at, inserted, removed) => {
        const changed = concat([payload.subarray(0, at), inserted, payload.subarray(at + removed)]);
        problemOf(() => readTokenBytes(concat([changed, new Uint8Array(64)])));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the encoding of a token', () => {
  const problem = (payload: Uint8Array): unknown => problemOf(() => readTokenBytes(seal('token', payload, KEY.privateKey), KEY.text));
  const right = encodeContent(contentOf({ limits: { circuits: 4 } }));
  const common = (): MessageWriter => new MessageWriter().varint(1, 1).text(2, 'home').bytes(3, new Uint8Array(8));
  const rest = (writer: MessageWriter): Uint8Array => writer.varint(6, NOW).varint(7, NOW + 60).varint(8, 3).finish();

  it('is the only one that is taken, even when it is signed', () => {
    assert.equal(problem(right), undefined);
    const others: [string, Uint8Array][] = [
      ['a field twice', concat([right.subarray(0, 2), right])],
      ['a field that is not known', concat([right, Uint8Array.of(0x58, 1)])],
      ['bytes behind the last field', concat([right, Uint8Array.of(0)])],
      ['a 32-bit field, which readers skip', concat([right, Uint8Array.of(0x5d, 0, 0, 0, 0)])],
      ['fields out of order', concat([right.subarray(2, 8), right.subarray(0, 2), right.subarray(8)])],
      ['a varint that is longer than it needs to be', concat([Uint8Array.of(0x08, 0x81, 0x00), right.subarray(2)])],
      ['a field number that is longer than it needs to be', concat([Uint8Array.of(0x88, 0x00, 0x01), right.subarray(2)])],
      ['a limit twice', concat([rest(common().varint(5, 1)), new MessageWriter().bytes(10, Uint8Array.of(8, 1, 8, 2)).finish()])],
      ['limits that are none', concat([rest(common().varint(5, 1)), new MessageWriter().bytes(10, new Uint8Array()).finish()])],
      ['a limit of nothing', concat([rest(common().varint(5, 1)), new MessageWriter().bytes(10, Uint8Array.of(8, 0)).finish()])],
      ['a limit that is not known', concat([rest(common().varint(5, 1)), new MessageWriter().bytes(10, Uint8Array.of(0x28, 1)).finish()])],
      ['no uses, written as zero', common().varint(5, 1).varint(6, NOW).varint(7, NOW + 60).varint(8, 0).text(9, 'ssh').finish()],
    ];
    for (const [what, payload] of others) {
      assert.equal(problem(payload), 'token malformed', what);
    }
    assert.equal(problem(rest(common().varint(5, 1))), undefined);
  });

  it('says nothing that no token says', () => {
    const tunnels = (names: string[]): Uint8Array => {
      const writer = common().varint(5, 1).varint(6, NOW).varint(7, NOW + 60).varint(8, 3);
      names.forEach((tunnel) => writer.text(9, tunnel));
      return writer.finish();
    };
    const wrong: [string, Uint8Array][] = [
      ['another version', concat([Uint8Array.of(0x08, 0x02), right.subarray(2)])],
      ['no version', right.subarray(2)],
      ['a realm that is no name', rest(new MessageWriter().varint(1, 1).text(2, '../x').bytes(3, new Uint8Array(8)).varint(5, 1))],
      ['a short id', rest(new MessageWriter().varint(1, 1).text(2, 'home').bytes(3, new Uint8Array(7)).varint(5, 1))],
      ['neither a peer nor bearers', rest(common())],
      ['a peer and bearers', rest(common().bytes(4, ANNA.toMultihash().bytes).varint(5, 1))],
      ['no bearers', rest(common().varint(5, 0))],
      ['too many bearers', rest(common().varint(5, 1001))],
      ['a peer that is none', rest(common().bytes(4, Uint8Array.of(1, 2, 3)))],
      ['a time that ends before it begins', common().varint(5, 1).varint(6, NOW).varint(7, NOW).varint(8, 3).finish()],
      ['a time without end', common().varint(5, 1).varint(6, NOW).varint(7, Number.MAX_SAFE_INTEGER).varint(8, 3).finish()],
      ['a time that is no number', common().varint(5, 1).varint(6, NOW).bytes(7, encodeVarint(NOW + 60)).varint(8, 3).finish()],
      ['nothing that it allows', common().varint(5, 1).varint(6, NOW).varint(7, NOW + 60).finish()],
      ['a use that is not known', common().varint(5, 1).varint(6, NOW).varint(7, NOW + 60).varint(8, 4).finish()],
      ['a tunnel that is no name', tunnels(['a b'])],
      ['a tunnel twice', tunnels(['a', 'a'])],
      ['tunnels out of order', tunnels(['b', 'a'])],
      ['too many tunnels', tunnels(Array.from('abcdefghi'))],
    ];
    for (const [what, payload] of wrong) {
      assert.equal(problem(payload), 'token malformed', what);
    }
    assert.equal(problem(tunnels(['a', 'b'])), undefined);
  });
});

describe('the signature', () => {
  /** The order of the group, RFC 8032 section 5.1. */
  const ORDER = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;

  /** A second form of the same signature, which only a strict check tells from the first. */
  function malleated(signature: Uint8Array): Uint8Array {
    const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + ORDER;
    return concat([signature.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse()]);
  }

  it('has one form, whichever library looks at it', () => {
    const sealed = splitSealed(TOKEN);
    assert.ok(sealed !== undefined);
    const { payload, signature } = sealed;
    assert.equal(sealedBy(KEY.raw)('token', sealed), true);
    assert.equal(sealedBy(KEY.raw)('token', { payload, signature: malleated(signature) }), false);
    const openssl = opensslVerifier(KEY.raw);
    const signed = concat([new TextEncoder().encode('relayd membership token\0'), payload]);
    assert.deepEqual([openssl(signed, signature), openssl(signed, malleated(signature))], [true, false]);
  });

  it('is looked at as well where libsodium cannot be loaded', async () => {
    const here = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
    const program = `
      import { registerHooks } from 'node:module';
      let asked = 0;
      registerHooks({ resolve: (name, context, next) => { if (name === 'sodium-native') { asked++; throw new Error('not installed'); } return next(name, context); } });
      const { readToken } = await import(${here('../../../src/realm/index.ts')});
      const problems = process.argv.slice(2).map((key) => { try { return readToken(process.argv[1], key).realm; } catch (error) { return error.data.problem; } });
      console.log(JSON.stringify([asked > 0, problems]));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program, TEXT, KEY.text, makeKey().text]);
    assert.deepEqual(JSON.parse(stdout), [true, ['home', 'token signature']]);
  });

  it('holds for what it was made for, and nothing else', () => {
    const list = seal('revocations', encodeContent(contentOf()), KEY.privateKey);
    assert.equal(problemOf(() => readTokenBytes(list)), undefined);
    assert.equal(problemOf(() => readTokenBytes(list, KEY.text)), 'token signature');
  });
});
