import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { copyConfig } from '../../support/config-files.ts';
import { errorsOf, fileErrors, folder as temporary, load } from './helpers.ts';

const folder = fileURLToPath(new URL('../../../configs/', import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

describe('the example configs', () => {
  it('are one for each tier and role', () => {
    for (const name of ['tier1-relay', 'tier1-client', 'tier1-both', 'tier2-relay', 'tier2-client', 'tier2-both', 'tier3-relay-gossip', 'tier3-relay-redis', 'tier3-relay-etcd', 'tier3-client', 'tier3-both']) {
      assert.ok(files.includes(`${name}.yaml`), name);
    }
  });

  for (const name of files) {
    const text = readFileSync(join(folder, name), 'utf8');
    const copy = (t: TestContext): string => copyConfig(join(folder, name), temporary(t));

    it(`${name} is right`, (t) => assert.deepEqual(errorsOf({ file: copy(t) }), []));

    it(`${name} is for the tier and role of its name`, (t) => {
      const { profile, role } = load({ file: copy(t) }).config;
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
