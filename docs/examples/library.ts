// relayd as a library: a relay, a client that reserves a slot at it, and another client that reaches the first through it.
// Run it in a checkout, with Node >= 22.19: node docs/examples/library.ts
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
// In a program of your own: from 'p2p-relayd'.
import { createRelayNode } from '../../src/index.ts';

const dir = await mkdtemp(join(tmpdir(), 'relayd-example-'));

// The keys are those of the config file. Everything here is on this machine, hence allowPrivate and the ports 0.
const onLoopback = { admin: { listen: '127.0.0.1:0' }, log: { level: 'warn' } };
const client = { role: 'client', network: { allowPrivate: true }, ...onLoopback };

const relay = await createRelayNode({
  role: 'relay',
  dataDir: join(dir, 'relay'),
  network: { listen: ['/ip4/127.0.0.1/tcp/0'], allowPrivate: true },
  ...onLoopback,
});
await relay.start();
console.log(`relay: ${relay.addrs.join(' ')}`);

const hidden = await createRelayNode({ ...client, dataDir: join(dir, 'hidden'), client: { relays: relay.addrs } });
const other = await createRelayNode({ ...client, dataDir: join(dir, 'other'), client: { relays: relay.addrs } });

try {
  // Without a listen address, all that a client announces are its circuit addresses, which it has once it holds a reservation.
  const reserved = once(hidden, 'addresses:changed', { signal: AbortSignal.timeout(20_000) });
  await hidden.start();
  await reserved;
  console.log(`client: ${hidden.addrs.join(' ')}`);

  await other.start();
  const { path, via } = await other.dialler.dial(hidden.peerId, { signal: AbortSignal.timeout(20_000) });
  console.log(`reached: by ${path}, via ${via}`);
} finally {
  await Promise.all([other.stop(), hidden.stop()]);
  await relay.stop();
  await rm(dir, { recursive: true, force: true });
}
