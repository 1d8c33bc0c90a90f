import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { PeerId } from '@libp2p/interface';
import { ManualClock } from '../../../src/lib/clock.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { TOKEN_PROBLEMS } from '../../../src/lib/membership/verifier.ts';
import type { Grant, TokenUse, TokenVerdict } from '../../../src/lib/membership/verifier.ts';
import type { TokenContent } from '../../../src/realm/content.ts';
import { formatToken } from '../../../src/realm/index.ts';
import { signRevocationList } from '../../../src/realm/revocation-list.ts';
import type { Revocation } from '../../../src/realm/revocation-list.ts';
import { signToken } from '../../../src/realm/token.ts';
import { makePeerIds } from '../../support/peer-ids.ts';
import { settled } from '../../support/waiting.ts';
import { ANNA, BERT, NOW, configOf, contentOf, folder, makeKey, makeNode, startNode } from './support.ts';
import type { TestNode } from './support.ts';

const KEY = makeKey();
const [CARL, DORA] = (await makePeerIds(2)) as [PeerId, PeerId];

const tokenOf = (changes: Partial<TokenContent> = {}): Uint8Array => signToken(contentOf(changes), KEY.privateKey);
const bearerOf = (maxPeers: number, changes: Partial<TokenContent> = {}): Uint8Array => tokenOf({ peer: undefined, maxPeers, ...changes });

const start = (t: TestContext, dataDir = folder(t), clock?: ManualClock): Promise<TestNode> => startNode(t, { dataDir, authority: KEY.text, clock });

function grantOf(verdict: TokenVerdict): Grant {
  assert.ok(verdict.ok, JSON.stringify(verdict));
  return verdict.grant;
}

const problemOf = (verdict: TokenVerdict): string => (verdict.ok ? 'none' : verdict.problem);

