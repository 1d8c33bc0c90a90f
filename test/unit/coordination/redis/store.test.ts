import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { RedisConfig } from '../../../../src/config/domain.ts';
import { WebAuthority, writeCertificate } from '../../../support/certificate.ts';
import type { WebCertificate } from '../../../support/certificate.ts';
import { RedisRelay, redisConfig } from '../../../support/coordination/redis-rig.ts';
import { signedList } from '../../../support/coordination/signed.ts';
import { freePort } from '../../../support/free-port.ts';
import { CutProxy } from '../../../support/stores/cut-proxy.ts';
import { RedisServer, available } from '../../../support/stores/redis.ts';
import { settled, until, within } from '../../../support/waiting.ts';
import { OneServer, hold, take, watchGone } from './one-server.ts';

/** What docs/reference/cluster-redis.md says that a user must be allowed. */
const DOCUMENTED = readFileSync(new URL('../../../../docs/reference/cluster-redis.md', import.meta.url), 'utf8');
const ACL_COMMANDS = [...DOCUMENTED.matchAll(/^ {2}\+.*$/gm)].flatMap(([line]) => line.trim().split(' '));

/** Longer than a command may take. */
const STALL_MS = 1_300;

describe('the connection to Redis', { skip: available() ?? false }, () => {
  const one = new OneServer();
  let dir = '';

  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'relayd-redis-test-'));
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  it('is given up when a frozen server does not answer, and made anew when it goes on', async () => {
    await one.withRelays(2, async (a, b) => {
      await until(() => a.heard.relays.has(b.id) && b.heard.relays.has(a.id), 'they know each other');
      const gone = watchGone(a, b);
      one.server.freeze();
      try {
        await assert.rejects(within(take(a, hold('frozen', 1)), 'an answer in spite of the frozen server'), { code: 'STORE_UNAVAILABLE' });
        await until(() => a.registry.problem !== undefined, 'the problem is known');
        const refused = assert.rejects(take(a, hold('frozen', 1)), { code: 'STORE_UNAVAILABLE' });
        assert.equal(await Promise.race([refused.then(() => 'at once'), settled().then(() => 'later')]), 'at once', 'who is away is not waited for');
      } finally {
        one.server.thaw();
      }
      await until(() => [a, b].every(({ registry }) => registry.problem === undefined), 'both are back');
      // As the coordinator does when the store is back: the take that was given up may have come through.
      await a.counters.restate(new Map());
      assert.equal((await take(a, hold('frozen', 1))).ok, true);
      assert.deepEqual(gone, [], 'the store slept, not the relays');
      assert.deepEqual([a.heard.staleTimes, b.heard.staleTimes], [0, 0], 'the same server with the same data');
    });
  });

  it('is kept when this process was stalled and not the server', async () => {
    await one.withRelays(1, async (a) => {
      const taken = take(a, hold('stalled', 1));
      // So that the take is on its way.
      await settled(1);
      const behind = take(a, hold('stalled-too', 1));
      await new Promise((resolve) => setImmediate(resolve));
      const end = performance.now() + STALL_MS;
      while (performance.now() < end);
      assert.deepEqual(await Promise.all([taken, behind]), [{ ok: true }, { ok: true }]);
      assert.deepEqual(a.heard.problems.filter((problem) => problem !== undefined), []);
    });
  });

  it('lets nothing through that was given up and arrives after all has been told anew', async () => {
    const proxy = await CutProxy.start(one.server.port);
    const relay = new RedisRelay(redisConfig({ url: `redis://127.0.0.1:${proxy.port}` }), 'late', 1);
    try {
      await relay.start();
      proxy.delay();
      await assert.rejects(take(relay, hold('late', 3)), { code: 'STORE_UNAVAILABLE' });
      await until(() => relay.registry.problem === undefined, 'there is another connection');
      await relay.counters.restate(new Map([['late', 1]]));
      const calls = (): number => Number(/cmdstat_evalsha:calls=(\d+)/.exec(one.server.ask('info', 'commandstats'))?.[1]);
      relay.beats.stop();
      const callsBefore = calls();
      proxy.heal();
      await until(() => calls() > callsBefore, 'the late take has arrived');
      assert.equal(one.server.ask('hget', '{relayd:test}:holds:late', 'late'), '1');
    } finally {
      await relay.kill();
      await proxy.stop();
    }
  });

  it('survives that a server dies, and has everything told to the one that comes in its place', async () => {
    const server = await RedisServer.start();
    const relay = new RedisRelay(redisConfig({ url: server.url }), 'a', 1);
    try {
      await relay.start();
      await server.kill();
      await until(() => relay.registry.problem?.includes('ECONNREFUSED') === true, 'the problem is known');
      assert.match(relay.registry.problem!, new RegExp(`^Redis at 127.0.0.1:${server.port}: connect ECONNREFUSED`));
      await assert.rejects(relay.registry.publish([{ peer: 'p', ttlMs: 1_000 }]), { code: 'STORE_UNAVAILABLE' });
      await server.startAgain();
      await until(() => relay.registry.problem === undefined && relay.heard.staleTimes === 1, 'it is back, and stale');
    } finally {
      await relay.kill();
      await server.stop();
    }
  });

  it('is waited for but briefly at the start, and comes when the store does', async () => {
    const port = await freePort();
    const relay = new RedisRelay(redisConfig({ url: `redis://127.0.0.1:${port}` }), 'a', 1);
    await relay.start();
    assert.match(relay.registry.problem ?? '', /ECONNREFUSED/);
    const server = await RedisServer.start({ port });
    try {
      await until(() => relay.registry.problem === undefined, 'the store has come');
      assert.equal((await take(relay, hold('late', 1))).ok, true);
      assert.deepEqual(relay.heard.problems.at(-1), undefined);
      assert.equal(relay.heard.staleTimes, 0, 'nothing had been told that could be lost');
    } finally {
      await relay.stop();
      await server.stop();
    }
  });

  it('does not keep a start waiting for a server that is silent', async () => {
    const proxy = await CutProxy.start(one.server.port);
    proxy.cut();
    const relay = new RedisRelay(redisConfig({ url: `redis://127.0.0.1:${proxy.port}` }), 'silent', 1);
    try {
      await within(relay.start(), 'the start');
      assert.notEqual(relay.registry.problem, undefined);
      proxy.heal();
      await until(() => relay.registry.problem === undefined, 'it answers');
    } finally {
      await relay.kill();
      await proxy.stop();
    }
  });

  it('goes on when somebody flushes the scripts', async () => {
    await one.withRelays(1, async (a) => {
      one.server.ask('script', 'flush');
      assert.equal((await take(a, hold('scripts', 1))).ok, true);
    });
  });

  it('says that the memory is used up, and that it is not any more', async () => {
    await one.withRelays(1, async (a) => {
      one.server.ask('config', 'set', 'maxmemory', '1');
      try {
        await assert.rejects(take(a, hold('oom', 1)), /has used up its memory \(maxmemory\)/);
        await until(() => a.registry.problem?.includes('maxmemory') === true, 'the problem is known');
      } finally {
        one.server.ask('config', 'set', 'maxmemory', '0');
      }
      await until(() => a.registry.problem === undefined, 'it is gone');
    });
  });

  it('leaves neither sockets nor timers behind, started and stopped again and again', async () => {
    await one.withRelays(0, async () => {
      const clients = (): number => one.server.ask('client', 'list').split('\n').length;
      const handles = (): number => process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP') || name === 'Timeout').length;
      const relay = one.relay();
      const atFirst = [clients(), handles()] as const;
      for (let i = 0; i < 3; i++) {
        await relay.start();
        assert.equal((await take(relay, hold('again', 1))).ok, true);
        await relay.stop();
      }
      await until(() => clients() === atFirst[0] && handles() <= atFirst[1], 'all is closed');
      await assert.rejects(take(relay, hold('again', 1)), { code: 'STORE_UNAVAILABLE' });
    });
  });

  it('is one for the registry and the counters, open until both are stopped', async () => {
    await one.withRelays(1, async (a) => {
      assert.equal(one.server.ask('client', 'list').split('\n').filter((line) => line.includes('cmd=evalsha')).length, 1);
      await a.counters.stop();
      await a.counters.stop();
      assert.deepEqual(await a.registry.holders('nobody', AbortSignal.timeout(5_000)), []);
      await a.registry.stop();
      await assert.rejects(a.registry.holders('nobody', AbortSignal.timeout(5_000)), { code: 'STORE_UNAVAILABLE' });
    });
  });

  it('says which file of which key cannot be read', async () => {
    const missing = join(dir, 'missing.pem');
    const cases: [string, Partial<RedisConfig>][] = [
      ['passwordFile', { passwordFile: missing }],
      ['tls.caFile', { url: 'rediss://127.0.0.1:6379', tls: { caFile: missing, certFile: undefined, keyFile: undefined } }],
    ];
    for (const [key, some] of cases) {
      const start = async (): Promise<void> => await new RedisRelay(redisConfig(some), 'a', 1).registry.start();
      await assert.rejects(start, { code: 'FILE_UNREADABLE', message: new RegExp(`^coordination.redis.${key}: ${missing} cannot be read`) });
    }
  });

  describe('with TLS and a user', () => {
    let server: RedisServer;
    let secure: RedisConfig;
    const problemOf = async (some: Partial<RedisConfig>): Promise<string> => {
      const relay = new RedisRelay({ ...secure, ...some }, 'a', 1);
      try {
        await relay.start();
        return relay.registry.problem ?? 'none';
      } finally {
        await relay.kill();
      }
    };
    const passwordFile = (name: string, text: string): string => {
      const path = join(dir, name);
      writeFileSync(path, text, { mode: 0o600 });
      return path;
    };

    before(async () => {
      const authority = new WebAuthority();
      const { certFile, keyFile } = writeCertificate(dir, authority.issue());
      const caFile = join(dir, 'ca.pem');
      writeFileSync(caFile, authority.cert);
      const port = await freePort();
      server = await RedisServer.start({
        port,
        args: ['--port', '0', '--tls-port', String(port), '--tls-cert-file', certFile, '--tls-key-file', keyFile, '--tls-ca-cert-file', caFile, '--tls-auth-clients', 'no', '--requirepass', 'operator'],
        cliArgs: ['--tls', '--cacert', caFile, '-a', 'operator', '--no-auth-warning'],
      });
      server.ask('acl', 'setuser', 'relayd', 'on', '>right password', '~{relayd:test}*', '&{relayd:test}:news', '-@all', ...ACL_COMMANDS);
      server.ask('acl', 'setuser', 'reader', 'on', '>right password', '~{relayd:test}*', '&*', '+@all', '-hset');
      secure = redisConfig({ url: `rediss://127.0.0.1:${port}`, username: 'relayd', passwordFile: passwordFile('right', 'right password\n'), tls: { caFile, certFile: undefined, keyFile: undefined } });
    });
    after(async () => await server?.stop());

    it('does all its work with the commands, keys and channels that are documented', async () => {
      const [a, b] = [new RedisRelay(secure, 'a', 1), new RedisRelay(secure, 'b', 1)];
      try {
        await a.start();
        await b.start();
        const signal = AbortSignal.timeout(5_000);
        assert.deepEqual(await a.counters.take([hold('tls', 1)], [{ limit: 'rates.reservePerPeer', key: 'tls', rate: { count: 1, perMs: 1_000 } }], signal), { ok: true });
        await a.counters.restate(new Map([['tls', 1]]));
        await a.registry.publishAll([{ peer: 'p', ttlMs: 60_000 }]);
        assert.deepEqual(await b.registry.holders('p', signal), ['a']);
        assert.deepEqual(await a.registry.report([{ key: 'q', window: '2026-11', bytes: 5 }], signal), [5]);
        await a.registry.tellRevocations(signedList(1));
        await until(() => b.heard.lists.has('aa') && b.heard.relays.has('a'), 'the notices come through');
        assert.deepEqual([...a.heard.problems, ...b.heard.problems].filter((problem) => problem !== undefined), []);
      } finally {
        await Promise.all([a.stop(), b.stop()]);
      }
      assert.equal(server.ask('acl', 'log'), '', 'nothing was denied');
    });

    it('says what is wrong with user, password, rights and certificate, and what would be right', async () => {
      assert.match(await problemOf({ passwordFile: passwordFile('wrong', 'wrong') }), /refuses user and password: coordination.redis.username and passwordFile must be/);
      assert.match(await problemOf({ username: undefined, passwordFile: undefined }), /asks for a password: coordination.redis.passwordFile/);
      assert.match(await problemOf({ username: 'reader' }), /does not let the user do all that relayd needs \(.*\): docs\/reference\/cluster-redis.md lists/);
      assert.match(await problemOf({ tls: { caFile: undefined, certFile: undefined, keyFile: undefined } }), /certificate that is not trusted: coordination.redis.tls.caFile/);
      assert.match(await problemOf({ url: secure.url.replace('rediss', 'redis') }), /where it expects TLS, coordination.redis.url begins with rediss:/);
      assert.match(await problemOf({ url: one.server.url.replace('redis:', 'rediss:') }), /does not answer as a server with TLS does/);
    });
  });

  describe('with TLS and certificates on both sides', () => {
    let server: RedisServer;
    let authority: WebAuthority;
    let mutual: RedisConfig;
    const problemOf = async (tls: Partial<RedisConfig['tls']>): Promise<string | undefined> => {
      const relay = new RedisRelay({ ...mutual, tls: { ...mutual.tls, ...tls } }, 'a', 1);
      try {
        await relay.start();
        return relay.registry.problem;
      } finally {
        await relay.kill();
      }
    };
    const write = (name: string, certificate: WebCertificate): { certFile: string; keyFile: string } => {
      const folder = join(dir, name);
      mkdirSync(folder, { recursive: true });
      return writeCertificate(folder, certificate);
    };

    before(async () => {
      authority = new WebAuthority();
      const own = write('server', authority.issue({ forClients: true }));
      const files = write('client', authority.issue({ forClients: true }));
      const caFile = join(dir, 'mutual-ca.pem');
      writeFileSync(caFile, authority.cert);
      const port = await freePort();
      server = await RedisServer.start({
        port,
        args: ['--port', '0', '--tls-port', String(port), '--tls-cert-file', own.certFile, '--tls-key-file', own.keyFile, '--tls-ca-cert-file', caFile, '--tls-auth-clients', 'yes'],
        cliArgs: ['--tls', '--cacert', caFile, '--cert', own.certFile, '--key', own.keyFile],
      });
      mutual = redisConfig({ url: `rediss://127.0.0.1:${port}`, tls: { caFile, ...files } });
    });
    after(async () => await server?.stop());

    it('is open with the right one, and closed without one or with one of another authority', async () => {
      assert.equal(await problemOf({}), undefined);
      assert.match((await problemOf({ certFile: undefined, keyFile: undefined })) ?? '', /asks for a client's certificate: coordination.redis.tls.certFile and keyFile must be set/);
      assert.match((await problemOf(write('stranger', new WebAuthority().issue({ forClients: true })))) ?? '', /does not take this relay's certificate: coordination.redis.tls.certFile/);
    });

    it('does not begin with a key that is another one\'s, or open to all', async () => {
      const { keyFile } = write('other', authority.issue({ forClients: true }));
      await assert.rejects(problemOf({ keyFile }), { code: 'FILE_UNREADABLE', message: /^coordination\.redis\.tls\.keyFile: .* is not the key of the certificate/ });
      chmodSync(keyFile, 0o644);
      await assert.rejects(problemOf({ keyFile }), { code: 'FILE_UNREADABLE', message: /^coordination\.redis\.tls\.keyFile: .*chmod 600/ });
    });

    it('reads the files again while Redis refuses, so that what is renewed works without a restart', async () => {
      const files = write('renewed', new WebAuthority().issue({ forClients: true }));
      const relay = new RedisRelay({ ...mutual, tls: { ...mutual.tls, ...files } }, 'a', 1);
      try {
        await relay.start();
        assert.notEqual(relay.registry.problem, undefined);
        write('renewed', authority.issue({ forClients: true }));
        await until(() => relay.registry.problem === undefined, 'the renewed certificate is used');
      } finally {
        await relay.kill();
      }
    });
  });
});
