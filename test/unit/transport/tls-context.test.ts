import { generateKeyPair } from '@libp2p/crypto/keys';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { TLSSocket, connect } from 'node:tls';
import { tlsContext } from '../../../src/transport/native/tls-context.ts';

const DAY_MS = 24 * 3_600_000;

test('an identity has one certificate for all its connections, and a new one after a week', async () => {
  const [identity, other] = await Promise.all([generateKeyPair('Ed25519'), generateKeyPair('Ed25519')]);
  const [first, same] = await Promise.all([tlsContext(identity, 0), tlsContext(identity, 0)]);
  assert.equal(first, same);
  assert.equal(await tlsContext(identity, 6 * DAY_MS), first);
  const second = await tlsContext(identity, 8 * DAY_MS);
  assert.notEqual(second, first);
  assert.equal(await tlsContext(identity, 9 * DAY_MS), second);
  assert.notEqual(await tlsContext(other, 9 * DAY_MS), second);
});

test('a key that cannot sign is tried again the next time', async () => {
  const identity = await generateKeyPair('Ed25519');
  let works = false;
  const flaky = Object.assign(Object.create(identity) as typeof identity, {
    sign: (data: Uint8Array) => {
      if (!works) throw new Error('not now');
      return identity.sign(data);
    },
  });
  await assert.rejects(tlsContext(flaky, 0), /not now/);
  works = true;
  await tlsContext(flaky, 0);
});

test('what a peer is shown is valid already for one whose clock is years behind', async () => {
  const secureContext = await tlsContext(await generateKeyPair('Ed25519'), 0);
  const [near, far] = duplexPair();
  const server = new TLSSocket(near, { isServer: true, secureContext });
  const client = connect({ socket: far, rejectUnauthorized: false });
  await once(client, 'secureConnect');
  assert.equal(Date.parse(client.getPeerCertificate().valid_from), 0);
  client.destroy();
  server.destroy();
});