describe('a token that is shown to a node', () => {
  it('makes a member of the peer that it names, by what it says', async (t) => {
    const { realm } = await start(t);
    const grant = grantOf(realm.verify(tokenOf({ limits: { circuits: 3 } }), ANNA, 'reserve'));
    assert.deepEqual({ ...grant, claim: undefined }, { tokenId: '00112233aabbccdd', peer: ANNA.toString(), expiresAtWall: (NOW + 3600) * 1000 + 60_000, limits: { circuits: 3 }, claim: undefined });
    assert.equal(realm.endOf(grant), undefined);
    assert.equal(grantOf(realm.verify(tokenOf({ peer: BERT }), BERT, 'connect')).peer, BERT.toString());
  });

  it('is refused with the reason, each of them counted', async (t) => {
    const { realm, registry } = await start(t);
    const cases: [string, Uint8Array, PeerId, TokenUse][] = [
      ['none', tokenOf({ uses: ['tunnel:ssh'] }), ANNA, 'tunnel:ssh'],
      ['token malformed', new Uint8Array(), ANNA, 'reserve'],
      ['token malformed', tokenOf().subarray(1), ANNA, 'reserve'],
      ['token malformed', new Uint8Array(1025), ANNA, 'reserve'],
      ['token signature', signToken(contentOf(), makeKey().privateKey), ANNA, 'reserve'],
      ['token wrong realm', tokenOf({ realm: 'work' }), ANNA, 'reserve'],
      ['token not yet valid', tokenOf({ notBeforeSeconds: NOW + 61 }), ANNA, 'reserve'],
      ['token expired', tokenOf({ notBeforeSeconds: NOW - 3600, expiresSeconds: NOW - 60 }), ANNA, 'reserve'],
      ['token wrong peer', tokenOf(), BERT, 'reserve'],
      ['token use', tokenOf({ uses: ['connect'] }), ANNA, 'reserve'],
      ['token use', tokenOf({ uses: ['reserve'] }), ANNA, 'connect'],
      ['token use', tokenOf({ uses: ['tunnel:ssh'] }), ANNA, 'tunnel:ss'],
    ];
    for (const [problem, token, peer, use] of cases) {
      assert.equal(problemOf(realm.verify(token, peer, use)), problem);
    }
    const text = await registry.metrics();
    const count = (outcome: string): number => Number(new RegExp(`relayd_realm_tokens_total\\{outcome="${outcome}"\\} (\\d+)`).exec(text)?.[1]);
    assert.deepEqual(['ok', ...TOKEN_PROBLEMS].map((name) => count(name.replaceAll(' ', '_'))), ['none', ...TOKEN_PROBLEMS].map((name) => cases.filter(([problem]) => problem === name).length));
  });

  it('is refused with any byte of it changed', async (t) => {
    const { realm } = await start(t);
    const token = tokenOf();
    assert.ok(realm.verify(token, ANNA, 'reserve').ok);
    for (let at = 0; at < token.byteLength; at++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const altered = token.slice();
        altered[at] = (altered[at] ?? 0) ^ flip;
        assert.ok(!realm.verify(altered, ANNA, 'reserve').ok, `byte ${at}`);
      }
    }
  });

  it('is looked at anew for another peer, another use and another time, although its signature is looked at once', async (t) => {
    const { realm, clock } = await start(t);
    const token = tokenOf({ uses: ['reserve'] });
    const verdicts = (): string[] => [problemOf(realm.verify(token, ANNA, 'reserve')), problemOf(realm.verify(token, BERT, 'reserve')), problemOf(realm.verify(token, ANNA, 'connect'))];
    assert.deepEqual([verdicts(), verdicts()], [['none', 'token wrong peer', 'token use'], ['none', 'token wrong peer', 'token use']]);
    clock.advance(3_661_000);
    assert.deepEqual(verdicts(), ['token expired', 'token expired', 'token expired']);
  });

  it('is taken a minute early and late, or a tenth of its life when that is less', async (t) => {
    for (const [life, tolerance] of [[3600, 60], [600, 60], [100, 10], [10, 1]] as const) {
      const token = tokenOf({ notBeforeSeconds: NOW, expiresSeconds: NOW + life });
      const at = async (seconds: number): Promise<string> => {
        const { realm } = await start(t, folder(t), new ManualClock(seconds * 1000));
        return problemOf(realm.verify(token, ANNA, 'reserve'));
      };
      assert.deepEqual(
        [await at(NOW - tolerance - 0.001), await at(NOW - tolerance), await at(NOW + life + tolerance - 0.001), await at(NOW + life + tolerance)],
        ['token not yet valid', 'none', 'none', 'token expired'],
        `a life of ${life} s`,
      );
    }
  });

  it('keeps many more tokens apart than it remembers', { timeout: 60_000 }, async (t) => {
    const { realm } = await start(t);
    const tokens = Array.from({ length: 4200 }, (_, i) => tokenOf({ id: i.toString(16).padStart(16, '0') }));
    for (const token of [...tokens, tokens[0]!, tokens[4199]!]) {
      assert.equal(problemOf(realm.verify(token, ANNA, 'reserve')), 'none');
    }
  });
});

describe('a node without an authority', () => {
  it('makes nobody a member by a token, and takes no list', async (t) => {
    const { realm } = await startNode(t, { dataDir: folder(t), authority: undefined });
    assert.equal(problemOf(realm.verify(tokenOf(), ANNA, 'reserve')), 'token wrong realm');
    assert.deepEqual([realm.isRevokedPeer(ANNA), realm.revocationList(), realm.revocationSequence, realm.offerRevocationList(new Uint8Array(100))], [false, undefined, 0, 'refused']);
  });
});

