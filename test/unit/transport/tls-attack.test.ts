import { generateKeyPair } from '@libp2p/crypto/keys';
import { InvalidCryptoExchangeError, UnexpectedPeerError } from '@libp2p/interface';
import type { SecuredConnection } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { connect, createSecureContext, TLSSocket } from 'node:tls';
import type { SecureContextOptions } from 'node:tls';
import { patternBytes } from '../../support/bytes.ts';
import { settled, within } from '../../support/waiting.ts';
import { ended, makePeer, OURS, secureBoth, send, socketPair } from './tls-ends.ts';
import type { Ours } from './tls-ends.ts';
import { forge } from './tls-forge.ts';

const NO_MUXER = 'libp2p';
const SIDES = ['client', 'server'] as const;
type Side = (typeof SIDES)[number];

/** Attackers speak through Node's TLS with whatever certificate they like, or stand between two honest ends. */
for (const kind of OURS) {
  describe(`TLS under attack, on the ${kind} ground`, () => {
    certificates(kind);
    versions(kind);
    middle(kind);
  });
}

function certificates(kind: Ours): void {
  for (const side of SIDES) {
    test(`a ${side} whose certificate is right gets in`, async (context) => {
      const hostKey = await generateKeyPair('Ed25519');
      const { found } = await attack(context, kind, side, pair(await forge({ hostKey })));
      const { remotePeer, streamMuxer } = await found;
      assert.equal(remotePeer.toString(), peerIdFromPrivateKey(hostKey).toString());
      assert.equal(streamMuxer, undefined);
    });

    const wrong: [name: string, forgery: object, reason: RegExp][] = [
      ["is not signed by the host's key", { signed: () => Buffer.from('other') }, /did not sign/],
      ['lacks the extension', { extensions: () => [] }, /not at all/],
      ['has it twice', { extensions: (right: Buffer) => [right, right] }, /more than once/],
      ['has expired', { notAfter: Date.now() - 1000 }, /expired/],
      ['is not valid yet', { notBefore: Date.now() + 60_000 }, /not valid yet/],
    ];
    for (const [name, forgery, reason] of wrong) {
      test(`a ${side} whose certificate ${name} is refused`, async (context) => {
        const { found, closed } = await attack(context, kind, side, pair(await forge({ hostKey: await generateKeyPair('Ed25519'), ...forgery })));
        await assert.rejects(found, reason);
        await closed;
      });
    }

    test(`a ${side} with two certificates is refused`, async (context) => {
      const [first, second] = await Promise.all([1, 2].map(async () => await forge({ hostKey: await generateKeyPair('Ed25519') })));
      assert.ok(first !== undefined && second !== undefined);
      const { found, closed } = await attack(context, kind, side, { key: first.key, cert: first.cert + second.cert });
      await assert.rejects(found, /more than one certificate/);
      await closed;
    });

    test(`a ${side} other than the expected one is refused`, async (context) => {
      const expected = peerIdFromPrivateKey(await generateKeyPair('Ed25519'));
      const { found, closed } = await attack(context, kind, side, pair(await forge({ hostKey: await generateKeyPair('Ed25519') })), { remotePeer: expected });
      await assert.rejects(found, UnexpectedPeerError);
      await closed;
    });
  }

  test('a client without a certificate is refused, and told so', async (context) => {
    const { found, closed, attacker } = await attack(context, kind, 'client', {});
    const told = once(attacker, 'error') as unknown as Promise<[Error]>;
    await assert.rejects(found, /^Error: TLS: peer did not return a certificate$/);
    assert.match((await within(told, 'an alert'))[0].message, /certificate required/);
    await closed;
  });

  test("what a client sends with a bad certificate is nobody's", async (context) => {
    const { found, closed, attacker } = await attack(context, kind, 'client', pair(await forge({ hostKey: await generateKeyPair('Ed25519'), extensions: () => [] })));
    attacker.write(patternBytes(200_000));
    await assert.rejects(found, InvalidCryptoExchangeError);
    await closed;
  });
}

