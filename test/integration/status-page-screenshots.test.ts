import type { Browser } from 'playwright-core';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { RelayNode } from '../../src/index.ts';
import { Status } from '../../src/lib/circuit/protocol.ts';
import { createIdentity } from '../../src/node/index.ts';
import { launchBrowser, noBrowser, openPage } from '../support/browser.ts';
import { Nodes, untilHolds } from '../support/nodes.ts';
import { RelayUnderTest } from '../support/relay-under-test.ts';
import { PATIENCE_MS } from '../support/waiting.ts';
import { accept, WirePeer } from '../support/wire-peer.ts';

/** The folder for the pictures; without it there is nothing to do. `RELAYD_SCREENSHOT_SECONDS` of load come before them. */
const FOLDER = process.env['RELAYD_SCREENSHOTS'];
const LOAD_MS = Number(process.env['RELAYD_SCREENSHOT_SECONDS'] ?? 60) * 1000;

const PEERS = 100;
const MEMBERS = 20;
const CIRCUITS = 50;
const PIECE_BYTES = 48 * 1024;
const STEP_MS = 100;
/** Everything above the tables and some of their rows, on a phone too. */
const PICTURE_PX = 2_400;
const SIZES = { wide: { width: 1280, height: 900 }, narrow: { width: 375, height: 812 } };

describe('pictures of the status page', { skip: noBrowser || (FOLDER === undefined ? 'set RELAYD_SCREENSHOTS to a folder to take them' : false), timeout: LOAD_MS + 300_000 }, () => {
  it('of a relay that a hundred peers use', async (t) => {
    const members = await Promise.all(Array.from({ length: MEMBERS }, () => WirePeer.start({ stop: discarding })));
    const relay = await RelayUnderTest.start({ realm: { members: members.map(({ peerId }) => peerId.toString()) }, relay: { prefixes: { exempt: ['127.0.0.0/8'] }, limits: UNMETERED } });
    const load = await loadOn(relay, members);
    t.after(async () => {
      load.stop();
      await Promise.all(members.map((peer) => peer.stop()));
      await relay.stop();
    });
    await picture(await launchBrowser(t), relay.node, 'relay', ['reservations', 'circuits', 'peers', 'config']);
  });

  it('of a client that holds relays and carries a tunnel', async (t) => {
    const client = await clientWithTunnel(t);
    await picture(await launchBrowser(t), client, 'client', ['relays', 'tunnels', 'config']);
  });
});

const UNMETERED = { circuits: { duration: 'unlimited', bytesPerDirection: 'unlimited' }, rates: { reservePerPeer: '4/h', connectPerPrefix: '100/s' } };

interface Work {
  stop(): void;
}

function every(ms: number, work: (step: number) => void): Work {
  let step = 0;
  const timer = setInterval(() => work(step++), ms);
  return { stop: () => clearInterval(timer) };
}

/** Accepts a circuit and reads what comes. */
async function discarding(incoming: Parameters<typeof accept>[0]): Promise<void> {
  await accept(incoming);
  incoming.stream.addEventListener('message', () => {});
}

/** Each of the circuits carries a share of its own, in waves; some peers ask too often. */
async function loadOn(relay: RelayUnderTest, members: readonly WirePeer[]): Promise<Work> {
  await Promise.all(members.map((member) => member.connect(relay.addr)));
  const peers = [...members];
  while (peers.length < PEERS) peers.push(await relay.peer({ stop: discarding }));
  for (const peer of peers) assert.equal((await peer.reserve()).status, Status.OK);
  const streams = await Promise.all(peers.slice(0, CIRCUITS).map(async (source, i) => (await source.connectTo((peers.at(-1 - i) ?? source).peerId)).stream));
  const piece = Buffer.alloc(PIECE_BYTES);
  return every(STEP_MS, (step) => {
    streams.forEach((stream, i) => {
      if (i % 9 !== 8 && (step + 7 * i) % 60 < 10 + (i % 25)) stream.send(piece.subarray(0, 1 + ((i * 977) % PIECE_BYTES)));
    });
    if (step % 37 < 4) void peers[30 + (step % 5)]?.reserve().catch(() => {});
  });
}

/** Three relays, one of which has gone; a service at home, and a way to it from away that is used all the time. */
async function clientWithTunnel(t: TestContext): Promise<RelayNode> {
  const nodes = new Nodes();
  let traffic: Work | undefined;
  t.after(async () => {
    traffic?.stop();
    await nodes.stopAll();
  });
  const service = createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1');
  await once(service, 'listening');
  t.after(() => service.close());
  const relays = await Promise.all(['one', 'two', 'three'].map((name, i) => nodes.start(name, { role: 'relay', network: { listen: [`/ip4/127.${i + 1}.0.1/tcp/0`] }, relay: { prefixes: { exempt: ['127.0.0.0/8'] }, limits: UNMETERED } })));
  const client = { desired: 2, relays: [...relays.flatMap(({ addrs }) => addrs.slice(0, 1)), `/ip4/127.0.0.1/tcp/9/p2p/${await idOf(nodes, 'nobody')}`] };
  const home = await nodes.start('home', { role: 'client', client, tunnels: { expose: [{ name: 'echo', to: `127.0.0.1:${(service.address() as AddressInfo).port}`, allow: [await idOf(nodes, 'away')] }, { name: 'ssh', to: '127.0.0.1:22', allow: [] }] } });
  await untilHolds(home, 2);
  const away = await nodes.start('away', { role: 'client', client, tunnels: { forward: [{ listen: '127.0.0.1:0', peer: home.peerId, name: 'echo' }] } });
  await untilHolds(away, 2);
  const [port = 0] = away.forwardPorts;
  traffic = every(1000, (step) => visit(port, step));
  return away;
}

/** The id that a node will have, before it is started. */
async function idOf(nodes: Nodes, name: string): Promise<string> {
  const dir = await nodes.dataDir(name);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  return (await createIdentity(join(dir, 'identity.key'))).peerId.toString();
}

const VISIT_MS = 4_000;

/** Some bytes there and back. */
function visit(port: number, step: number): void {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  socket.resume().write(Buffer.alloc(20_000 + (step % 13) * 40_000));
  setTimeout(() => socket.destroy(), VISIT_MS + (step % 7) * 500);
}

async function picture(browser: Browser, node: RelayNode, name: string, tabs: readonly string[]): Promise<void> {
  const folder = FOLDER ?? '';
  await mkdir(folder, { recursive: true });
  await new Promise((resolve) => setTimeout(resolve, LOAD_MS));
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page, context, complaints } = await openPage(browser, { viewport, colorScheme });
      for (const tab of tabs) {
        await page.goto(`${node.adminUrl}/#${tab}`);
        await page.reload();
        await page.locator(`#panel-${tab} tbody tr`).first().waitFor({ timeout: PATIENCE_MS });
        await page.locator('.plot canvas').first().waitFor();
        if (tab === tabs[0]) await page.screenshot({ path: join(folder, `${name}-${size}-${colorScheme}.png`), fullPage: true, clip: { x: 0, y: 0, width: viewport.width, height: PICTURE_PX } });
        await page.locator('#tables').evaluate((element) => element.scrollIntoView());
        await page.screenshot({ path: join(folder, `${name}-${tab}-${size}-${colorScheme}.png`) });
      }
      assert.deepEqual(complaints, []);
      await context.close();
    }
  }
}
