import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { after, afterEach, before, describe, it } from 'node:test';
import { pino } from 'pino';
import { assertConfig, loadConfig } from '../../src/config/index.ts';
import type { RelayNode } from '../../src/index.ts';
import { RelayNode as Node, createIdentity } from '../../src/node/index.ts';
import { LISTEN, Nodes, metric, untilHolds } from '../support/nodes.ts';
import { makePeerIds } from '../support/peer-ids.ts';
import { TestRealm, tokenId } from '../support/test-realm.ts';
import { until } from '../support/waiting.ts';

const HOUR_MS = 3_600_000;

describe('a client of a realm', () => {
  let realm: TestRealm;
  const nodes = new Nodes();
  const own: RelayNode[] = [];

  before(async () => {
    realm = await TestRealm.create();
  });
  afterEach(async () => {
    await Promise.all(own.splice(0).map((node) => node.stop()));
    await nodes.stopAll();
  });
  after(() => realm.remove());

  const startRelay = (name: string, relay: object = {}): Promise<RelayNode> => nodes.start(name, { role: 'relay', network: { listen: LISTEN }, realm: realm.relayKeys, relay: { maxEventLoopDelay: 'unlimited', ...relay } });
  const addrOf = (node: RelayNode): string => node.addrs[0] ?? assert.fail('it has no address');
  const reasons = (node: RelayNode): (string | undefined)[] => node.view.relays().map(({ reason }) => reason);
  const expired = (): Promise<string> => realm.issue({ expiresMs: HOUR_MS }, -2 * HOUR_MS);

  interface Watched {
    node: RelayNode;
    lines: { level: number; msg: string; reason?: string }[];
    text: () => string;
  }

  /** A client whose log is kept, and whose token is in `tokenFile`; a reload reads that again. */
  async function startWatched(relays: string[], tokenFile: string): Promise<Watched> {
    const lines: string[] = [];
    const log = pino({ level: 'trace', base: undefined }, { write: (line: string) => void lines.push(line) });
    const inline = {
      role: 'client',
      network: { listen: [], allowPrivate: true },
      dataDir: await nodes.dataDir('watched'),
      admin: { listen: '127.0.0.1:0' },
      log: { level: 'trace' },
      client: { relays, when: 'always', desired: 1 },
      realm: { ...realm.memberKeys, tokenFile },
    };
    const node = new Node(assertConfig(loadConfig({ inline })), { log, reloadConfig: () => loadConfig({ inline }) });
    own.push(node);
    await node.start();
    return {
      node,
      get lines() {
        return lines.map((line) => JSON.parse(line) as Watched['lines'][number]);
      },
      text: () => lines.join(''),
    };
  }

  it('that is refused for its token says so once, asks seldom, and comes at once with a new token', async () => {
    const relay = await startRelay('relay', { open: false });
    const tokenFile = await realm.tokenFile(await expired());
    const client = await startWatched([addrOf(relay)], tokenFile);
    await until(() => reasons(client.node)[0] === 'refused: token expired: the token has expired; ask for a new one', 'the reason is shown');
    const [row] = client.node.view.relays();
    assert.ok((row?.retryInSeconds ?? 0) >= 50, `again in ${row?.retryInSeconds} s`);
    assert.equal(await metric(relay, 'relayd_relay_refusals_total{request="reserve",limit="token expired",class="public"}'), 1);
    const warnings = client.lines.filter(({ level, msg }) => level === 40 && msg === 'a relay refuses this node');
    assert.deepEqual(warnings.map(({ reason }) => reason), ['token expired: the token has expired; ask for a new one']);
    const token = await realm.issue();
    await writeFile(tokenFile, token);
    await client.node.reload();
    await untilHolds(client.node, 1);
    assert.deepEqual(relay.view.reservations().map(({ class: limitClass, token: id }) => [limitClass, id]), [['member', tokenId(token)]]);
    assert.deepEqual((client.node.view.status().realm as { token: { id: string } }).token.id, tokenId(token));
  });

  it('that holds a reservation renews it at once when a reload brings another token', async () => {
    const relay = await startRelay('relay');
    const tokenFile = await realm.tokenFile(await expired());
    const client = await startWatched([addrOf(relay)], tokenFile);
    await untilHolds(client.node, 1);
    assert.deepEqual(reasons(client.node), ['held, but served as anyone: token expired']);
    assert.ok(client.lines.some(({ level, reason }) => level === 40 && reason === 'token expired'));
    const token = await realm.issue();
    await writeFile(tokenFile, token);
    await client.node.reload();
    await until(() => relay.view.reservations()[0]?.token === tokenId(token), 'it is a member now');
    await until(() => reasons(client.node)[0] === 'held: first by score', 'it says so');
  });

  it('that is a member by its id stays one, whatever its token is worth, and says both', async () => {
    const dir = await nodes.dataDir('watched');
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const { peerId } = await createIdentity(`${dir}/identity.key`);
    const relay = await nodes.start('relay', { role: 'relay', network: { listen: LISTEN }, realm: { ...realm.relayKeys, members: [String(peerId)] }, relay: { maxEventLoopDelay: 'unlimited', open: false } });
    const client = await startWatched([addrOf(relay)], await realm.tokenFile(await expired()));
    await untilHolds(client.node, 1);
    assert.deepEqual(relay.view.reservations().map(({ class: limitClass }) => limitClass), ['member']);
    assert.deepEqual(reasons(client.node), ['held, and served as a member by its id, not by its token: token expired']);
    assert.ok(client.lines.some(({ level, msg }) => level === 40 && msg === 'a relay does not accept the token, and serves this node as a member by its id'));
  });

  it('that has no token is told what the relay is for', async () => {
    const relay = await startRelay('relay', { open: false });
    const client = await nodes.start('client', { role: 'client', client: { relays: [addrOf(relay)], when: 'always', desired: 1 } });
    await until(() => reasons(client)[0] === 'refused: members only: this relay serves members of the realm home; ask its operator for an invitation', 'the reason is shown');
    const [somebody] = await makePeerIds(1);
    await assert.rejects(client.dialler.dial(`${addrOf(relay)}/p2p-circuit/p2p/${String(somebody)}`, { signal: AbortSignal.timeout(20_000) }), /ask its operator for an invitation/);
  });

  it('opens circuits as a member, through a relay that it has no reservation with', async () => {
    const relay = await startRelay('relay', { open: false });
    const target = await nodes.start('target', { role: 'client', client: { relays: [addrOf(relay)], when: 'always', desired: 1 }, realm: await realm.holderKeys() });
    await untilHolds(target, 1);
    const caller = await nodes.start('caller', { role: 'relay', network: { listen: LISTEN }, realm: { ...realm.memberKeys, tokenFile: await realm.tokenFile(await boundTo('caller')) } });
    const { path } = await caller.dialler.dial(`${addrOf(relay)}/p2p-circuit/p2p/${target.peerId}`, { signal: AbortSignal.timeout(20_000) });
    assert.equal(path, 'relay');
    assert.equal(relay.view.circuits()[0]?.class, 'member');
  });

  for (const kind of ['bearer', 'bound'] as const) {
    it(`shows a ${kind} token ${kind === 'bearer' ? 'to no relay that was only found' : 'to a relay that was found, for nobody else can use it'}`, async () => {
      const found = await startRelay('found');
      const named = await startRelay('named', { open: false, alternatives: [addrOf(found)], memberLimits: { reservations: { max: 0 } } });
      const tokenFile = await realm.tokenFile(kind === 'bearer' ? await realm.issue() : await boundTo('client'));
      const client = await nodes.start('client', { role: 'client', client: { relays: [addrOf(named)], when: 'always', desired: 1 }, realm: { ...realm.memberKeys, tokenFile } });
      assert.deepEqual(await untilHolds(client, 1), [found.peerId]);
      assert.equal(client.view.relays().find(({ peer }) => peer === found.peerId)?.source, 'relay');
      assert.ok((await metric(named, 'relayd_realm_tokens_total{outcome="ok"}')) > 0, 'it was shown to the one that the operator named');
      assert.equal(await metric(found, 'relayd_realm_tokens_total{outcome="ok"}'), kind === 'bearer' ? 0 : 1);
      assert.deepEqual(found.view.reservations().map((row) => row.class), [kind === 'bearer' ? 'public' : 'member']);
    });
  }

  it('writes no token into its log, and a relay none that it is shown', async () => {
    const token = await realm.issue();
    const relay = await startRelay('relay', { open: false });
    const client = await startWatched([addrOf(relay)], await realm.tokenFile(token));
    await untilHolds(client.node, 1);
    const bytes = Buffer.from(token.slice('relaytoken1.'.length), 'base64url');
    const signature = bytes.subarray(-64);
    for (const form of ['base64url', 'base64', 'hex', 'latin1'] as const) {
      assert.ok(!client.text().includes(signature.subarray(0, 48).toString(form)), form);
    }
    assert.ok(client.text().includes('reservation made'));
  });

  async function boundTo(name: string): Promise<string> {
    const dir = await nodes.dataDir(name);
    await mkdir(dir, { recursive: true, mode: 0o700 });
    return await realm.issue({ peer: (await createIdentity(`${dir}/identity.key`)).peerId.toString() });
  }
});