describe('a grant', () => {
  it('is over when its time is, and when the authority is another', async (t) => {
    const dataDir = folder(t);
    const { realm, clock } = await start(t, dataDir);
    const [short, long] = [grantOf(realm.verify(tokenOf({ expiresSeconds: NOW + 100 }), ANNA, 'reserve')), grantOf(realm.verify(tokenOf(), ANNA, 'reserve'))];
    clock.advance(109_999);
    assert.equal(realm.endOf(short), undefined);
    clock.advance(1);
    assert.deepEqual([realm.endOf(short), realm.endOf(long)], ['token expired', undefined]);
    let told = 0;
    const stopListening = realm.onChange(() => told++);
    realm.update(configOf({ dataDir, authority: KEY.text, config: { members: [ANNA.toString()] } }));
    assert.deepEqual([realm.endOf(long), told], [undefined, 0]);
    realm.update(configOf({ dataDir, authority: makeKey().text }));
    assert.deepEqual([realm.endOf(long), told, problemOf(realm.verify(tokenOf(), ANNA, 'reserve'))], ['revoked', 1, 'token signature']);
    stopListening();
    realm.update(configOf({ dataDir, authority: undefined }));
    assert.equal(told, 1);
  });

  it('by a token that another relay has looked at lasts until the token or the peer is revoked', async (t) => {
    const { realm } = await start(t);
    const [byToken, byPeer] = [realm.grantElsewhere('00112233aabbccdd', BERT.toString()), realm.grantElsewhere('ffeeddccbbaa9988', ANNA.toString())];
    assert.deepEqual([byToken, byPeer].map((grant) => realm.endOf(grant)), [undefined, undefined]);
    const revoke = (sequence: number, gone: Revocation): unknown => realm.offerRevocationList(signRevocationList({ realm: 'home', sequence, issuedAtSeconds: NOW, entries: [gone] }, KEY.privateKey));
    revoke(1, { token: '00112233aabbccdd', untilSeconds: NOW + 3600 });
    assert.deepEqual([byToken, byPeer].map((grant) => realm.endOf(grant)), ['revoked', undefined]);
    revoke(2, { peer: ANNA, untilSeconds: undefined });
    assert.deepEqual([byToken, byPeer].map((grant) => realm.endOf(grant)), [undefined, 'revoked']);
    const stranger = await startNode(t, { dataDir: folder(t), authority: undefined });
    assert.equal(stranger.realm.endOf(stranger.realm.grantElsewhere('00112233aabbccdd', BERT.toString())), 'revoked');
  });
});

