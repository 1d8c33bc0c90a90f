import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkVersion } from '../../../../src/coordination/etcd/version.ts';

describe('the version of etcd', () => {
  it('is taken from 3.4 on', () => {
    for (const version of ['3.4.0', '3.4.23', '3.5.17', '3.6.0-rc.1', '4.0.0']) checkVersion(200, JSON.stringify({ etcdserver: version, etcdcluster: '3.4.0' }));
  });

  it('is refused before, with what is needed', () => {
    for (const version of ['3.3.25', '2.3.8', '3.0.0']) assert.throws(() => checkVersion(200, JSON.stringify({ etcdserver: version })), /is too old.*3\.4 or later is needed/);
  });

  it('is missed where something else answers, and the right kind of address is said', () => {
    for (const text of ['', '<html>', '{}', '[]', 'null', '{"etcdserver":3}', '{"etcdserver":"new"}']) assert.throws(() => checkVersion(404, text), /no etcd answers there \(HTTP 404.*coordination\.etcd\.endpoints/, text);
  });
});
