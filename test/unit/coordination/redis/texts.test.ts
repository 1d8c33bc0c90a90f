import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { findingOf } from '../../../../src/coordination/redis/finding.ts';
import { readNews } from '../../../../src/coordination/redis/news.ts';
import { storeProblem } from '../../../../src/coordination/redis/problems.ts';
import { serverInfo, versionProblem } from '../../../../src/coordination/redis/server-info.ts';
import type { ServerInfo } from '../../../../src/coordination/redis/server-info.ts';
import { ownerNamedIn, slotNews, slotOf } from '../../../../src/coordination/redis/slot.ts';
import { forgettableAt } from '../../../../src/coordination/redis/window.ts';

const word = fc.string({ unit: fc.constantFrom('a', 'Z', '0', '9', '-', '#', '/', ':'), minLength: 1, maxLength: 60 });
const number = fc.nat({ max: Number.MAX_SAFE_INTEGER });

describe('notices in Redis', () => {
  it('are read as they were written, with a record of any bytes', () => {
    fc.assert(
      fc.property(word, number, number, fc.uint8Array({ maxLength: 200 }), (relay, epoch, version, bytes) => {
        const record = Buffer.from(bytes);
        assert.deepEqual(readNews(Buffer.concat([Buffer.from(`record ${relay} ${epoch} ${version} `), record])), { kind: 'record', relay, epoch, version, record });
        assert.deepEqual(readNews(Buffer.from(`left ${relay} ${epoch}`)), { kind: 'left', relay, epoch });
        assert.deepEqual(readNews(Buffer.from(`list ${relay} ${version}`)), { kind: 'list', authority: relay, sequence: version });
      }),
    );
  });

  it('are left out where they are of no kind that is known, or cut', () => {
    for (const text of ['', 'record', 'record a 1', 'record a 1 2', 'record a x 2 r', 'left a', 'left a -1', 'list  1', 'list a 1e3', 'other a 1 2 x', `left a ${2 ** 53}`]) {
      assert.equal(readNews(Buffer.from(text)), undefined, text);
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => void readNews(Buffer.from(bytes))));
  });
});

describe('what Redis says of itself', () => {
  it('is read from INFO, and what it leaves out does no harm', () => {
    const text = '# Server\r\nredis_version:7.0.15\r\nredis_mode:cluster\r\nrun_id:abc\r\nmaxmemory:100\r\nmaxmemory_policy:allkeys-lru\r\nrole:slave\r\nmaster_replid:def\r\n';
    assert.deepEqual(serverInfo(text), { version: '7.0.15', isCluster: true, isPrimary: false, history: 'abc/def', replication: { id: 'def', before: '' }, evicts: 'allkeys-lru' });
    assert.deepEqual(serverInfo(''), { version: '', isCluster: false, isPrimary: true, history: undefined, replication: { id: '', before: '' }, evicts: undefined });
    assert.equal(serverInfo('maxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n').evicts, undefined, 'nothing is evicted where there is no limit');
  });

  it('shows whether it is too old; one that does not say, or another make that can stand for a newer one, is not', () => {
    assert.equal(versionProblem({ version: '5.0.14' }, 'here:1'), 'Redis 6.0 or later is needed, and at here:1 is 5.0.14');
    for (const version of ['6.0.0', '7.2.4', '255.255.255', '']) assert.equal(versionProblem({ version }, 'here:1'), undefined, version);
  });

  it('shows whether the data is the same as before, somewhere else, or may lack its end', () => {
    const at = (run: string, id: string, before = '0'.repeat(40)): Pick<ServerInfo, 'history' | 'replication'> => ({ history: `${run}/${id}`, replication: { id, before } });
    const first = at('run-1', 'data-1');
    assert.equal(findingOf(first, first, false), 'same');
    assert.equal(findingOf(first, at('run-2', 'data-2'), true), 'moved');
    assert.equal(findingOf(first, at('run-2', 'data-2'), false), 'lost');
    assert.equal(findingOf(first, at('run-2', 'data-2', 'data-1'), true), 'lost', 'a replica was promoted');
    assert.equal(findingOf(first, at('run-2', 'data-3', 'data-2'), true), 'lost', 'a replica was promoted, from a history that nobody here has seen');
    assert.equal(findingOf(first, at('run-2', 'data-1'), true), 'lost', 'a replica that is being promoted');
  });

  it('puts a hash tag into the slot that the specification gives it', () => {
    // The check value of CRC-16/XMODEM; the second as redis-cli's CLUSTER KEYSLOT answers.
    assert.equal(slotOf('123456789'), 0x31c3);
    assert.equal(slotOf('relayd:test'), 12_874);
  });
});