describe('a bearer token', () => {
  it('is for as many peers as it says, the same ones again and again', async (t) => {
    const { realm } = await start(t);
    const token = bearerOf(2);
    grantOf(realm.verify(token, ANNA, 'reserve')).claim();
    grantOf(realm.verify(token, BERT, 'reserve')).claim();
    grantOf(realm.verify(token, BERT, 'connect')).claim();
    assert.equal(problemOf(realm.verify(token, CARL, 'reserve')), 'token used up');
    grantOf(realm.verify(token, ANNA, 'connect')).claim();
    grantOf(realm.verify(bearerOf(1, { id: '0000000000000001' }), CARL, 'reserve')).claim();
  });

  it('is not used by a peer that was not let in', async (t) => {
    const { realm } = await start(t);
    assert.ok(realm.verify(bearerOf(1), ANNA, 'reserve').ok);
    assert.ok(realm.verify(bearerOf(1), BERT, 'reserve').ok);
  });

  it('is over for the slower of two that come for its last place at once', async (t) => {
    const { realm } = await start(t);
    let told = 0;
    realm.onChange(() => told++);
    const [faster, slower] = [grantOf(realm.verify(bearerOf(1), ANNA, 'reserve')), grantOf(realm.verify(bearerOf(1), BERT, 'reserve'))];
    faster.claim();
    slower.claim();
    await settled(1);
    assert.deepEqual([realm.endOf(faster), realm.endOf(slower), told], [undefined, 'token used up', 1]);
  });

  it('stays used up after a restart', async (t) => {
    const dataDir = folder(t);
    const clock = new ManualClock(NOW * 1000);
    const first = await start(t, dataDir, clock);
    grantOf(first.realm.verify(bearerOf(1), ANNA, 'reserve')).claim();
    await first.realm.stop();
    const { realm } = await start(t, dataDir, clock);
    assert.equal(problemOf(realm.verify(bearerOf(1), BERT, 'reserve')), 'token used up');
    assert.ok(realm.verify(bearerOf(1), ANNA, 'reserve').ok);
    await realm.stop();
    await realm.start();
    assert.equal(problemOf(realm.verify(bearerOf(1), BERT, 'reserve')), 'token used up');
  });

  it('stays used up when the clock was ahead for a while, over a restart and another token', async (t) => {
    const dataDir = folder(t);
    const { realm, clock } = await start(t, dataDir);
    grantOf(realm.verify(bearerOf(1), ANNA, 'reserve')).claim();
    await realm.stop();
    clock.advance(400 * 86_400_000);
    await realm.start();
    const expiresSeconds = NOW + 401 * 86_400;
    grantOf(realm.verify(bearerOf(1, { id: '0000000000000001', expiresSeconds }), ANNA, 'reserve')).claim();
    await realm.stop();
    const right = await start(t, dataDir);
    assert.equal(problemOf(right.realm.verify(bearerOf(1), BERT, 'reserve')), 'token used up');
  });

  it('is forgotten after its end where many have used such tokens', async (t) => {
    const dataDir = folder(t);
    const file = join(dataDir, 'realm', 'bearers.json');
    mkdirSync(join(dataDir, 'realm'));
    const peers = Array.from({ length: 1000 }, (_, peer) => `peer ${peer}`);
    writeFileSync(file, JSON.stringify({ version: 1, tokens: [{ id: 'ended', expiresAt: new Date((NOW - 60) * 1000).toISOString(), peers }] }));
    const { realm } = await start(t, dataDir);
    grantOf(realm.verify(bearerOf(1), ANNA, 'reserve')).claim();
    await realm.stop();
    assert.doesNotMatch(readFileSync(file, 'utf8'), /ended/);
    assert.match(readFileSync(file, 'utf8'), /00112233aabbccdd/);
  });

  it('keeps a node from starting whose memory of it is damaged', async (t) => {
    const dataDir = folder(t);
    mkdirSync(join(dataDir, 'realm'));
    for (const text of ['', '{}', '{"version":1,"tokens":[{"id":1}]}']) {
      writeFileSync(join(dataDir, 'realm', 'bearers.json'), text);
      await assert.rejects(makeNode({ dataDir, authority: KEY.text }).realm.start(), (error: unknown) => error instanceof RelaydError && error.code === 'FILE_UNREADABLE' && /bearers\.json is damaged/.test(error.message));
    }
  });

  it('is served although nobody can write down that it is used, and that is said once', async (t) => {
    const dataDir = folder(t);
    const { realm, warnings } = await start(t, dataDir);
    writeFileSync(join(dataDir, 'realm'), 'no folder');
    for (const peer of [ANNA, BERT, CARL]) {
      grantOf(realm.verify(bearerOf(3), peer, 'reserve')).claim();
      await settled(3);
    }
    assert.equal(problemOf(realm.verify(bearerOf(3), DORA, 'reserve')), 'token used up');
    assert.deepEqual(warnings.map((line) => /bearers\.json.*used up can be used again/.test(line)), [true]);
    rmSync(join(dataDir, 'realm'));
    await realm.stop();
    assert.match(readFileSync(join(dataDir, 'realm', 'bearers.json'), 'utf8'), new RegExp(CARL.toString()));
  });

  it('has no room where more peers than can be kept have used such tokens, until some end', { timeout: 60_000 }, async (t) => {
    const dataDir = folder(t);
    mkdirSync(join(dataDir, 'realm'));
    const tokens = Array.from({ length: 10 }, (_, i) => ({ id: `${i}`, expiresAt: new Date((NOW + 60) * 1000).toISOString(), peers: Array.from({ length: 1000 }, (__, peer) => `peer ${peer}`) }));
    writeFileSync(join(dataDir, 'realm', 'bearers.json'), JSON.stringify({ version: 1, tokens }));
    const { realm, clock, warnings } = await start(t, dataDir);
    assert.equal(problemOf(realm.verify(bearerOf(1), ANNA, 'reserve')), 'token used up');
    assert.match(warnings.join(), /no more users of bearer tokens can be kept/);
    clock.advance(61_000);
    assert.equal(problemOf(realm.verify(bearerOf(1), ANNA, 'reserve')), 'none');
  });
});

