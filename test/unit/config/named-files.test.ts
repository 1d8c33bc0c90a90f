import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { WebAuthority } from '../../support/certificate.ts';
import { mmdbOf } from '../../support/mmdb.ts';
import { errorsOf, fileErrors, fileIn, folder, load } from './helpers.ts';

/** In form: whose it is, the start looks at. */
const MEMBER_TOKEN = `relaytoken1.${'A-z_'.repeat(40)}`;
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
      ['coordination.secretFile', '\n', 'FILE is empty; a line with 64 hex digits, as `openssl rand -hex 32` prints them'],
      ['coordination.secretFile', 'ab'.repeat(31), 'FILE:1 is not the secret of a cluster; a line with 64 hex digits, as `openssl rand -hex 32` prints them'],
      ['coordination.secretFile', `${'ab'.repeat(32)}\n\n${'xy'.repeat(32)}`, 'FILE:3 is not the secret of a cluster; a line with 64 hex digits, as `openssl rand -hex 32` prints them'],
      ['coordination.secretFile', 'abcd'.repeat(32), 'FILE:1 has two secrets; a line for each'],
      ['coordination.secretFile', `${'ab'.repeat(32)}\n${'AB'.repeat(32)}\n`, 'FILE:2 is the same secret as line 1; another one, or this line taken out'],
      ['coordination.secretFile', ['ab', 'cd', 'ef'].map((byte) => byte.repeat(32)).join('\n'), 'FILE:3 is one secret too many; at most 2: the one that this relay speaks with, and one that it accepts besides'],
      ['coordination.redis.passwordFile', ' \n', 'FILE holds nothing; the password, in one line'],
      ['coordination.redis.sentinelPasswordFile', ' \n', 'FILE holds nothing; the password, in one line'],
      ['coordination.etcd.passwordFile', 'one\ntwo\n', 'FILE holds more than one line; the password, in one line'],
      ['coordination.redis.tls.caFile', 'none', 'FILE holds no certificate that can be read; a file in PEM with the certificate first and those of its issuers behind it (`fullchain.pem` of most tools)'],
      ['coordination.etcd.tls.keyFile', 'none', 'FILE holds no private key that can be read; the private key of the certificate, in PEM and without a password (`privkey.pem` of most tools)'],
      ['realm.tokenFile', 'relaytoken2.CAESBGhvbWUaCBhkS6ft', 'FILE does not hold a membership token; the line that `relayd realm issue` prints'],
      ['realm.tokenFile', 'relaytoken1.short', 'FILE does not hold a membership token; the line that `relayd realm issue` prints'],
      ['relay.asnFile', 'nothing', 'FILE cannot be read as a MaxMind database; an .mmdb file of AS numbers, such as GeoLite2-ASN.mmdb'],
    ] as const) {
      assert.equal(errorOf(key, text), `--set: ${key}: ${problem}`);
    }
    assert.equal(errorOf('admin.tokenFile', 'sixteen-letters-\n'), '');
    assert.equal(errorOf('network.swarmKeyFile', SWARM_KEY), '');
    assert.equal(errorOf('coordination.secretFile', `${'aB'.repeat(32)}\n`), '');
    assert.equal(errorOf('coordination.secretFile', `${'ab'.repeat(32)}\r\n${'cd'.repeat(32)}\r\n`), '');
    assert.equal(errorOf('coordination.redis.passwordFile', 'pass word\n'), '');
    assert.equal(errorOf('realm.tokenFile', `${MEMBER_TOKEN}\n`), '');
    assert.equal(errorOf('relay.asnFile', mmdbOf({ address: Uint8Array.of(192, 0, 2, 1), bits: 24, asn: 64_500 })), '');
  });

  it('are errors when a certificate and its key do not belong together, or are not to be read', (t) => {
    const path = folder(t);
    const authority = new WebAuthority();
    const { cert, key } = authority.issue();
    const errorOf = (certText: string, keyText: string, mode = 0o600): string => {
      const [certFile, keyFile] = [fileIn(path, 'cert.pem', certText), fileIn(path, 'key.pem', keyText)];
      chmodSync(keyFile, mode);
      return errorsOf({ set: [`network.websocket.certFile=${certFile}`, `network.websocket.keyFile=${keyFile}`] }).join().replaceAll(`${path}/`, '').replaceAll('--set: network.websocket.', '');
    };
    assert.equal(errorOf(cert, key), '');
    assert.equal(errorOf(cert, key, 0o640), '');
    assert.equal(errorOf(cert, key, 0o644), 'keyFile: key.pem has mode 0644, so every user of this machine can use the key; run: chmod 600 key.pem');
    assert.match(errorOf('rubbish', key), /^certFile: cert\.pem holds no certificate that can be read; a file in PEM with the certificate first/);
    assert.match(errorOf(cert.replace('M', '!'), key), /^certFile: cert\.pem holds no certificate that can be read/);
    assert.match(errorOf(cert, 'rubbish'), /^keyFile: key\.pem holds no private key that can be read/);
    assert.match(errorOf(cert, authority.issue().key), /^keyFile: key\.pem is not the key of the certificate/);
    assert.match(errorOf(authority.cert + cert, key), /^keyFile: key\.pem is the key of a certificate that does not come first in its file/);
    const old = authority.issue({ expiresAt: Date.now() - 1 });
    assert.equal(errorOf(old.cert, old.key), '', 'a relay whose certificate has expired serves everyone but browsers');
  });

  it('are errors when others may use the secret in them', (t) => {
    const path = folder(t);
    const errorOf = (key: string, text: string, mode: number): string => {
      const file = fileIn(path, 'named', text);
      chmodSync(file, mode);
      return errorsOf({ set: [`${key}=${file}`] }).join().replaceAll(file, 'FILE');
    };
    assert.equal(errorOf('network.swarmKeyFile', SWARM_KEY, 0o640), '--set: network.swarmKeyFile: FILE has mode 0640, so others than its owner can use the key; run: chmod 600 FILE');
    assert.equal(errorOf('coordination.secretFile', 'ab'.repeat(32), 0o640), '--set: coordination.secretFile: FILE has mode 0640, so others than its owner can use the secret; run: chmod 600 FILE');
    assert.equal(errorOf('coordination.redis.passwordFile', 'secret', 0o644), '--set: coordination.redis.passwordFile: FILE has mode 0644, so every user of this machine can use the password; run: chmod 600 FILE');
    assert.equal(errorOf('coordination.redis.passwordFile', 'secret', 0o640), '');
    assert.equal(errorOf('admin.tokenFile', 'a-token-of-some-length', 0o644), '--set: admin.tokenFile: FILE has mode 0644, so every user of this machine can use the token; run: chmod 600 FILE');
    assert.equal(errorOf('admin.tokenFile', 'a-token-of-some-length', 0o640), '');
    assert.equal(errorOf('realm.tokenFile', MEMBER_TOKEN, 0o604), '--set: realm.tokenFile: FILE has mode 0604, so every user of this machine can use the token; run: chmod 600 FILE');
    assert.equal(errorOf('realm.tokenFile', MEMBER_TOKEN, 0o640), '');
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
    fileIn(path, 'member', MEMBER_TOKEN);
    const { config } = load({ file: fileIn(path, 'relayd.yaml', 'network: {swarmKeyFile: swarm.key}\nadmin: {tokenFile: ./token, listen: "0.0.0.0:1"}\nrealm: {tokenFile: member}\ndataDir: data\n') });
    assert.deepEqual([config.network.swarmKeyFile, config.admin.tokenFile, config.realm.tokenFile, config.dataDir, config.identity.keyFile], ['swarm.key', 'token', 'member', 'data', 'data/identity.key'].map((name) => join(path, name)));
  });

  it('do not include the revocation list, which is there when something was revoked', () => {
    assert.equal(load({ set: ['dataDir=/nowhere'] }).config.realm.revocationFile, '/nowhere/realm/revocations');
    assert.equal(load({ set: ['dataDir=/nowhere', 'realm.revocationFile=/etc/relayd/revoked'] }).config.realm.revocationFile, '/etc/relayd/revoked');
  });

  it('do not include the identity, which is made on the first start', () => {
    assert.equal(load({ set: ['dataDir=/nowhere', 'identity.keyFile=keys/me'] }).config.identity.keyFile, '/nowhere/keys/me');
    assert.equal(load({ set: ['identity.keyFile=/etc/relayd/key'] }).config.identity.keyFile, '/etc/relayd/key');
  });
});
