import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chmodSync, copyFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import type { EtcdConfig } from '../../../../src/config/domain.ts';
import { RelaydError } from '../../../../src/lib/errors.ts';
import { WebAuthority, writeCertificate } from '../../../support/certificate.ts';
import { EtcdRelay } from '../../../support/coordination/etcd-relay.ts';
import { EtcdCluster, available } from '../../../support/stores/etcd.ts';
import { PATIENCE_MS, until } from '../../../support/waiting.ts';

const HOUR_MS = 3_600_000;
const NO_TLS = { caFile: undefined, certFile: undefined, keyFile: undefined };

describe('the way into etcd', { skip: available() ?? false, concurrency: 1 }, () => {
  let relays: EtcdRelay[] = [];

  afterEach(async () => {
    await Promise.all(relays.map((relay) => relay.kill()));
    relays = [];
  });

  async function start(config: EtcdConfig, id = 'a'): Promise<EtcdRelay> {
    const relay = new EtcdRelay(config, id);
    relays.push(relay);
    return await relay.start();
  }

  /** All of it is used: a lease, transactions, and the watch. */
  async function works(config: EtcdConfig): Promise<void> {
    const [a, b] = [await start(config, 'a'), await start(config, 'b')];
    assert.deepEqual(a.beats.errors, []);
    await until(() => a.heard.relays.has('b') && b.heard.relays.has('a'), 'they know each other');
    await a.registry.publish([{ peer: 'p', ttlMs: HOUR_MS }]);
    assert.deepEqual(await b.holders('p'), ['a']);
  }

  async function problemWith(config: EtcdConfig): Promise<string> {
    const relay = await start(config);
    assert.equal(relay.beats.errors.length, 1);
    return relay.registry.problem ?? '';
  }

  describe('over TLS with certificates on both sides', () => {
    let etcd: EtcdCluster;

    before(async () => (etcd = await EtcdCluster.start({ tls: 'mutual' })));
    after(async () => await etcd?.stop());

    it('is open with the right ones', async () => await works(etcd.config()));

    it('is closed without the authority, with what is wrong', async () => {
      assert.match(await problemWith(etcd.config({ tls: NO_TLS })), /https:.*: self-signed certificate in certificate chain/);
    });

    it('is closed without a certificate of its own', async () => {
      assert.match(await problemWith(etcd.config({ tls: { ...NO_TLS, caFile: etcd.config().tls.caFile } })), /https:.*: TLS: .*certificate/);
    });

    it('is missed without TLS, with what would be right', async () => {
      assert.match(await problemWith(etcd.config({ endpoints: [etcd.first.url.replace('https', 'http')] })), /does it want https\?/);
    });

    it('reads the files again while it is closed, so that what is renewed works without a restart', async () => {
      const dir = dirname(etcd.file('ca.txt', ''));
      const right = etcd.config().tls;
      const renewed = { ...right, ...writeCertificate(mkdtempSync(`${dir}/renewed-`), new WebAuthority().issue({ forClients: true })) };
      const relay = await start(etcd.config({ tls: renewed }));
      assert.match(relay.registry.problem ?? '', /https:.*: TLS: .*alert/);
      copyFileSync(right.certFile!, renewed.certFile);
      copyFileSync(right.keyFile!, renewed.keyFile);
      await until(() => relay.registry.problem === undefined, 'the renewed certificate is used');
    });

    it('does not begin when a file is missing, open to all or the key of another certificate, and says which key names it', async () => {
      const missing = start(etcd.config({ tls: { ...etcd.config().tls, caFile: '/nowhere/ca.pem' } }));
      await assert.rejects(missing, (error) => error instanceof RelaydError && error.code === 'FILE_UNREADABLE' && /coordination\.etcd\.tls\.caFile: \/nowhere\/ca\.pem/.test(error.message));
      const keyFile = etcd.file('open.pem', 'a key');
      chmodSync(keyFile, 0o644);
      const open = start(etcd.config({ tls: { ...etcd.config().tls, keyFile } }));
      await assert.rejects(open, (error) => error instanceof RelaydError && error.code === 'FILE_UNREADABLE' && /coordination\.etcd\.tls\.keyFile: .*chmod 600/.test(error.message));
      chmodSync(keyFile, 0o600);
      writeFileSync(keyFile, new WebAuthority().issue().key);
      const other = start(etcd.config({ tls: { ...etcd.config().tls, keyFile } }));
      await assert.rejects(other, (error) => error instanceof RelaydError && error.code === 'FILE_UNREADABLE' && /coordination\.etcd\.tls\.keyFile: .* is not the key of the certificate/.test(error.message));
    });
  });

  describe('with users, over TLS', () => {
    let etcd: EtcdCluster;
    const TOKEN_SECONDS = 2;

    before(async () => (etcd = await EtcdCluster.start({ tls: 'server', args: ['--auth-token-ttl', String(TOKEN_SECONDS)] })));
    after(async () => await etcd?.stop());

    function as(username: string, password: string): EtcdConfig {
      return etcd.config({ username, passwordFile: etcd.file(`password-${password}`, `${password}\n`) });
    }

    it('is open before users are demanded, and stays so when they are', async () => {
      const relay = await start(as('relayd', 'right'));
      assert.deepEqual(relay.beats.errors, []);
      etcd.demandUsers('right', '/relayd/test/');
      await relay.registry.beat(Buffer.from('with a user'));
      const other = await start(as('relayd', 'right'), 'b');
      await until(() => relay.heard.relays.has('b') && other.heard.relays.has('a'), 'they know each other');
    });

    it('is open with a role for the prefix of the cluster alone', async () => await works(as('relayd', 'right')));

    it('stays open when tokens end', async () => {
      const config = as('relayd', 'right');
      const a = await start(config, 'a');
      const end = performance.now() + 2_000 * TOKEN_SECONDS;
      await until(() => performance.now() > end, 'the first token is over');
      const b = await start(config, 'b');
      await until(() => a.heard.relays.has('b'), 'what comes later is heard');
      a.beats.stop();
      // Without a question in between, a simple token ends.
      const later = performance.now() + 2_000 * TOKEN_SECONDS;
      await until(() => performance.now() > later, 'the next one is over');
      await a.registry.beat(Buffer.from('again'));
      assert.deepEqual([a.beats.errors, b.beats.errors], [[], []]);
    });

    it('is closed with a wrong password, with the keys to look at', async () => {
      const problem = await problemWith(as('relayd', 'wrong-password'));
      assert.match(problem, /etcd refuses: .*invalid user ID or password; coordination\.etcd\.username or passwordFile is wrong/);
      assert.ok(!problem.includes('wrong-password'), 'and without the password');
    });

    it('is closed without a user', async () => {
      assert.match(await problemWith(etcd.config()), /user name is empty; it wants a user: coordination\.etcd\.username and passwordFile/);
    });

    it('says which right is missing, and goes on when it is given', async () => {
      const relay = await start(as('relayd', 'right'));
      etcd.ask('role', 'revoke-permission', 'relays', '/relayd/test/', '/relayd/test0');
      await until(() => /permission denied; .* needs a role with readwrite on the prefix \/relayd\/test\//.test(relay.registry.problem ?? ''), 'it says so');
      etcd.ask('role', 'grant-permission', 'relays', 'readwrite', '--prefix=true', '/relayd/test/');
      await until(() => relay.registry.problem === undefined, 'all is well', 2 * PATIENCE_MS);
    });
  });

  describe('to something else', () => {
    it('is closed, and says what is there', async () => {
      for (const [version, expected] of [['{"etcdserver":"3.3.25"}', /etcd 3\.3\.25 is too old/], ['hello', /no etcd answers there/]] as const) {
        const server = createServer((_request, response) => void response.end(version));
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        try {
          assert.match(await problemWith({ endpoints: [`http://127.0.0.1:${(server.address() as AddressInfo).port}`], username: undefined, passwordFile: undefined, tls: NO_TLS }), expected);
        } finally {
          server.closeAllConnections();
          server.close();
        }
      }
    });
  });
});
