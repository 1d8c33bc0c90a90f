import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../scripts/lib/processes.ts';
import { lacking } from '../support/programs.ts';
import { cli } from '../unit/cli/run-cli.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TIMEOUT_MS = 30_000;

describe('completion in a real shell', () => {
  let dir: string;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'relayd-completion-'));
    await writeFile(join(dir, 'relay.yaml'), '');
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { code, stdout } = await cli(['completion', shell]);
      assert.equal(code, 0);
      await writeFile(join(dir, shell), stdout);
    }
  });

  after(() => rm(dir, { recursive: true, force: true }));

  /** What each shell must offer for the last word. */
  const lines: [words: string[], offered: string[]][] = [
    [['dra'], ['drain']],
    [['config', ''], ['check', 'help', 'print', 'schema']],
    [['--config', 'config', 'key', 'n'], ['new']],
    [['--profile', 'tier'], ['tier1', 'tier2', 'tier3']],
    [['--role=client', 'completion', ''], ['bash', 'fish', 'zsh']],
    [['status', '--js'], ['--json']],
    [['status', '--prof'], ['--profile']],
    [['config', 'check', 'rel'], ['relay.yaml']],
    [['-c', 'rel'], ['relay.yaml']],
    [['help', 'dra'], ['drain']],
    [['status', '--admin', ''], []],
  ];

  test('bash offers commands, options, choices and files', { skip: lacking('bash') }, async () => {
    for (const [words, offered] of lines) {
      // As readline splits them: the sign of --option=value is a word.
      const split = words.flatMap((word) => (word.includes('=') ? word.split(/(=)/) : [word]));
      const script = `source ./bash; COMP_WORDS=(relayd "$@"); COMP_CWORD=$#; _relayd; printf '%s\\n' "\${COMPREPLY[@]}"`;
      assert.deepEqual(sorted(await succeed('bash', ['--norc', '-c', script, 'bash', ...split], dir)), offered, words.join(' '));
    }
  });

  test('fish offers the same', { skip: lacking('fish') }, async () => {
    for (const [words, offered] of lines) {
      const script = `source ./fish; complete --do-complete "relayd $argv"`;
      const found = sorted(await succeed('fish', ['--no-config', '-c', script, '--', words.join(' ')], dir));
      assert.deepEqual(found.map((line) => line.split('\t')[0]), offered, words.join(' '));
    }
  });

  test('zsh offers the same', { skip: lacking('zsh') }, async () => {
    const blocks = (await succeed('zsh', ['-f', '-c', ZSH, 'zsh', ...lines.map(([words]) => ['relayd', ...words].join(' '))], dir)).split('@end\n');
    for (const [index, [words, offered]] of lines.entries()) {
      assert.deepEqual([...new Set(sorted(blocks[index] ?? '@none'))], offered, words.join(' '));
    }
  });

  test('another shell is refused', async () => {
    assert.equal((await cli(['completion', 'csh'])).code, 64);
  });
});

/** A shell on a terminal of its own, which completes each argument as on the Tab key; what it would offer is written down in place of shown. */
const ZSH = `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'autoload -U compinit; compinit -u -D; source ./zsh
compadd() {
  [[ \${@[(I)-[OAD]]} -gt 0 ]] && { builtin compadd "$@"; return }
  builtin compadd -A offered "$@"
  [[ $#offered -gt 0 ]] && print -rl -- $offered >>found.zsh
  builtin compadd "$@"
}
zle -C note complete-word _note; _note() { _main_complete; print -r -- "@end" >>found.zsh }
bindkey "^X" note; bindkey "^U" kill-whole-line; print re""ady'
zpty -r shell output '*ready*'
for line in "$@"; do
  rm -f found.zsh
  zpty -n -w shell $'\\x15'"$line"$'\\x18'
  repeat 400; do
    [[ -e found.zsh && "$(<found.zsh)" == *@end* ]] && break
    sleep 0.02
  done
  cat found.zsh
done
zpty -d shell
`;

describe('the man page', () => {
  const page = join(ROOT, 'docs/man/relayd.1');

  test('has every command and option of the help', async () => {
    const text = (await readFile(page, 'utf8')).replaceAll('\\-', '-');
    for (const wanted of ['.SS relayd run', '.SS relayd config check [file]', '.SS relayd key new', '.B -c, --config <file>', '.B --fresh', '.SH EXIT STATUS', '.SH ENVIRONMENT', '.SH FILES']) {
      assert.ok(text.includes(`\n${wanted}\n`), `${wanted} is missing`);
    }
  });

  test('is clean for mandoc, but for the date that it does not have', { skip: lacking('mandoc') }, async () => {
    const { output } = await runCommand('mandoc', ['-Tlint', page], { timeoutMs: TIMEOUT_MS });
    assert.deepEqual(output.split('\n').filter((line) => line !== '' && !line.includes('missing date')), []);
  });

  test('is shown by man, without a warning', { skip: lacking('man') }, async () => {
    const { exit, stdout, output } = await runCommand('man', ['--warnings', '--local-file', page], { timeoutMs: TIMEOUT_MS, env: { ...process.env, MANWIDTH: '200', LC_ALL: 'C.UTF-8' } });
    assert.equal(exit, 'exit code 0', output);
    assert.equal(output, stdout);
    assert.match(stdout, /^ +relayd migrate <old-file>$/m);
  });
});

async function succeed(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { exit, stdout, output } = await runCommand(command, args, { timeoutMs: TIMEOUT_MS, cwd });
  assert.equal(exit, 'exit code 0', output);
  return stdout;
}

function sorted(output: string): string[] {
  return output.split('\n').map((line) => line.trim()).filter((line) => line !== '').toSorted();
}
