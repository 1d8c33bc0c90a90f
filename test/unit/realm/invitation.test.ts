import { peerIdFromString } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import fc from 'fast-check';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { RelaydError } from '../../../src/lib/errors.ts';
import { formatRealmKey } from '../../../src/lib/membership/realm-key.ts';
import { MessageWriter } from '../../../src/lib/protobuf.ts';
import { MAX_INVITATION_RELAYS, decodeInvitation, encodeInvitation } from '../../../src/realm/invitation.ts';
import type { Invitation } from '../../../src/realm/invitation.ts';
import { LINE_PROBLEMS, MAX_LINE_BYTES, readLine, writeLine } from '../../../src/realm/invitation-line.ts';
import { makePeerIds } from '../../support/peer-ids.ts';

const PEERS = (await makePeerIds(4)).map(String);
const [PEER = ''] = PEERS;

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
const peer = fc.constantFrom(...PEERS);
const port = fc.integer({ min: 1, max: 65_535 });
const host = fc.oneof(fc.ipV4().map((ip) => `/ip4/${ip}`), fc.constantFrom('/dns4/relay.example.org', '/ip6/2001:db8::7', '/dns6/r.example'));
const relay = fc.tuple(host, port, fc.constantFrom('', '/ws', '/tls/ws'), peer).map(([at, number, rest, id]) => `${at}/tcp/${number}${rest}/p2p/${id}`);
const tunnel = fc.record({ name, peer, port }, { requiredKeys: ['name', 'peer'], noNullPrototype: true });
const invitation: fc.Arbitrary<Invitation> = fc.record(
  {
    relays: fc.array(relay, { minLength: 1, maxLength: MAX_INVITATION_RELAYS }),
    realm: name,
    authority: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(formatRealmKey),
    token: fc.uint8Array({ minLength: 1, maxLength: 1024 }),
    tunnel,
  },
  { requiredKeys: ['relays', 'realm', 'authority', 'token'], noNullPrototype: true },
);

const EXAMPLE: Invitation = {
  relays: [`/ip4/203.0.113.7/tcp/4001/p2p/${PEER}`],
  realm: 'home',
  authority: formatRealmKey(new Uint8Array(32).fill(7)),
  token: new Uint8Array(150).fill(9),
  tunnel: { name: 'ssh', peer: PEER, port: 22 },
};

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

function problemOf(line: string): unknown {
  try {
    decodeInvitation(line);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof RelaydError && error.code === 'INVITATION_INVALID', String(error));
    return error.data['problem'];
  }
}

/** A whole line around content that no invitation of ours has. */
function lineOf(build: (writer: MessageWriter) => MessageWriter): string {
  return writeLine(build(new MessageWriter()).finish());
}

