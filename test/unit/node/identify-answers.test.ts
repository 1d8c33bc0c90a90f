import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { generateKeyPair, publicKeyToProtobuf } from '@libp2p/crypto/keys';
import type { Connection, PrivateKey, StreamHandler } from '@libp2p/interface';
import { identify } from '@libp2p/identify';
import type { Identify } from '@libp2p/identify';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { PeerRecord, RecordEnvelope } from '@libp2p/peer-record';
import { tcp } from '@libp2p/tcp';
import { noise } from '@chainsafe/libp2p-noise';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import type { Libp2p } from 'libp2p';
import { readFrame } from '../../../src/lib/circuit/frames.ts';
import { ManualClock, systemClock } from '../../../src/lib/clock.ts';
import { bytesOf, readFields } from '../../../src/lib/protobuf.ts';
import { IDENTIFY_PROTOCOL, identifyAnswers } from '../../../src/node/identify-answers.ts';
import { yamuxPair } from '../../support/yamux-pair.ts';

const AGENT = 'p2p-relayd/test';
const REMOTE = '/ip4/192.0.2.9/tcp/5001';

describe('identify answers', () => {
  let key: PrivateKey;
  let clock: ManualClock;
  let addrs: string[];
  let protocols: string[];
  let signatures: number;
  let handler: StreamHandler | undefined;

  beforeEach(async () => {
    const made = await generateKeyPair('Ed25519');
    key = Object.assign(Object.create(made) as PrivateKey, { sign: (data: Uint8Array) => (signatures++, made.sign(data)) });
    clock = new ManualClock();
    addrs = ['/ip4/203.0.113.1/tcp/4001', '/ip6/2001:db8::1/tcp/4001'];
    protocols = [IDENTIFY_PROTOCOL, '/libp2p/circuit/relay/0.2.0/hop'];
    signatures = 0;
    const registrar = { handle: (_id: string, fn: StreamHandler) => Promise.resolve(void (handler = fn)), unhandle: () => Promise.resolve(void (handler = undefined)), getProtocols: () => protocols };
    const peerId = peerIdFromPrivateKey(key);
    const addressManager = { getAddresses: () => addrs.map((addr) => multiaddr(`${addr}/p2p/${peerId}`)) };
    await identifyAnswers(clock)({ peerId, privateKey: key, nodeInfo: { name: 'x', version: '1', userAgent: AGENT }, addressManager, registrar } as never).start();
  });

  async function ask(remoteAddr = REMOTE): Promise<Map<number, Uint8Array[]>> {
    const pair = yamuxPair();
    const [near, far] = await pair.open();
    void handler?.(far, { remoteAddr: multiaddr(remoteAddr) } as Connection);
    const fields = new Map<number, Uint8Array[]>();
    for (const field of readFields(await readFrame(near, { signal: AbortSignal.timeout(5_000), maxBytes: 8192 }))) {
      fields.set(field.number, [...(fields.get(field.number) ?? []), bytesOf(field)]);
    }
    pair.close();
    return fields;
  }
  const texts = (bytes: Uint8Array[] | undefined): string[] => (bytes ?? []).map((text) => new TextDecoder().decode(text));
  const addrsOf = (bytes: Uint8Array[] | undefined): string[] => (bytes ?? []).map((addr) => multiaddr(addr).toString());

  it('say who this node is, where it is, what it speaks and where it sees the peer', async () => {
    const told = await ask(`${REMOTE}/p2p/12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf`);
    assert.deepEqual(texts(told.get(5)), ['ipfs/0.1.0']);
    assert.deepEqual(texts(told.get(6)), [AGENT]);
    assert.deepEqual(told.get(1)?.map((bytes) => Buffer.from(bytes)), [Buffer.from(publicKeyToProtobuf(key.publicKey))]);
    assert.deepEqual(addrsOf(told.get(2)), addrs);
    assert.deepEqual(texts(told.get(3)), protocols);
    assert.deepEqual(addrsOf(told.get(4)), [REMOTE], 'without the peer id');
    const record = PeerRecord.createFromProtobuf((await RecordEnvelope.openAndCertify(told.get(8)?.[0] ?? new Uint8Array(), PeerRecord.DOMAIN)).payload);
    assert.deepEqual(record.multiaddrs.map(String), addrs);
  });

  it('do not tell a peer behind another relay where it is seen', async () => {
    const told = await ask('/ip4/192.0.2.9/tcp/4001/p2p/12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf/p2p-circuit');
    assert.equal(told.get(4), undefined);
  });

  it('are signed once, and again when there is something else to tell, within a second', async () => {
    await ask();
    await ask();
    clock.advance(5_000);
    await ask();
    assert.equal(signatures, 1);
    addrs = ['/ip4/203.0.113.2/tcp/4001'];
    protocols = [...protocols, '/ipfs/ping/1.0.0'];
    clock.advance(1_000);
    const told = await ask();
    assert.deepEqual([addrsOf(told.get(2)), texts(told.get(3)), signatures], [addrs, protocols, 2]);
  });

  it('carry no record where there is no address', async () => {
    addrs = [];
    const told = await ask();
    assert.deepEqual([told.get(2), told.get(8), signatures], [undefined, undefined, 0]);
  });
});

describe('identify answers, to libp2p\'s own identify', () => {
  const nodes: Libp2p[] = [];
  afterEach(() => Promise.all(nodes.splice(0).map(async (node) => node.stop())));

  it('are understood', async () => {
    const common = { transports: [tcp()], connectionEncrypters: [noise()], streamMuxers: [yamux()], connectionMonitor: { enabled: false }, connectionGater: { denyDialMultiaddr: () => false } };
    const services = { identify: identifyAnswers(systemClock) };
    const relay = await createLibp2p({ ...common, addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] }, nodeInfo: { userAgent: AGENT }, services });
    const peer = await createLibp2p<{ identify: Identify }>({ ...common, services: { identify: identify({ runOnConnectionOpen: false }) } });
    nodes.push(relay, peer);
    const result = await peer.services.identify.identify(await peer.dial(relay.getMultiaddrs()));
    assert.ok(result.peerId.equals(relay.peerId));
    assert.equal(result.agentVersion, AGENT);
    assert.deepEqual(result.protocols, [IDENTIFY_PROTOCOL]);
    assert.deepEqual(result.signedPeerRecord?.addresses.map(String), relay.getMultiaddrs().map((addr) => addr.decapsulate('/p2p').toString()));
    assert.equal((await peer.peerStore.get(relay.peerId)).addresses.every(({ isCertified }) => isCertified), true);
    assert.equal(await relay.peerStore.has(peer.peerId), true, 'the relay was told nothing but that there is such a peer');
  });
});
