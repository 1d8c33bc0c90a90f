import assert from 'node:assert/strict';
import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterEach, describe, it } from 'node:test';
import type { Libp2p } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { encodeQuestion as encodeBearers } from '../../../src/coordination/bearer-messages.ts';
import { encodeFrame } from '../../../src/coordination/links/messages.ts';
import { encodeRecord } from '../../../src/coordination/record.ts';
import { encodeAnswer, encodeQuestion } from '../../../src/coordination/shares/codec.ts';
import { Owners } from '../../../src/coordination/shares/owners.ts';
import { readFrame, writeFrame } from '../../../src/lib/circuit/frames.ts';
import { concat, encodeVarint } from '../../../src/lib/protobuf.ts';
import { CLUSTER, LinkNodes, SECRET_HEX, bareNode } from '../../support/coordination/link-nodes.ts';
import { until } from '../../support/waiting.ts';

const page = readFileSync(new URL('../../../docs/reference/protocol-cluster.md', import.meta.url), 'utf8');

/** Says whether the page shows these bytes. */
const shows = (bytes: Uint8Array): boolean => page.includes(`\`${Buffer.from(bytes).toString('hex').replaceAll(/..(?!$)/g, '$& ')}\``);

describe('docs/reference/protocol-cluster.md', () => {
  const nodes = new LinkNodes();
  const strangers: Libp2p[] = [];
  afterEach(async () => {
    await nodes.stopAll();
    await Promise.all(strangers.splice(0).map(async (node) => node.stop()));
  });

  it('shows frames, records, users of bearer tokens and shares as they are on the wire', () => {
    const [ping, pong] = [encodeFrame({ type: 'ping', id: 1 }), encodeFrame({ type: 'pong', id: 1, wallMs: 1_700_000_000_000 })];
    const none = { reservations: { count: 0, max: 0 }, circuits: { count: 0, max: 0 } };
    const classes = { public: { reservations: { count: 1, max: 128 }, circuits: { count: 2, max: Infinity } }, member: none };
    const stamp = { instance: 77, session: 2, sequence: 1, view: new Owners(['b', 'a']).digest };
    const hold = { key: 'public/circuits.max/*', maximum: 100, want: 1, extra: 3, give: 0, claim: 0 };
    const examples = {
      ping: concat([encodeVarint(ping.byteLength), ping]),
      pong: concat([encodeVarint(pong.byteLength), pong]),
      record: encodeRecord({ epoch: 7, sequence: 1, state: 'ready', region: 'eu', version: '1.2.3', bytesRelayed: 1000, load: 0.25, digest: 'ab', secrets: ['0a1b2c3d'], addrs: [], linkAddrs: [], classes }),
      ask: encodeQuestion({ type: 'ask', stamp, wait: false, holds: [hold], rates: [] }),
      answer: encodeAnswer({ status: 'ok', holds: [{ status: 'ok', granted: 4, current: 10, maximum: 100, contended: false }], rates: [] }),
      bearers: encodeBearers({ authority: 'aa', claims: [{ token: '00112233aabbccdd', peer: 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N', claimedAtWall: 1_700_000_000_000, expiresAtWall: 1_700_003_660_000, maxPeers: 1 }] }),
    };
    for (const [name, bytes] of Object.entries(examples)) assert.ok(shows(bytes), `${name}: ${Buffer.from(bytes).toString('hex')}`);
  });

  it('is enough to be let in as a relay, and to be asked and answered', async () => {
    const relay = await nodes.start();
    const signal = AbortSignal.timeout(60_000);
    relay.links.answer(3, (_from, question) => Uint8Array.of(...question, 9));
    const node = await bareNode();
    strangers.push(node);
    const stream = await node.dialProtocol(multiaddr(relay.addr), '/relayd/cluster/1.0.0', { signal });
    const nonce = randomBytes(32);
    writeFrame(stream, Buffer.concat([Buffer.of(0x0a, 32), nonce]));
    const theirs = Buffer.from(await readFrame(stream, { signal })).subarray(2);
    const key = Buffer.from(hkdfSync('sha256', Buffer.from(SECRET_HEX, 'hex'), `relayd-cluster/${CLUSTER}`, 'link', 32));
    const proofOf = (role: string): Buffer => {
      const parts = ['/relayd/cluster/1.0.0', role, node.peerId.toString(), relay.id, nonce, theirs].map((part) => Buffer.from(part));
      const mac = createHmac('sha256', key).update(Buffer.concat(parts.flatMap((part) => [Buffer.of(part.byteLength), part]))).digest();
      return Buffer.concat([Buffer.of(0x12, 32), mac]);
    };
    writeFrame(stream, proofOf('opener'));
    assert.deepEqual(Buffer.from(await readFrame(stream, { signal })), proofOf('acceptor'));
    await until(() => relay.links.members().includes(node.peerId.toString()), 'the link to stand');
    writeFrame(stream, Buffer.from('08011005180322020102', 'hex'));
    const frames = [Buffer.from(await readFrame(stream, { signal })), Buffer.from(await readFrame(stream, { signal }))];
    assert.deepEqual(frames.map((frame) => frame.toString('hex')).sort(), ['080210052203010209', '08041001'], 'a ping and the answer');
  });
});
