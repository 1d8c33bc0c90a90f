import { noise } from '@chainsafe/libp2p-noise';
import { generateKeyPair } from '@libp2p/crypto/keys';
import type { PeerStore } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../../src/lib/logger.ts';
import { DialBackNode } from '../../../src/node/dial-back-host.ts';
import { until } from '../../support/waiting.ts';

test('keeps nothing of the peers that it has dialled, nor of those that it could not reach', { timeout: 30_000 }, async () => {
  let store: PeerStore | undefined;
  const parts = { connectionEncrypters: [noise()], streamMuxers: [yamux()] };
  const watched = (components: Parameters<ReturnType<typeof tcp>>[0] & { peerStore?: PeerStore }): ReturnType<ReturnType<typeof tcp>> => {
    store = components.peerStore;
    return tcp()(components);
  };
  const host = await DialBackNode.create({ ...parts, transports: [watched] }, silentLogger);
  const peer = await createLibp2p({ ...parts, transports: [tcp()], addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] } });
  await host.start();
  try {
    const known = async (): Promise<number> => (await store?.all())?.length ?? -1;
    const connection = await host.dial(multiaddr(peer.getMultiaddrs()[0]?.toString()), AbortSignal.timeout(5_000));
    await until(async () => (await known()) === 1, 'the peer is known while it is connected');
    await connection.close();
    await until(async () => (await known()) === 0, 'the peer is forgotten');
    const absent = peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toString();
    await assert.rejects(host.dial(multiaddr(`/ip4/127.0.0.1/tcp/1/p2p/${absent}`), AbortSignal.timeout(5_000)));
    await until(async () => (await known()) === 0, 'the other is forgotten too');
  } finally {
    await host.stop();
    await peer.stop();
  }
});