function versions(kind: Ours): void {
  for (const side of SIDES) {
    test(`a ${side} of TLS 1.2 is refused`, async (context) => {
      const forged = pair(await forge({ hostKey: await generateKeyPair('Ed25519') }));
      const { found, closed } = await attack(context, kind, side, { ...forged, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' });
      await assert.rejects(found, /unsupported protocol|protocol version/);
      await closed;
    });
  }

  test('a client that asks for another protocol is refused', async (context) => {
    const { found, closed } = await attack(context, kind, 'client', pair(await forge({ hostKey: await generateKeyPair('Ed25519') })), {}, ['h2']);
    await assert.rejects(found, /application protocol/i);
    await closed;
  });

  test('AES-128 is what both sides choose', async (context) => {
    for (const side of SIDES) {
      const ciphers = 'TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256';
      const forged = pair(await forge({ hostKey: await generateKeyPair('Ed25519') }));
      const { found, attacker } = await attack(context, kind, side, side === 'client' ? { ...forged, ciphers } : forged);
      await found;
      assert.equal(attacker.getCipher().name, 'TLS_AES_128_GCM_SHA256');
    }
  });
}

/** A record on the wire: its header of 5 bytes says its length. */
type Meddle = (records: Buffer[]) => Buffer[];

function middle(kind: Ours): void {
  const meddlers: [name: string, meddle: Meddle][] = [
    ['changes a byte of a record', (records) => records.map((record, i) => (i === 1 ? flipped(record, 100) : record))],
    ['changes the tag of a record', (records) => records.map((record, i) => (i === 1 ? flipped(record, record.length - 1) : record))],
    ['changes the type of a record', (records) => records.map((record, i) => (i === 1 ? flipped(record, 0) : record))],
    ['changes the length of a record', (records) => records.map((record, i) => (i === 1 ? flipped(record, 4) : record))],
    ['leaves a record out', (records) => records.toSpliced(1, 1)],
    ['sends a record twice', (records) => [...records.slice(0, 2), ...records.slice(1)]],
    ['turns two records round', ([a, b, c, ...rest]) => [a, c, b, ...rest].filter((record) => record !== undefined)],
    ['puts a record of its own in', (records) => [...records.slice(0, 1), Buffer.concat([Buffer.from([23, 3, 3, 0, 40]), patternBytes(40)]), ...records.slice(1)]],
  ];
  for (const [name, meddle] of meddlers) {
    test(`whoever ${name} ends the connection, and nothing wrong arrives`, async (context) => {
      const { inbound, got, sent } = await meddled(context, kind, meddle);
      assert.ok((await ended(inbound.connection)) instanceof Error);
      assert.notEqual(inbound.connection.status, 'open');
      assert.ok(got().length < sent.length);
      assert.ok(got().equals(sent.subarray(0, got().length)));
    });
  }

  test('whoever cuts a record off ends the connection, and nothing of the record arrives', async (context) => {
    const { inbound, got, sent, end } = await meddled(context, kind, (records) => [...records.slice(0, 2), ...records.slice(2, 3).map((record) => record.subarray(0, -10))]);
    await settled(3);
    end();
    await ended(inbound.connection);
    assert.notEqual(inbound.connection.status, 'open');
    assert.ok(got().length < sent.length);
    assert.ok(got().equals(sent.subarray(0, got().length)));
  });
}

interface Meddled {
  inbound: SecuredConnection;
  got: () => Buffer;
  sent: Buffer;
  end: () => void;
}

/** Two honest ends between which records of the client are changed once the handshake is over. */
async function meddled(context: TestContext, kind: Ours, meddle: Meddle): Promise<Meddled> {
  const [client, server] = await Promise.all([makePeer('stock'), makePeer(kind)]);
  const [near, middleNear] = await socketPair(context);
  const [middleFar, far] = await socketPair(context);
  [middleNear, middleFar].forEach((socket) => socket.on('error', () => undefined));
  middleNear.pipe(middleFar, { end: false }).pipe(middleNear, { end: false });
  middleFar.on('close', () => middleNear.destroy());
  const [outbound, inbound] = await secureBoth(client, server, [near, far]);
  const pieces: Buffer[] = [];
  inbound.connection.addEventListener('message', ({ data }) => pieces.push(Buffer.from(data.subarray())));
  await settled(3);
  middleNear.unpipe(middleFar);
  const sent = Buffer.from(patternBytes(120_000));
  send(outbound.connection, sent).catch(() => undefined);
  const records = await recordsFrom(middleNear, sent.length);
  middleFar.write(Buffer.concat(meddle(records)));
  return { inbound, sent, got: () => Buffer.concat(pieces), end: () => middleFar.end() };
}

/** The records that come, until they hold `bytes`. */
async function recordsFrom(socket: Socket, bytes: number): Promise<Buffer[]> {
  let all = Buffer.alloc(0);
  socket.resume();
  while (all.length < bytes) {
    const [chunk] = (await within(once(socket, 'data'), 'records')) as [Buffer];
    all = Buffer.concat([all, chunk]);
  }
  const records: Buffer[] = [];
  for (let at = 0; at < all.length; at += 5 + all.readUInt16BE(at + 3)) {
    records.push(all.subarray(at, at + 5 + all.readUInt16BE(at + 3)));
  }
  return records;
}

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

interface Attack {
  /** What our side makes of it. */
  found: Promise<SecuredConnection>;
  /** Both sockets have gone. */
  closed: Promise<unknown>;
  attacker: TLSSocket;
}

/** An attacker on `side` of a connection whose other end is ours. */
async function attack(context: TestContext, kind: Ours, side: Side, certificate: SecureContextOptions, options = {}, protocols = [NO_MUXER]): Promise<Attack> {
  const us = await makePeer(kind);
  const [near, far] = await socketPair(context);
  const closed = within(Promise.all([near, far].map((socket) => new Promise((resolve) => socket.once('close', resolve)))), 'the end of the connection');
  closed.catch(() => undefined);
  const connection = us.over(far, side === 'client' ? 'inbound' : 'outbound');
  const found = side === 'client' ? us.encrypter.secureInbound(connection, options) : us.encrypter.secureOutbound(connection, options);
  found.catch(() => undefined);
  const attacker = side === 'client' ? clientOn(near, certificate, protocols) : serverOn(near, certificate, protocols);
  for (const event of ['error', '_tlsError']) attacker.on(event, () => attacker.destroy());
  return { found: within(found, 'the end of the handshake'), closed, attacker };
}

function clientOn(socket: Socket, certificate: SecureContextOptions, ALPNProtocols: string[]): TLSSocket {
  return connect({ socket, ...certificate, ALPNProtocols, rejectUnauthorized: false });
}

function serverOn(socket: Socket, certificate: SecureContextOptions, ALPNProtocols: string[]): TLSSocket {
  return new TLSSocket(socket, { isServer: true, requestCert: true, rejectUnauthorized: false, secureContext: createSecureContext(certificate), ALPNProtocols });
}

function pair({ key, cert }: { key: string; cert: string }): SecureContextOptions {
  return { key, cert };
}
