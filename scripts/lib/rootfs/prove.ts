import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Nodes, untilHolds } from '../../../test/support/nodes.ts';
import type { Image } from './build.ts';
import { Container } from './container.ts';

/** The image's own defaults, but for ports that nothing else on this machine can have. */
const ENV = { RELAYD_NETWORK__LISTEN: '[/ip4/127.0.0.1/tcp/0]', RELAYD_NETWORK__ALLOWPRIVATE: 'true', RELAYD_ADMIN__LISTEN: '127.0.0.1:0' };

/** Runs the image twice on one volume. @throws AssertionError, Error for what does not hold */
export async function proveImage(image: Image, dir: string, log: (text: string) => void): Promise<void> {
  const volume = join(dir, 'volume');
  await mkdir(volume);
  const first = await runOnce(image, volume, log);
  const second = await runOnce(image, volume, log);
  assert.equal(second, first, 'the identity is in the volume');
  log('the second container on the volume is the same peer');
}

/** @returns the peer id */
async function runOnce(image: Image, volume: string, log: (text: string) => void): Promise<string> {
  const container = await Container.start(image, volume, ENV);
  const clients = new Nodes();
  try {
    const { peerId, addrs } = await container.ready();
    log(`ready as ${peerId}`);
    await checkPrivileges(container, image);
    log(`process 1 is user ${image.user}, without capabilities`);
    const health = await container.healthcheck();
    assert.equal(health.exit, 'exit code 0', health.output);
    assert.equal((JSON.parse(health.stdout) as { state: string }).state, 'ready');
    log(`${image.healthcheck.join(' ')}: healthy`);
    const client = await clients.start('client', { role: 'client', client: { relays: addrs } });
    assert.deepEqual(await untilHolds(client, 1), [peerId]);
    log('a client outside holds a reservation');
    assert.equal(await container.stop(), 'exit code 0', container.log);
    assert.match(container.log, /drain/);
    assert.deepEqual((await readdir(volume)).filter((name) => name === 'identity.key'), ['identity.key']);
    log(`${image.stopSignal}: drained, exit code 0`);
    return peerId;
  } finally {
    await container.kill();
    await clients.stopAll();
  }
}

async function checkPrivileges(container: Container, image: Image): Promise<void> {
  const { Uid, CapEff, CapBnd, NoNewPrivs } = await container.processStatus();
  assert.notEqual(image.user, 'root');
  assert.notEqual(Uid?.split('\t')[0], '0');
  assert.deepEqual([CapEff, CapBnd, NoNewPrivs], ['0000000000000000', '0000000000000000', '1']);
}
