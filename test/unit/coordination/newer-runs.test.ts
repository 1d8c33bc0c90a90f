import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { generateKeyPair } from '@libp2p/crypto/keys';
import type { PrivateKey } from '@libp2p/interface';
import { LINK_KINDS } from '../../../src/coordination/links.ts';
import { NewerRuns } from '../../../src/coordination/newer-runs.ts';
import type { NewerRunsOptions } from '../../../src/coordination/newer-runs.ts';
import { Relays } from '../../../src/coordination/relays.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { LinkNodes, linked } from '../../support/coordination/link-nodes.ts';
import type { LinkNode } from '../../support/coordination/link-nodes.ts';
import { PATIENCE_MS, until } from '../../support/waiting.ts';
import { aRelay, SECRET } from './a-relay.ts';
import type { ARelay } from './a-relay.ts';

const OLDER = 7;
const NEWER = 8;

describe('a newer run of a relay', () => {
  let nodes: LinkNodes;
  let parts: NewerRuns[];
  let twin: ARelay;
  let other: LinkNode;
  let relays: Relays;

  beforeEach(async () => {
    nodes = new LinkNodes();
    parts = [];
    twin = await aRelay();
    other = await nodes.start();
    relays = new Relays({ self: other.id, isLinked: () => true, secret: SECRET, clock: systemClock, log: silentLogger, onRejected: () => {} });
    watch(other, { epoch: 1, relays });
  });

  afterEach(async () => {
    parts.forEach((part) => part.stop());
    await nodes.stopAll();
  });

  function watch(node: LinkNode, options: Pick<NewerRunsOptions, 'epoch'> & Partial<NewerRunsOptions>): void {
    const part = new NewerRuns({ self: node.id, secret: SECRET, links: node.links, relays: { live: () => [], onChange: () => () => {} }, onFenced: () => {}, clock: systemClock, log: silentLogger, ...options });
    part.start();
    parts.push(part);
  }

  /** One process with the identity of the twins. */
  async function start(epoch: number, privateKey: PrivateKey = twin.key): Promise<{ node: LinkNode; fenced: Promise<void> }> {
    const started = await begin(epoch, privateKey);
    await linked([started.node, other]);
    return started;
  }

  /** A link to it may be cut at once. */
  async function begin(epoch: number, privateKey: PrivateKey = twin.key): Promise<{ node: LinkNode; fenced: Promise<void> }> {
    const node = await nodes.start({ privateKey, configured: [other.addr] });
    const { promise: fenced, resolve } = Promise.withResolvers<void>();
    watch(node, { epoch, onFenced: resolve });
    return { node, fenced };
  }

  it('is told to the older one over its link, which is given up with its connection', async () => {
    const { node, fenced } = await start(OLDER);
    const [connection] = node.libp2p.getConnections();
    relays.heard(twin.name, await twin.seal({ epoch: NEWER }));
    await fenced;
    await until(() => connection?.status !== 'open', 'the connection to be closed');
  });

  it('is told to an older one that comes back later, too', async () => {
    relays.heard(twin.name, await twin.seal({ epoch: NEWER }));
    await until(() => relays.has(twin.name), 'the record to be known');
    await (await begin(OLDER)).fenced;
  });

  it('is told to one that was linked before anybody looked', async () => {
    parts.splice(0).forEach((part) => part.stop());
    const { fenced } = await start(OLDER);
    relays.heard(twin.name, await twin.seal({ epoch: NEWER }));
    await until(() => relays.has(twin.name), 'the record to be known');
    watch(other, { epoch: 1, relays });
    await fenced;
  });

  it('is told again to one that could not answer yet, as it starts', async () => {
    relays.heard(twin.name, await twin.seal({ epoch: NEWER }));
    await until(() => relays.has(twin.name), 'the record to be known');
    const asked = Promise.withResolvers<void>();
    const node = await nodes.start({ privateKey: twin.key, configured: [other.addr] });
    const end = node.links.answer(LINK_KINDS.run, () => {
      asked.resolve();
      return Promise.reject(new RelaydError('BUSY', 'it starts'));
    });
    await asked.promise;
    end();
    const fenced = Promise.withResolvers<void>();
    watch(node, { epoch: OLDER, onFenced: fenced.resolve });
    await fenced.promise;
  });

  it('keeps its link, and so does who is of no older run', async () => {
    const { node } = await start(NEWER);
    relays.heard(twin.name, await twin.seal({ epoch: OLDER }));
    relays.heard(twin.name, await twin.seal({ epoch: NEWER }));
    await until(() => relays.live()[0]?.record.epoch === NEWER, 'the newer record to be known');
    // What was asked before has been answered.
    const answer = await other.links.ask(twin.name, LINK_KINDS.run, await twin.seal({ epoch: NEWER }), AbortSignal.timeout(PATIENCE_MS));
    assert.deepEqual([[...answer], node.links.members()], [[1], [other.id]]);
  });

  it('is believed for its own signature alone', async () => {
    const { node } = await start(OLDER);
    const forged = await (await aRelay()).seal({ epoch: NEWER });
    await assert.rejects(other.links.ask(twin.name, LINK_KINDS.run, forged, AbortSignal.timeout(PATIENCE_MS)), { code: 'BAD_REQUEST' });
    assert.deepEqual(node.links.members(), [other.id]);
  });

  it('is no affair of other relays', async () => {
    const { node } = await start(OLDER, await generateKeyPair('Ed25519'));
    relays.heard(twin.name, await twin.seal({ epoch: NEWER }));
    await until(() => relays.has(twin.name), 'the record to be known');
    assert.deepEqual(other.links.members(), [node.id]);
  });
});