/** As Redis 6 says it, with most before the point. */
const NOT_LOCAL = `ERR Error running script (call to f_${'0'.repeat(40)}): @user_script:79: @user_script: 79: Script attempted to access a non local key in a cluster node`;

describe('what a Redis Cluster says of a slot', () => {
  it('is read from its errors', () => {
    const said = ['ASK 3999 127.0.0.1:6381', 'TRYAGAIN Multiple keys request during rehashing of slot', 'MOVED 3999 127.0.0.1:6381', 'ERR MOVED 1', 'ASKED', NOT_LOCAL];
    assert.deepEqual(said.map((text) => slotNews(new Error(text))), ['moving', 'moving', 'moved', undefined, undefined, 'moving']);
  });

  it('names its owner, by an address, a name, or not at all', () => {
    const owners = ['MOVED 3999 127.0.0.1:6381', 'MOVED 3999 [::1]:6381', 'MOVED 3999 ::1:6381', 'MOVED 1 redis-1.example.org:6379', 'MOVED 3999 :6381', 'ASK 3999 127.0.0.1:6381'];
    assert.deepEqual(
      owners.map((text) => ownerNamedIn(new Error(text))),
      [{ host: '127.0.0.1', port: 6_381 }, { host: '::1', port: 6_381 }, { host: '::1', port: 6_381 }, { host: 'redis-1.example.org', port: 6_379 }, undefined, undefined],
    );
    assert.equal(ownerNamedIn(undefined), undefined);
  });
});

describe('problems with Redis', () => {
  const cases: [string, RegExp, boolean][] = [
    ['READONLY You can\'t write against a read only replica.', /is a replica/, true],
    ['LOADING Redis is loading the dataset in memory', /is loading its data/, true],
    ['CLUSTERDOWN Hash slot not served', /redis-cli --cluster check/, true],
    ['ASK 3999 127.0.0.1:6381', /is moving the slot/, false],
    [NOT_LOCAL, /is moving the slot/, false],
    ['ERR Error running script (call to f_4082): @user_script:79: @user_script: 79: -OOM command not allowed when used memory', /has used up its memory/, false],
    ['MOVED 3999 127.0.0.1:6381', /does not hold the slot/, true],
    ['MISCONF Errors writing to the AOF file', /cannot save to disk/, false],
    ['NOREPLICAS Not enough good replicas to write.', /min-replicas-to-write/, false],
    ['ERR unknown command `HELLO`, with args beginning with:', /older than Redis 6: Redis 6\.0 or later is needed/, false],
    ['ERR The user executing the script can\'t run this command or subcommand', /does not let the user do all/, false],
    ['NOPERM User relayd has no permissions to run the \'info\' command', /does not let the user do all/, false],
    ['ERR DB index is out of range', /does not have the database/, false],
    ['something new', /^Redis at here:1: something new$/, false],
  ];
  for (const [said, meant, elsewhere] of cases) {
    it(`says what '${said.slice(0, 24)}' means`, () => {
      const problem = storeProblem(new Error(said), 'here:1');
      assert.match(problem.text, meant);
      assert.match(problem.text, /^Redis at here:1/);
      assert.equal(problem.elsewhere, elsewhere);
    });
  }

  it('does not let the server write into a log or onto a terminal', () => {
    const { text } = storeProblem(new Error(`ERR \u001b[2J\n${'x'.repeat(500)}`), 'here:1');
    assert.ok(text.includes('ERR ?[2J?x') && text.length < 200, text);
  });
});

describe('a window of usage', () => {
  it('is kept for a day after its end', () => {
    assert.equal(new Date(forgettableAt('2026-11-21')).toISOString(), '2026-11-23T00:00:00.000Z');
    assert.equal(new Date(forgettableAt('2026-12-31')).toISOString(), '2027-01-02T00:00:00.000Z');
    assert.equal(new Date(forgettableAt('2026-12')).toISOString(), '2027-01-02T00:00:00.000Z');
    assert.equal(new Date(forgettableAt('2028-02')).toISOString(), '2028-03-02T00:00:00.000Z');
  });
});