describe('an invitation', () => {
  it('comes out of its line as it went in', () => {
    fc.assert(
      fc.property(invitation, (given) => {
        const line = encodeInvitation(given);
        assert.match(line, /^relayd:[A-Za-z0-9_-]+$/);
        const { token, ...rest } = decodeInvitation(line);
        assert.deepEqual({ ...rest, token: [...token] }, { ...given, token: [...given.token] });
      }),
    );
  });

  it('survives the white space of a wrapped paste', () => {
    const line = encodeInvitation(EXAMPLE);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(line.length), fc.constantFrom(' ', '\n', '\r\n', '\t', '\u00a0'))), (breaks) => {
        const wrapped = breaks.toSorted(([a], [b]) => b - a).reduce((text, [at, space]) => text.slice(0, at) + space + text.slice(at), line);
        assert.deepEqual(decodeInvitation(wrapped), decodeInvitation(line));
      }),
    );
  });

  it('fits a QR code that a phone reads', () => {
    assert.ok(encodeInvitation(EXAMPLE).length < 600, `${encodeInvitation(EXAMPLE).length} characters`);
  });

  it('of which the end is missing says how much of it there is, wherever it was cut', () => {
    const line = encodeInvitation(EXAMPLE);
    for (let length = 1; length < line.length; length++) {
      assert.equal(problemOf(line.slice(0, length)), 'truncated', `at ${length}`);
    }
    assert.throws(() => decodeInvitation(line.slice(0, 100)), { message: `the line ends early: 100 of ${line.length} characters; copy all of it` });
  });

  it('with one character altered is an error, whichever it is and whatever it became', () => {
    const line = encodeInvitation(EXAMPLE);
    const body = line.indexOf(':') + 1;
    for (let at = 0; at < line.length; at++) {
      for (const character of [...BASE64URL.split(''), '+', '%', 'ä'].filter((other) => other !== line[at])) {
        const altered = line.slice(0, at) + character + line.slice(at + 1);
        assert.equal(problemOf(altered), at < body ? 'not an invitation' : 'altered', `${character} at ${at}`);
      }
    }
  });

  it('with characters added, lost inside or swapped is an error', () => {
    const line = encodeInvitation(EXAMPLE);
    assert.equal(problemOf(`${line}A`), 'altered');
    assert.throws(() => decodeInvitation(`${line}AB`), /2 more than it should/);
    assert.equal(problemOf(line + line), 'altered');
    assert.equal(problemOf(line.slice(0, 60) + line.slice(61)), 'truncated');
    fc.assert(
      fc.property(fc.nat(line.length - 9), (at) => {
        const swapped = `${line.slice(0, at)}${line[at + 1]}${line[at]}${line.slice(at + 2)}`;
        if (swapped !== line) assert.notEqual(problemOf(swapped), undefined);
      }),
    );
  });

  it('is told from other text', () => {
    for (const text of ['', 'hello', 'https://example.org', 'relaytoken1.abc', encodeInvitation(EXAMPLE).slice(7), '"relayd:AAAA"']) {
      assert.equal(problemOf(text), 'not an invitation', text);
    }
  });

  it('of a newer version says so', () => {
    const facts = Uint8Array.of(2, 0, 40);
    const header = Buffer.concat([facts, createHash('sha256').update(facts).digest().subarray(0, 3)]);
    const line = `relayd:${header.toString('base64url')}${'A'.repeat(40)}`;
    assert.equal(problemOf(line), 'newer version');
    assert.throws(() => decodeInvitation(line), /version 2, and this relayd knows version 1; install a newer relayd/);
  });

  it('never makes anything but its own error of whatever is pasted', () => {
    const texts = fc.oneof(
      fc.string(),
      fc.string().map((text) => `relayd:${text}`),
      fc.uint8Array({ maxLength: 400 }).map((bytes) => `relayd:${Buffer.from(bytes).toString('base64url')}`),
      fc.uint8Array({ maxLength: 400 }).map((bytes) => writeLine(bytes)),
    );
    fc.assert(fc.property(texts, (text) => assert.ok((LINE_PROBLEMS as readonly unknown[]).includes(problemOf(text)))));
  });

  it('that is whole but names nonsense is refused', () => {
    const whole = (writer: MessageWriter): MessageWriter =>
      writer.bytes(1, Buffer.from('047f000001060fa1a503260024080112205f7b0b7c2f9f9d7b8c5f0e6f1c3b5d7a9e8f7061524334251607f8e9dacbbcad', 'hex')).text(2, 'home').bytes(3, new Uint8Array(32)).bytes(4, new Uint8Array(9));
    assert.equal(problemOf(lineOf(whole)), undefined, 'the example itself is right');
    const tunnelAt = (to: number): Uint8Array => new MessageWriter().text(1, 'ssh').bytes(2, peerIdFromString(PEER).toMultihash().bytes).varint(3, to).finish();
    assert.equal(problemOf(lineOf((writer) => whole(writer).bytes(5, tunnelAt(22)))), undefined, 'and its tunnel');
    const wrong: [string, (writer: MessageWriter) => MessageWriter][] = [
      ['nothing', (writer) => writer],
      ['a relay without a peer id', (writer) => whole(writer).bytes(1, Buffer.from('047f000001060fa1', 'hex'))],
      ['a relay that is no address', (writer) => whole(writer).bytes(1, Uint8Array.of(255, 255, 255))],
      ['a name with a line break', (writer) => whole(writer).text(2, 'home\nnetwork: {}')],
      ['a key of 31 bytes', (writer) => whole(writer).bytes(3, new Uint8Array(31))],
      ['a tunnel without a peer', (writer) => whole(writer).bytes(5, new MessageWriter().text(1, 'ssh').finish())],
      ['a tunnel to port 0', (writer) => whole(writer).bytes(5, tunnelAt(0))],
      ['a tunnel to port 65536', (writer) => whole(writer).bytes(5, tunnelAt(65_536))],
      ['nine relays', (writer) => Array.from({ length: MAX_INVITATION_RELAYS }).reduce((all: MessageWriter) => all.bytes(1, Buffer.from('047f000001060fa1a503260024080112205f7b0b7c2f9f9d7b8c5f0e6f1c3b5d7a9e8f7061524334251607f8e9dacbbcad', 'hex')), whole(writer))],
    ];
    for (const [what, build] of wrong) assert.equal(problemOf(lineOf(build)), 'altered', what);
  });

  it('names no relay whose address would write on the terminal of whoever reads it', () => {
    const { bytes } = multiaddr(`/dns4/relay.example.org/tcp/4001/p2p/${PEER}`);
    for (const bad of ['\u001b[2J', '\n', ' ', '\u009b', '\u202e']) {
      const odder = Buffer.from(bad.padEnd(18 - Buffer.byteLength(bad) + bad.length, 'x'));
      const odd = Uint8Array.from([...bytes.subarray(0, 2), ...odder.subarray(0, 17), ...bytes.subarray(19)]);
      const line = lineOf((writer) => writer.bytes(1, odd).text(2, 'home').bytes(3, new Uint8Array(32)).bytes(4, new Uint8Array(100)));
      assert.equal(problemOf(line), 'altered', JSON.stringify(bad));
    }
  });

  it('is not written with relays that no reader takes', () => {
    const nine = Array.from({ length: MAX_INVITATION_RELAYS + 1 }, (_, i) => `/ip4/203.0.113.${i + 1}/tcp/4001/p2p/${PEER}`);
    assert.throws(() => encodeInvitation({ ...EXAMPLE, relays: nine }), /names at most 8 relays, not 9/);
    assert.throws(() => encodeInvitation({ ...EXAMPLE, relays: [`/dns4/bücher.example/tcp/4001/p2p/${PEER}`] }), /written as xn--/);
  });

  it('is bounded', () => {
    assert.equal(readLine(writeLine(new Uint8Array(MAX_LINE_BYTES - 12))).byteLength, MAX_LINE_BYTES - 12);
    assert.throws(() => writeLine(new Uint8Array(MAX_LINE_BYTES)), { code: 'BAD_REQUEST' });
  });
});
