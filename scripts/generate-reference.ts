import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configJsonSchema, referenceMarkdown } from '../src/config/index.ts';

/**
 * Writes what docs/reference holds of the configuration's schema. With `--check` it writes nothing and exits 1
 * when a file differs from what would be written.
 */
const FILES = {
  'docs/reference/configuration.md': referenceMarkdown(),
  'docs/reference/config.schema.json': `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`,
};

const checkOnly = process.argv.includes('--check');

for (const [name, text] of Object.entries(FILES)) {
  const path = fileURLToPath(new URL(`../${name}`, import.meta.url));
  if (!checkOnly) {
    writeFileSync(path, text);
  } else if (contents(path) !== text) {
    console.error(`${name} is out of step with src/config: run node scripts/generate-reference.ts`);
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
