import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { errorsOf, fileErrors, load } from './helpers.ts';

const folder = fileURLToPath(new URL('../../../configs/', import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

describe('the example configs', () => {
  it('are one for each tier and role', () => {
    for (const name of ['tier1-relay', 'tier1-client', 'tier1-both', 'tier2-relay', 'tier2-client', 'tier2-both']) {
      assert.ok(files.includes(`${name}.yaml`), name);
    }
  });

  for (const name of files) {
    const file = join(folder, name);
    const text = readFileSync(file, 'utf8');

    it(`${name} is right`, () => assert.deepEqual(errorsOf({ file }), []));

    it(`${name} is for the tier and role of its name`, () => {
      const { profile, role } = load({ file }).config;
      assert.ok(name.startsWith(`${profile}-${role}`));
    });

    it(`${name} tells editors where its schema is`, () => {
      assert.equal(text.split('\n')[0], '# yaml-language-server: $schema=../docs/reference/config.schema.json');
    });

    it(`${name} is right with everything switched on that it shows switched off`, (t) => {
      const on = text.replaceAll(/^(\s*)#(?=[a-z])/gm, '$1');
      assert.deepEqual(fileErrors(t, on).filter((error) => !error.includes('does not exist')), []);
    });
  }
});
