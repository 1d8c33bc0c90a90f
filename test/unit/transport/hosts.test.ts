import type { Connection, Libp2p } from '@libp2p/interface';
import { createLibp2p } from 'libp2p';
import assert from 'node:assert/strict';
import { lookup } from 'node:dns';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { systemClock } from '../../../src/lib/clock.ts';
import { nativeDataPath } from '../../../src/transport/native.ts';
import { stockDataPath } from '../../../src/transport/stock.ts';
import { patternBytes, sha256 } from '../../support/bytes.ts';
import { until, within } from '../../support/waiting.ts';
import { ECHO, echo, echoed, hashOf, newSwarmKey } from './host-echo.ts';
import { blocksHeld } from './link-rig.ts';

type Kind = 'native' | 'stock';
type Security = 'noise' | 'tls';

const PROTOCOLS = { noise: '/noise', tls: '/tls/1.0.0' };

const GREET = '/test/greet';
const GREETING = patternBytes(700_000, 11);

async function makeHost(context: TestContext, kind: Kind, swarmKey: Uint8Array | undefined, security: Security = 'noise'): Promise<Libp2p> {
  const dataPath = kind === 'native' ? nativeDataPath : stockDataPath;
  const options = { security: [security], swarmKey, windowBytes: 1024 * 1024, lookup, clock: systemClock };
  const host = await createLibp2p({ ...dataPath(options), addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] } });
  context.after(() => host.stop());
  await host.handle(ECHO, (stream) => echo(stream));
  return host;
}

/** As soon as there is a connection, each side opens a stream and sends: right behind the handshake. */
async function greetEachOther(hosts: readonly Libp2p[]): Promise<string[]> {
  const greetings = hosts.map(async (host) => {
    const got = Promise.withResolvers<string>();
    await host.handle(GREET, (stream) => void hashOf(stream).then(got.resolve, got.reject));
    host.addEventListener('connection:open', ({ detail }) => void greet(detail));
    return got;
  });
  const pending = await Promise.all(greetings);
  const [near, far] = hosts as [Libp2p, Libp2p];
  await near.dial(far.getMultiaddrs()[0] as never);
  return await within(Promise.all(pending.map(({ promise }) => promise)), 'the greetings', 20_000);
}

async function greet(connection: Connection): Promise<void> {
  const stream = await connection.newStream(GREET);
  stream.send(GREETING);
  await stream.close();
}

describe('hosts on the native data path', () => {
  for (const [dialler, listener] of [['native', 'native'], ['native', 'stock'], ['stock', 'native']] as [Kind, Kind][]) {
    for (const [network, security] of [['open', 'noise'], ['private', 'noise'], ['open', 'tls'], ['private', 'tls']] as const) {
      it(`move bytes both ways, from the first on: ${dialler} dials ${listener}, ${security}, ${network} network`, { timeout: 60_000 }, async (context) => {
        const held = await blocksHeld();
        const key = network === 'private' ? newSwarmKey() : undefined;
        const hosts = await Promise.all([makeHost(context, dialler, key, security), makeHost(context, listener, key, security)]);
        const [near, far] = hosts;
        assert.deepEqual(await greetEachOther(hosts), [sha256(GREETING), sha256(GREETING)]);
        const [out, back] = [near.getConnections()[0], far.getConnections()[0]] as [Connection, Connection];
        assert.deepEqual([out.encryption, out.multiplexer, out.remotePeer.toString()], [PROTOCOLS[security], '/yamux/1.0.0', far.peerId.toString()]);
        await Promise.all([echoed(out, 1), echoed(back, 2), echoed(out, 3)]);
        await out.close();
        await until(() => far.getConnections().length === 0, 'the other side to notice');
        // The library's TLS aborts what ends while it closes.
        const ends = dialler === 'stock' && security === 'tls' ? ['aborted', 'closed'] : ['closed'];
        assert.ok(ends.includes(out.status), `${out.status} at who closed`);
        assert.equal(back.status, 'closed', 'in order on the other side');
        assert.equal(await blocksHeld(), held);
      });
    }
  }

  it('of two private networks do not meet', async (context) => {
    const [near, far] = await Promise.all([makeHost(context, 'native', newSwarmKey()), makeHost(context, 'native', newSwarmKey())]);
    await assert.rejects(near.dial(far.getMultiaddrs()[0] as never, { signal: AbortSignal.timeout(5_000) }));
    await until(() => near.getConnections().length + far.getConnections().length === 0, 'no connections');
  });
});
