import { noise } from '@chainsafe/libp2p-noise';
import type { Connection, Libp2p } from '@libp2p/interface';
import { tls } from '@libp2p/tls';
import { webSockets as stockWebSockets } from '@libp2p/websockets';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';
import assert from 'node:assert/strict';
import { lookup } from 'node:dns';
import { createSecureContext } from 'node:tls';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { systemClock } from '../../../src/lib/clock.ts';
import { dataPath } from '../../../src/transport/index.ts';
import { until } from '../../support/waiting.ts';
import { ECHO, echo, echoed, newSwarmKey } from './host-echo.ts';
import { blocksHeld } from './link-rig.ts';
import { authority } from './websocket-rig.ts';

type Kind = 'native' | 'stock' | 'library';
type Security = 'noise' | 'tls';

/** Less than over TCP: some of these are dear. */
const BYTES = 1_000_000;
const certificate = authority.issue();
const secureContext = createSecureContext(certificate);

interface Options {
  listen?: string;
  security?: Security;
  swarmKey?: Uint8Array;
}

async function makeHost(context: TestContext, kind: Kind, { listen, security = 'noise', swarmKey }: Options): Promise<Libp2p> {
  const addresses = { listen: listen === undefined ? [] : [`/ip4/127.0.0.1/tcp/0${listen}`] };
  const gater = { denyDialMultiaddr: () => false };
  const encrypters = { noise, tls };
  const library = { transports: [stockWebSockets({ https: { cert: certificate.cert, key: certificate.key } })], connectionEncrypters: [encrypters[security]()], streamMuxers: [yamux()] };
  const ours = (path: 'native' | 'stock'): object => dataPath(path, { security: [security], swarmKey, windowBytes: 1024 * 1024, lookup, clock: systemClock, webSocket: { certificate: () => secureContext } });
  const host = await createLibp2p({ addresses, connectionGater: gater, connectionMonitor: { enabled: false }, ...(kind === 'library' ? library : ours(kind)) });
  context.after(() => host.stop());
  await host.handle(ECHO, (stream) => echo(stream));
  return host;
}

/** One dials the other; both echo what the other sends; the end is in order. */
async function talk(near: Libp2p, far: Libp2p, encryption: string): Promise<void> {
  const held = await blocksHeld();
  const out = await near.dial(far.getMultiaddrs()[0] as never, { signal: AbortSignal.timeout(20_000) });
  await until(() => far.getConnections().length === 1, 'the other side to have it');
  const back = far.getConnections()[0] as Connection;
  assert.deepEqual([out.encryption, out.multiplexer, back.remotePeer.toString()], [encryption, '/yamux/1.0.0', near.peerId.toString()]);
  await Promise.all([echoed(out, 1, BYTES), echoed(back, 2, BYTES), echoed(out, 3, BYTES)]);
  await out.close();
  await until(() => far.getConnections().length === 0, 'the other side to notice');
  assert.deepEqual([out.status, back.status], ['closed', 'closed'], 'in order on both sides');
  assert.equal(await blocksHeld(), held);
}

describe('hosts over WebSocket', () => {
  for (const [dialler, listener] of [['native', 'native'], ['native', 'library'], ['library', 'native'], ['stock', 'native'], ['native', 'stock']] as [Kind, Kind][]) {
    for (const listen of ['/ws', '/tls/ws']) {
      it(`move bytes both ways: ${dialler} dials ${listener} at ${listen}`, { timeout: 60_000 }, async (context) => {
        await talk(await makeHost(context, dialler, {}), await makeHost(context, listener, { listen }), '/noise');
      });
    }
  }

  for (const [dialler, listener] of [['native', 'native'], ['native', 'library'], ['library', 'native']] as [Kind, Kind][]) {
    for (const listen of ['/ws', '/tls/ws']) {
      it(`can use libp2p's TLS inside: ${dialler} dials ${listener} at ${listen}`, { timeout: 60_000 }, async (context) => {
        await talk(await makeHost(context, dialler, { security: 'tls' }), await makeHost(context, listener, { security: 'tls', listen }), '/tls/1.0.0');
      });
    }
  }

  it('of one private network meet, and of two do not', { timeout: 60_000 }, async (context) => {
    const swarmKey = newSwarmKey();
    const [near, far, foreign] = [await makeHost(context, 'native', { swarmKey }), await makeHost(context, 'native', { swarmKey, listen: '/ws' }), await makeHost(context, 'native', { swarmKey: newSwarmKey() })];
    await talk(near, far, '/noise');
    await assert.rejects(foreign.dial(far.getMultiaddrs()[0] as never, { signal: AbortSignal.timeout(5_000) }));
  });
});
