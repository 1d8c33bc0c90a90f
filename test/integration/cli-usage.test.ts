import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../scripts/lib/processes.ts';
import { tempDir } from '../unit/admin/server-helpers.ts';
import { cli, spawnCli } from '../unit/cli/run-cli.ts';

const QUICKSTART = fileURLToPath(new URL('../../scripts/quickstart.ts', import.meta.url));

const COMMANDS = [
  'run', 'config', 'config check', 'config print', 'config schema', 'key', 'key show', 'key new', 'key backup', 'realm', 'realm init', 'realm issue', 'realm list', 'realm revoke', 'migrate', 'completion', 'doctor',
  'invite', 'join', 'share', 'open', 'status', 'reservations', 'circuits', 'peers', 'relays', 'tunnels', 'ping', 'drain', 'reload',
];
/** Their help is the list of their commands. */
const GROUPS = ['config', 'key', 'realm'];

describe('help and version', () => {
  test('every command explains itself on stdout, with examples and exit codes', async () => {
    for (const command of ['', ...COMMANDS]) {
      const { code, stdout, stderr } = await cli([...command.split(' ').filter(Boolean), '--help']);
      assert.deepEqual([code, stderr], [0, ''], command);
      assert.match(stdout, new RegExp(`^Usage: relayd ${command}`));
      assert.match(stdout, /--config <file>/);
      assert.doesNotMatch(stdout, /undefined|\[object/);
      if (!GROUPS.includes(command)) {
        assert.match(stdout, command === 'completion' ? /^For this user:/m : /^Examples?[:,]/m, command);
        assert.match(stdout, /^Exit codes:\n {2}0 .*\n {2}1 .*\n {2}64 +wrong usage$/m, command);
      }
    }
  });

  test('the overview names units, and every command', async () => {
    const { stdout } = await cli(['--help']);
    assert.match(stdout, /64KiB/);
    for (const name of COMMANDS.filter((command) => !command.includes(' '))) assert.match(stdout, new RegExp(`^  ${name} `, 'm'));
  });

  test('the version is the one of package.json, wherever it is asked for', async () => {
    const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
    for (const argv of [['--version'], ['-V'], ['status', '--version'], ['config', 'check', '--version']]) {
      assert.deepEqual(await cli(argv), { code: 0, stdout: `${version}\n`, stderr: '' });
    }
  });
});

describe('wrong usage', () => {
  test('is exit 64, on stderr, and says what is wrong and where help is', async () => {
    const cases: [string[], RegExp][] = [
      [['statu'], /unknown command 'statu'\n\(Did you mean status\?\)\nTry: relayd --help/],
      [['config', 'chekc'], /unknown command 'chekc'\n\(Did you mean check\?\)\nTry: relayd config --help/],
      [['status', '--jsn'], /unknown option '--jsn'\n\(Did you mean --json\?\)\nTry: relayd status --help/],
      [['status', 'x'], /too many arguments/],
      [['ping'], /missing required argument 'peer'/],
      [['ping', 'P'], /"P" is not a peer id; a peer id, such as 12D3KooW/],
      [['ping', '/ip4/203.0.113.7/tcp/4001'], /has to end in \/p2p\//],
      [['ping', 'P', '--count', '0'], /whole number from 1 to 100/],
      [['ping', 'P', '--interval', '5'], /5 has no unit; add a unit/],
      [['drain', '--timeout', 'soon'], /--timeout/],
      [['run', '--set', 'log.level'], /key\.path=value/],
      [['run', '--role', 'server'], /Allowed choices are relay, client, both/],
      [['run', '--config'], /argument missing/],
      [['status', '--admin', 'localhost:9641'], /http:\/\/host:port or unix:\/path/],
      [['config', 'check', 'a.yaml', '--config', 'b.yaml'], /two config files/],
    ];
    for (const [argv, message] of cases) {
      const { code, stdout, stderr } = await cli(argv);
      assert.deepEqual([code, stdout], [64, ''], argv.join(' '));
      assert.match(stderr, message);
      assert.match(stderr, /^relayd: /);
    }
  });

  test('no command at all shows what there is', async () => {
    for (const argv of [[], ['config'], ['key']]) {
      const { code, stdout, stderr } = await cli(argv);
      assert.deepEqual([code, stdout], [64, '']);
      assert.match(stderr, /^Usage: relayd/);
    }
  });

  test('the program itself ends with these codes', { timeout: 30_000 }, async (t) => {
    const wrong = await spawnCli(t, ['statu']).result;
    assert.equal(wrong.code, 64);
    assert.match(wrong.stderr, /Did you mean status/);
    assert.equal((await spawnCli(t, ['--version']).result).code, 0);
  });
});

describe('config', () => {
  test('check says ok, or a line for each thing that is wrong', async (t) => {
    const dir = await tempDir(t);
    const good = join(dir, 'good.yaml');
    await writeFile(good, 'role: client\n');
    for (const argv of [['config', 'check', good], ['--config', good, 'config', 'check'], ['config', 'check', '-c', good]]) {
      assert.deepEqual(await cli(argv), { code: 0, stdout: `${good}: ok (profile tier1, role client)\n`, stderr: '' });
    }
    const bad = join(dir, 'bad.yaml');
    await writeFile(bad, 'relai:\n  open: true\nrelay:\n  limits: {reservations: {ttl: 5}}\n');
    const { code, stdout, stderr } = await cli(['config', 'check', bad]);
    assert.deepEqual([code, stdout], [78, '']);
    const lines = stderr.trimEnd().split('\n');
    assert.equal(lines.length, 2);
    assert.ok(lines[0]?.startsWith(`${bad}:1:1: relai: `));
    assert.ok(lines[1]?.startsWith(`${bad}:4:`));
  });

  test('a config that is wrong or missing stops every command that reads it', async (t) => {
    const missing = join(await tempDir(t), 'none.yaml');
    for (const command of [['run'], ['status'], ['config', 'print'], ['key', 'show']]) {
      const { code, stderr } = await cli([...command, '--config', missing]);
      assert.equal(code, 78, command.join(' '));
      assert.ok(stderr.includes(missing));
    }
  });

  test('flags win over the environment, and print says so', async (t) => {
    const dataDir = await tempDir(t);
    const argv = ['config', 'print', '--json', '--origin', '--set', `dataDir=${dataDir}`, '--set', 'drain.timeout=5s'];
    const { code, stdout } = await cli(argv, { RELAYD_DRAIN__TIMEOUT: '9s', RELAYD_LOG__LEVEL: 'warn' });
    assert.equal(code, 0);
    const printed = JSON.parse(stdout) as Record<string, { value: unknown; origin: string }>;
    assert.equal(printed['drain.timeout']?.value, '5s');
    assert.match(printed['drain.timeout']?.origin ?? '', /--set/);
    assert.match(printed['log.level']?.origin ?? '', /environment/);
    assert.match((await cli(['config', 'print'])).stdout, /^profile: tier1$/m);
  });

  test('the schema is JSON', async () => {
    assert.equal(JSON.parse((await cli(['config', 'schema'])).stdout).type, 'object');
  });
});

describe('key', () => {
  test('new makes a key, show names its peer, and nothing replaces it', async (t) => {
    const dir = await tempDir(t);
    const set = ['--set', `dataDir=${dir}`];
    const missing = await cli(['key', 'show', ...set]);
    assert.equal(missing.code, 78);
    assert.match(missing.stderr, /key new/);
    const made = await cli(['key', 'new', ...set]);
    const peerId = made.stdout.split('\n')[0];
    assert.match(peerId ?? '', /^12D3KooW/);
    assert.equal((await cli(['key', 'show', ...set])).stdout, `${peerId}\n`);
    assert.deepEqual(JSON.parse((await cli(['key', 'show', '--json', ...set])).stdout), { peerId, keyFile: join(dir, 'identity.key') });
    const again = await cli(['key', 'new', ...set]);
    assert.equal(again.code, 78);
    assert.match(again.stderr, /already there/);
    assert.equal((await cli(['key', 'show', ...set])).stdout, `${peerId}\n`);
  });
});

describe('scripts/quickstart', () => {
  test('an option that there is not is a usage error', async () => {
    for (const argument of ['--bogus', 'bogus', '--once=1']) {
      const { exit, output } = await runCommand(process.execPath, [QUICKSTART, argument], { timeoutMs: 30_000 });
      assert.equal(exit, 'exit code 64', output);
      assert.match(output, /^quickstart: .*\n\nusage: scripts\/quickstart \[--once\]\n/);
      assert.doesNotMatch(output, /\n\s+at /, 'a stack is not for people');
    }
  });
});
