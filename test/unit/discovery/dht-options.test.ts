import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RelaydConfig } from '../../../src/config/domain.ts';
import { dhtOptions } from '../../../src/discovery/dht-options.ts';

interface Given {
  role: RelaydConfig['role'];
  mode?: 'auto' | 'client' | 'server';
  listen?: string[];
  allowPrivate?: boolean;
}

function clientMode({ role, mode = 'auto', listen = ['/ip4/0.0.0.0/tcp/4001'], allowPrivate = false }: Given): boolean | undefined {
  const config = { role, network: { listen, allowPrivate }, discovery: { dht: { enabled: true, protocol: '/x/kad/1.0.0', mode, advertise: true } } } as unknown as RelaydConfig;
  const options = dhtOptions(config);
  assert.equal(options.protocol, '/x/kad/1.0.0');
  return options.clientMode;
}

describe('the mode of the DHT', () => {
  it('is what the configuration says', () => {
    assert.equal(clientMode({ role: 'client', mode: 'server' }), false);
    assert.equal(clientMode({ role: 'relay', mode: 'client', allowPrivate: true }), true);
  });

  it('is left to the library where public addresses count', () => {
    assert.equal(clientMode({ role: 'relay' }), undefined);
    assert.equal(clientMode({ role: 'client' }), undefined);
  });

  it('is that of a server for a relay of a network where private addresses are of use, if it listens', () => {
    assert.equal(clientMode({ role: 'relay', allowPrivate: true }), false);
    assert.equal(clientMode({ role: 'both', allowPrivate: true }), false);
    assert.equal(clientMode({ role: 'both', allowPrivate: true, listen: [] }), undefined);
    assert.equal(clientMode({ role: 'client', allowPrivate: true }), undefined);
  });
});
