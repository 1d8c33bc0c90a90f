import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { configJsonSchema, referenceMarkdown } from '../../../src/config/index.ts';
import { KEYS } from '../../../src/config/schema.ts';

const root = new URL('../../../', import.meta.url);

interface Schema {
  properties?: Record<string, Schema>;
  additionalProperties?: boolean;
  description?: string;
  default?: unknown;
}

function at(path: readonly string[]): Schema | undefined {
  return path.reduce<Schema | undefined>((node, name) => node?.properties?.[name], configJsonSchema() as Schema);
}

describe('the reference', () => {
  it('is in step with the schema (else run scripts/generate-reference.ts)', async () => {
    const script = fileURLToPath(new URL('scripts/generate-reference.ts', root));
    await promisify(execFile)(process.execPath, [script, '--check'], { timeout: 60_000 });
    assert.equal(readFileSync(new URL('docs/reference/configuration.md', root), 'utf8'), referenceMarkdown());
  });

  it('has every key once in its tables', () => {
    const text = referenceMarkdown();
    for (const { name } of KEYS) {
      assert.equal(text.split('## Profiles')[0]?.split(`| \`${name}\` |`).length, 2, name);
    }
  });

  it('names nothing of this machine', () => {
    assert.ok(!`${referenceMarkdown()}${JSON.stringify(configJsonSchema())}`.includes(process.cwd()));
  });
});

describe('the JSON Schema', () => {
  it('has every key, with its text and its default', () => {
    for (const { name, path, key } of KEYS) {
      assert.ok(at(path)?.description?.startsWith(key.doc), name);
      assert.deepEqual(at(path)?.default, key.default, name);
    }
  });

  it('knows no others', () => {
    for (const path of [[], ['relay'], ['relay', 'limits', 'circuits'], ['coordination']]) {
      assert.equal(at(path)?.additionalProperties, false);
    }
  });
});
