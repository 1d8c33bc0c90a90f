import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { takeVarint, varint } from './protobuf.ts';
import { decodeEnvelope, decodeHop, decodeStop, encodeHop, encodeStop, frame, sealEnvelope, takeFrame, verifyEnvelope } from './wire.ts';

/** The judge's own codec, against bytes that were written out by hand from the specification. */
const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

test('requests are the bytes that the specification describes', () => {
  assert.deepEqual(frame(encodeHop({ type: 0 })), bytes('02 0800'));
  assert.deepEqual(encodeHop({ type: 1, peer: { id: bytes('aabb'), addrs: [bytes('04')] } }), bytes('0801 1207 0a02aabb 120104'));
  assert.deepEqual(encodeStop({ type: 1, status: 100 }), bytes('0801 2064'));
  assert.deepEqual(encodeStop({ type: 0, peer: { id: bytes('aa'), addrs: [] }, limit: { duration: 120, data: 131_072 } }), bytes('0800 1203 0a01aa 1a06 0878 10808008'));
});

test('replies are read from such bytes', () => {
  assert.deepEqual(decodeHop(bytes('0802 1a0b 08808094eb06 120104 1a00 2202 0878 2864')), {
    type: 2,
    reservation: { expire: 1_835_335_680, addrs: [bytes('04')], voucher: bytes('') },
    limit: { duration: 120 },
    status: 100,
  });
  assert.deepEqual(decodeHop(bytes('0802 28c801 a206 0d 0a03616263 1001 1802 2005 2a00')).refusal, {
    limit: 'abc',
    current: 1,
    maximum: 2,
    retryAfterSeconds: 5,
    alternatives: [''],
  });
  assert.deepEqual(decodeStop(bytes('0801 2064')), { type: 1, status: 100 });
});

test('a frame is whole, and short enough', () => {
  assert.equal(takeFrame(bytes('02 08')), undefined);
  assert.deepEqual(takeFrame(bytes('02 0800 ff')), { body: bytes('0800'), end: 3 });
  assert.throws(() => takeFrame(bytes('8120')), /4097 bytes/);
  assert.deepEqual(takeVarint(varint(2n ** 40n), 0), { value: 2n ** 40n, end: 6 });
  assert.throws(() => takeVarint(bytes('8000'), 0), /overlong/);
  assert.throws(() => decodeHop(bytes('0802 0802')), /twice/);
  assert.throws(() => decodeHop(bytes('1205 0a')), /past the end/);
});

test('an envelope is only valid for its domain and its content', async () => {
  const key = await generateKeyPair('Ed25519');
  const envelope = decodeEnvelope(await sealEnvelope(key, bytes('010203')));
  assert.ok((await verifyEnvelope(envelope, 'libp2p-relay-rsvp')).equals(peerIdFromPrivateKey(key)));
  await assert.rejects(verifyEnvelope(envelope, 'libp2p-peer-record'));
  await assert.rejects(verifyEnvelope({ ...envelope, payload: bytes('010204') }, 'libp2p-relay-rsvp'));
});

test('the judge shares no code with what it judges', async () => {
  const own = new URL('.', import.meta.url);
  // The suite of the coordination backends judges parts of one program, not a wire.
  const files = (await readdir(own, { recursive: true })).filter((file) => file.endsWith('.ts') && !file.endsWith('ours.ts') && !file.startsWith('coordination/'));
  for (const file of files) {
    assert.doesNotMatch(await readFile(new URL(file, own), 'utf8'), /from '[./]+\/src\//, file);
  }
});
