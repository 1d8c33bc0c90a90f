import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { commandTree } from '../src/cli/command-tree.ts';
import { COMPLETIONS } from '../src/cli/completion.ts';
import { CliContext } from '../src/cli/context.ts';
import { createProgram } from '../src/cli/program.ts';
import { configJsonSchema, referenceMarkdown } from '../src/config/index.ts';
import { VERSION } from '../src/node/version.ts';
import { manPage } from './lib/man-page.ts';

const io = { stdout: process.stdout, stderr: process.stderr, env: {}, signals: process, exitNow: (code: number) => process.exit(code) };
const commands = commandTree(createProgram(new CliContext(io)));

/**
 * Writes what is made from the code: the configuration's reference and schema, the man page, the shells' completions. With `--check` it writes nothing and exits 1
 * when a file differs from what would be written.
 */
const FILES = {
  'docs/reference/configuration.md': referenceMarkdown(),
  'docs/reference/config.schema.json': `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`,
  'docs/man/relayd.1': manPage(commands, VERSION),
  'configs/completions/relayd.bash': COMPLETIONS.bash(commands),
  'configs/completions/_relayd': COMPLETIONS.zsh(commands),
  'configs/completions/relayd.fish': COMPLETIONS.fish(commands),
};

const checkOnly = process.argv.includes('--check');

for (const [name, text] of Object.entries(FILES)) {
  const path = fileURLToPath(new URL(`../${name}`, import.meta.url));
  if (!checkOnly) {
    writeFileSync(path, text);
  } else if (contents(path) !== text) {
    console.error(`${name} is out of step with src: run node scripts/generate-reference.ts`);
    process.exitCode = 1;
  }
}

function contents(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
