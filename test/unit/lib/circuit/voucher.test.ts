import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { generateKeyPair, publicKeyFromProtobuf, publicKeyToProtobuf } from '@libp2p/crypto/keys';
import type { PeerId, PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id';
import fc from 'fast-check';
import { openVoucher, peerIdFromBytes, sealVoucher } from '../../../../src/lib/circuit/voucher.ts';
import { RelaydError } from '../../../../src/lib/errors.ts';
import { MessageWriter, bytesOf, concat, encodeVarint, readFields } from '../../../../src/lib/protobuf.ts';

const DOMAIN = 'libp2p-relay-rsvp';
const TYPE = Uint8Array.of(0x03, 0x02);
const EXPIRE = 1_700_000_000;

const invalid = (error: unknown): boolean => error instanceof RelaydError && error.code === 'VOUCHER_INVALID';

/** RFC 0002: what is signed is domain, payload type and payload, each behind its length. */
const signedBytes = (payload: Uint8Array, type: Uint8Array, domain: string): Uint8Array => concat([new TextEncoder().encode(domain), type, payload].flatMap((part) => [encodeVarint(part.byteLength), part]));

interface Forged {
  key: PrivateKey;
  relay: PeerId;
  peer: PeerId;
  expire?: number;
  domain?: string;
  type?: Uint8Array;
  payload?: Uint8Array;
}

/** An envelope made here, not by the code under test. */
async function forge({ key, relay, peer, expire = EXPIRE, domain = DOMAIN, type = TYPE, payload }: Forged): Promise<Uint8Array> {
  const body = payload ?? new MessageWriter().bytes(1, relay.toMultihash().bytes).bytes(2, peer.toMultihash().bytes).varint(3, expire).finish();
  const signature = await key.sign(signedBytes(body, type, domain));
  return new MessageWriter().bytes(1, publicKeyToProtobuf(key.publicKey)).bytes(2, type).bytes(3, body).bytes(5, signature).finish();
}

describe('vouchers', () => {
  let relayKey: PrivateKey;
  let relay: PeerId;
  let peer: PeerId;
  let other: PrivateKey;

  before(async () => {
    relayKey = await generateKeyPair('Ed25519');
    other = await generateKeyPair('Ed25519');
    relay = peerIdFromPrivateKey(relayKey);
    peer = peerIdFromPrivateKey(await generateKeyPair('Ed25519'));
  });

  it('are envelopes with the fields, the type, the domain and the signature of the specification', async () => {
    const envelope = await sealVoucher({ relay, peer, expireSeconds: EXPIRE }, relayKey);
    const parts = new Map([...readFields(envelope)].map((field) => [field.number, bytesOf(field)]));
    assert.deepEqual([...parts.keys()], [1, 2, 3, 5]);
    const [publicKey, type, payload, signature] = [1, 2, 3, 5].map((number) => parts.get(number) ?? new Uint8Array()) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    assert.ok(publicKeyFromProtobuf(publicKey).equals(relayKey.publicKey));
    assert.deepEqual([...type], [0x03, 0x02]);
    assert.deepEqual(
      [...readFields(payload)].map((field) => [field.number, field.varint ?? Buffer.from(bytesOf(field)).toString('hex')]),
      [
        [1, Buffer.from(relay.toMultihash().bytes).toString('hex')],
        [2, Buffer.from(peer.toMultihash().bytes).toString('hex')],
        [3, BigInt(EXPIRE)],
      ],
    );
    assert.ok(await relayKey.publicKey.verify(signedBytes(payload, type, DOMAIN), signature));
  });

  it('are opened when they are what they must be, made by us or by another implementation', async () => {
    for (const envelope of [await sealVoucher({ relay, peer, expireSeconds: EXPIRE }, relayKey), await forge({ key: relayKey, relay, peer })]) {
      const voucher = await openVoucher(envelope, { relay, peer, expireSeconds: EXPIRE });
      assert.ok(voucher.relay.equals(relay) && voucher.peer.equals(peer));
      assert.equal(voucher.expireSeconds, EXPIRE);
      await openVoucher(envelope, { relay, peer });
    }
  });

  it('are refused for another signer, relay, peer, expiry, domain or payload type', async () => {
    const expected = { relay, peer, expireSeconds: EXPIRE };
    const wrong: Record<string, Forged> = {
      signer: { key: other, relay, peer },
      relay: { key: relayKey, relay: peerIdFromPrivateKey(other), peer },
      peer: { key: relayKey, relay, peer: peerIdFromPrivateKey(other) },
      expiry: { key: relayKey, relay, peer, expire: EXPIRE + 1 },
      domain: { key: relayKey, relay, peer, domain: 'libp2p-routing-state' },
      type: { key: relayKey, relay, peer, type: Uint8Array.of(0x03, 0x01) },
      'longer type': { key: relayKey, relay, peer, type: Uint8Array.of(0x03, 0x02, 0x00) },
      'no type': { key: relayKey, relay, peer, type: new Uint8Array() },
      'empty payload': { key: relayKey, relay, peer, payload: new Uint8Array() },
      'payload without a peer': { key: relayKey, relay, peer, payload: new MessageWriter().bytes(1, relay.toMultihash().bytes).varint(3, EXPIRE).finish() },
      'payload that is no message': { key: relayKey, relay, peer, payload: Uint8Array.of(0xff) },
      'peer that is no peer id': { key: relayKey, relay, peer, payload: new MessageWriter().bytes(1, relay.toMultihash().bytes).bytes(2, Uint8Array.of(1, 2)).varint(3, EXPIRE).finish() },
    };
    for (const [name, forged] of Object.entries(wrong)) {
      await assert.rejects(openVoucher(await forge(forged), expected), invalid, name);
    }
  });

  it('are refused for another signer also when the relay\'s id is only a hash of its key', async () => {
    const rsaKey = await generateKeyPair('RSA', 2048);
    // As a peer id is read from an address: without the key that it is the hash of.
    const rsaRelay = peerIdFromString(peerIdFromPrivateKey(rsaKey).toString());
    assert.equal(rsaRelay.publicKey, undefined);
    await openVoucher(await forge({ key: rsaKey, relay: rsaRelay, peer }), { relay: rsaRelay, peer, expireSeconds: EXPIRE });
    await assert.rejects(openVoucher(await forge({ key: other, relay: rsaRelay, peer }), { relay: rsaRelay, peer, expireSeconds: EXPIRE }), invalid);
  });

  it('that are damaged anywhere say nothing else than what was signed, and any bytes at all are refused', async () => {
    const good = await sealVoucher({ relay, peer, expireSeconds: EXPIRE }, relayKey);
    for (let at = 0; at < good.byteLength; at++) {
      const damaged = good.slice();
      damaged[at]! ^= 0x04;
      // The library's codec is lenient about the wire type in a tag, which is not signed and changes nothing.
      const opened = await openVoucher(damaged, { relay, peer }).catch((error: unknown) => (assert.ok(invalid(error)), undefined));
      assert.ok(opened === undefined || opened.expireSeconds === EXPIRE, `byte ${at}`);
    }
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => assert.rejects(openVoucher(bytes, { relay, peer }), invalid)));
  });
});

describe('peerIdFromBytes', () => {
  it('reads a multihash and nothing else', async () => {
    const peer = peerIdFromPrivateKey(await generateKeyPair('Ed25519'));
    assert.ok(peerIdFromBytes(peer.toMultihash().bytes).equals(peer));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          return peerIdFromBytes(bytes).toMultihash().bytes.length === bytes.length;
        } catch (error) {
          return error instanceof Error;
        }
      }),
    );
  });
});
