import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { mmdbOf } from '../../support/mmdb.ts';
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

  it('are errors when they are folders, or not what they should be', (t) => {
    const path = folder(t);
    const errorOf = (key: string, text: string | Buffer): string => {
      const file = fileIn(path, 'named', text);
      return errorsOf({ set: [`${key}=${file}`] }).join().replaceAll(file, 'FILE');
    };
    assert.match(errorsOf({ set: [`admin.tokenFile=${path}`] }).join(), /is not a file; the path of a file$/);
    for (const [key, text, problem] of [
      ['admin.tokenFile', ' \n', 'FILE has 0 characters; a token has at least 16 (openssl rand -hex 32 makes a good one)'],
      ['admin.tokenFile', 'fifteen-letters\n', 'FILE has 15 characters; a token has at least 16 (openssl rand -hex 32 makes a good one)'],
      ['admin.tokenFile', 'sixteen letters and spaces', 'FILE has characters that an Authorization header cannot carry; use printable ASCII without spaces'],
      ['network.swarmKeyFile', 'abc', 'FILE is not a swarm key; a file with the lines /key/swarm/psk/1.0.0/, /base16/ and 64 hex digits'],
      ['network.swarmKeyFile', SWARM_KEY.slice(0, -10), 'FILE is not a swarm key; a file with the lines /key/swarm/psk/1.0.0/, /base16/ and 64 hex digits'],
      ['relay.asnFile', 'nothing', 'FILE cannot be read as a MaxMind database; an .mmdb file of AS numbers, such as GeoLite2-ASN.mmdb'],
    ] as const) {
      assert.equal(errorOf(key, text), `--set: ${key}: ${problem}`);
    }
    assert.equal(errorOf('admin.tokenFile', 'sixteen-letters-\n'), '');
    assert.equal(errorOf('network.swarmKeyFile', SWARM_KEY), '');
    assert.equal(errorOf('relay.asnFile', mmdbOf({ address: Uint8Array.of(192, 0, 2, 1), bits: 24, asn: 64_500 })), '');
  });

  it('are errors when others may use the secret in them', (t) => {
    const path = folder(t);
    const errorOf = (key: string, text: string, mode: number): string => {
      const file = fileIn(path, 'named', text);
      chmodSync(file, mode);
      return errorsOf({ set: [`${key}=${file}`] }).join().replaceAll(file, 'FILE');
    };
    assert.equal(errorOf('network.swarmKeyFile', SWARM_KEY, 0o640), '--set: network.swarmKeyFile: FILE has mode 0640, so others than its owner can use the key; run: chmod 600 FILE');
    assert.equal(errorOf('admin.tokenFile', 'a-token-of-some-length', 0o644), '--set: admin.tokenFile: FILE has mode 0644, so every user of this machine can use the token; run: chmod 600 FILE');
    assert.equal(errorOf('admin.tokenFile', 'a-token-of-some-length', 0o640), '');
  });

  it('are errors when this user cannot read them', { skip: process.getuid?.() === 0 ? 'root reads everything' : false }, (t) => {
    const file = fileIn(folder(t), 'token', 'secret');
    chmodSync(file, 0);
    assert.match(errorsOf({ set: [`admin.tokenFile=${file}`] }).join(), /permission denied/);
  });

  it('are relative to the config file', (t) => {
    const path = folder(t);
    fileIn(path, 'swarm.key', SWARM_KEY);
    fileIn(path, 'token', 'a-token-of-some-length');
    const { config } = load({ file: fileIn(path, 'relayd.yaml', 'network: {swarmKeyFile: swarm.key}\nadmin: {tokenFile: ./token, listen: "0.0.0.0:1"}\ndataDir: data\n') });
    assert.deepEqual([config.network.swarmKeyFile, config.admin.tokenFile, config.dataDir, config.identity.keyFile], ['swarm.key', 'token', 'data', 'data/identity.key'].map((name) => join(path, name)));
  });

  it('do not include the identity, which is made on the first start', () => {
    assert.equal(load({ set: ['dataDir=/nowhere', 'identity.keyFile=keys/me'] }).config.identity.keyFile, '/nowhere/keys/me');
    assert.equal(load({ set: ['identity.keyFile=/etc/relayd/key'] }).config.identity.keyFile, '/etc/relayd/key');
  });
});