describe("a node's own token", () => {
  const withToken = (dataDir: string, tokenFile: string): Parameters<typeof startNode>[1] => ({ dataDir, authority: KEY.text, config: { tokenFile } });

  it('is read at the start, and again with a changed configuration; a bad one leaves what there was', async (t) => {
    const dataDir = folder(t);
    const file = join(dataDir, 'token');
    const write = (text: string): void => writeFileSync(file, text, { mode: 0o600 });
    write(`${formatToken(tokenOf())}\n`);
    const options = withToken(dataDir, file);
    const { realm, warnings } = await startNode(t, options);
    assert.deepEqual([realm.token?.bytes, realm.token?.peer], [tokenOf(), ANNA.toString()]);
    write(formatToken(bearerOf(1)));
    realm.update(configOf(options));
    assert.deepEqual([realm.token?.bytes, realm.token?.peer, warnings], [bearerOf(1), undefined, []]);
    write('relaytoken1.nothing-that-a-token-would-be');
    realm.update(configOf(options));
    assert.deepEqual([realm.token?.bytes, warnings.length], [bearerOf(1), 1]);
    assert.doesNotMatch(warnings.join(), /nothing-that/);
    realm.update(configOf({ ...options, config: {} }));
    assert.equal(realm.token, undefined);
  });

  it('keeps the node from starting when it cannot be used', async (t) => {
    const dataDir = folder(t);
    const file = join(dataDir, 'token');
    const refusal = async (): Promise<string> => {
      const error: unknown = await makeNode(withToken(dataDir, file)).realm.start().then(() => undefined, (thrown: unknown) => thrown);
      assert.ok(error instanceof RelaydError && error.code === 'FILE_UNREADABLE');
      return error.message;
    };
    assert.match(await refusal(), /realm\.tokenFile: .* cannot be used: .*ENOENT/);
    writeFileSync(file, formatToken(tokenOf()));
    chmodSync(file, 0o644);
    assert.match(await refusal(), /mode 0644.*chmod 600/);
    chmodSync(file, 0o600);
    writeFileSync(file, formatToken(tokenOf()).slice(0, -3));
    assert.match(await refusal(), /damaged or not complete|not a membership token/);
  });

  it('is warned of when nobody will take it', async (t) => {
    const cases: [Uint8Array, RegExp | undefined][] = [
      [tokenOf(), undefined],
      [tokenOf({ notBeforeSeconds: NOW - 100, expiresSeconds: NOW }), /expired on 2023-11-14/],
      [tokenOf({ realm: 'work' }), /of the realm work, and realm\.name is home/],
      [signToken(contentOf(), makeKey().privateKey), /realm\.authority did not sign it/],
    ];
    for (const [token, warning] of cases) {
      const dataDir = folder(t);
      const file = join(dataDir, 'token');
      writeFileSync(file, formatToken(token), { mode: 0o600 });
      const { warnings } = await startNode(t, withToken(dataDir, file));
      assert.equal(warnings.length, warning === undefined ? 0 : 1);
      if (warning !== undefined) assert.match(warnings.join(), warning);
      assert.ok(!warnings.join().includes(formatToken(token)) && !existsSync(join(dataDir, 'realm')));
    }
  });
});
