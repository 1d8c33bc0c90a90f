import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { errorsOf, fileErrors, fileIn, folder, load } from './helpers.ts';

const SWARM_KEY = `/key/swarm/psk/1.0.0/\n/base16/\n${'ab'.repeat(32)}\n`;

describe('files that the config names', () => {
  it('are errors when they are missing, at the place of the name', (t) => {
    assert.deepEqual(fileErrors(t, 'network: {swarmKeyFile: swarm.key}\nrelay:\n  asnFile: /nowhere/asn.mmdb\nadmin: {tokenFile: sub/token}\n'), [
      'F:1:25: network.swarmKeyFile: DIR/swarm.key does not exist; the path of a file that this user can read',
      'F:3:12: relay.asnFile: /nowhere/asn.mmdb does not exist; the path of a file that this user can read',
      'F:4:20: admin.tokenFile: DIR/sub/token does not exist; the path of a file that this user can read',
    ]);
  });

  it('are errors of the variable or flag that names them', () => {
    assert.deepEqual(errorsOf({ env: { RELAYD_ADMIN__TOKENFILE: '/nowhere/token' }, set: ['relay.asnFile=/nowhere/asn'] }), [
      'environment RELAYD_ADMIN__TOKENFILE: admin.tokenFile: /nowhere/token does not exist; the path of a file that this user can read',
      '--set: relay.asnFile: /nowhere/asn does not exist; the path of a file that this user can read',
    ].toReversed());
  });

  it('are errors when they are folders, empty, or something else', (t) => {
    const path = folder(t);
    const at = (name: string, text: string): string => fileIn(path, name, text);
    assert.match(errorsOf({ set: [`admin.tokenFile=${path}`] }).join(), /is not a file; the path of a file$/);
    assert.match(errorsOf({ set: [`admin.tokenFile=${at('empty', ' \n')}`] }).join(), /is empty; a file with the token in it$/);
    assert.match(errorsOf({ set: [`network.swarmKeyFile=${at('key', 'abc')}`] }).join(), /is not a swarm key; a file that begins with \/key\/swarm\/psk\/1\.0\.0\/$/);
  });

  it('are errors when this user cannot read them', { skip: process.getuid?.() === 0 ? 'root reads everything' : false }, (t) => {
    const file = fileIn(folder(t), 'token', 'secret');
    chmodSync(file, 0);
    assert.match(errorsOf({ set: [`admin.tokenFile=${file}`] }).join(), /permission denied/);
  });

  it('are relative to the config file', (t) => {
    const path = folder(t);
    fileIn(path, 'swarm.key', SWARM_KEY);
    fileIn(path, 'token', 'a token of some length');
    const { config } = load({ file: fileIn(path, 'relayd.yaml', 'network: {swarmKeyFile: swarm.key}\nadmin: {tokenFile: ./token, listen: "0.0.0.0:1"}\ndataDir: data\n') });
    assert.deepEqual([config.network.swarmKeyFile, config.admin.tokenFile, config.dataDir, config.identity.keyFile], ['swarm.key', 'token', 'data', 'data/identity.key'].map((name) => join(path, name)));
  });

  it('do not include the identity, which is made on the first start', () => {
    assert.equal(load({ set: ['dataDir=/nowhere', 'identity.keyFile=keys/me'] }).config.identity.keyFile, '/nowhere/keys/me');
    assert.equal(load({ set: ['identity.keyFile=/etc/relayd/key'] }).config.identity.keyFile, '/etc/relayd/key');
  });
});
