import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSecureContext } from 'node:tls';
import { spokenBy } from '../../../src/transport/websocket/first-byte.ts';

const CERTIFICATE = { context: () => createSecureContext(), ground: 'public' as const };
const BYTES = { multistream: 0x13, clientHello: 0x16, GET: 0x47, POST: 0x50, zero: 0, random: 0xd7 };

/** What each first byte is taken for, where a port serves `tcp`, `ws`, `tls`. */
function taken(...serves: string[]): Record<string, string | undefined> {
  const accepted = { tcp: serves.includes('tcp'), ws: serves.includes('ws'), tls: serves.includes('tls') ? CERTIFICATE : undefined };
  return Object.fromEntries(Object.entries(BYTES).map(([name, byte]) => [name, spokenBy(byte, accepted)]));
}

describe('the first byte', () => {
  it('tells TCP, HTTP and TLS apart where a port serves all', () => {
    assert.deepEqual(taken('tcp', 'ws', 'tls'), { multistream: 'tcp', clientHello: 'tls', GET: 'http', POST: 'tcp', zero: 'tcp', random: 'tcp' });
  });

  it('is libp2p\'s own wherever TCP is served and nothing else claims it', () => {
    assert.deepEqual(taken('tcp', 'ws'), { multistream: 'tcp', clientHello: 'tcp', GET: 'http', POST: 'tcp', zero: 'tcp', random: 'tcp' });
    assert.deepEqual(taken('tcp', 'tls'), { multistream: 'tcp', clientHello: 'tls', GET: 'tcp', POST: 'tcp', zero: 'tcp', random: 'tcp' });
  });

  it('ends a connection at once that is nothing of what is served', () => {
    assert.deepEqual(taken('ws'), { multistream: undefined, clientHello: undefined, GET: 'http', POST: 'http', zero: undefined, random: undefined });
    assert.deepEqual(taken('tls'), { multistream: undefined, clientHello: 'tls', GET: undefined, POST: undefined, zero: undefined, random: undefined });
  });
});
