import type { Stream } from '@libp2p/interface';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setDefaultCACertificates } from 'node:tls';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { parse } from 'yaml';
import { runCommand } from '../../scripts/lib/processes.ts';
import type { RelayNode } from '../../src/index.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { ping } from '../../src/lib/ping.ts';
import { launchBrowser, noBrowser, openPage } from '../support/browser.ts';
import type { WatchedPage } from '../support/browser.ts';
import { patternBytes, sha256 } from '../support/bytes.ts';
import { WebAuthority, writeCertificate } from '../support/certificate.ts';
import { freePort } from '../support/free-port.ts';
import { Nodes } from '../support/nodes.ts';
import { until, within } from '../support/waiting.ts';
import { testClient } from '../unit/client/support.ts';
import type { TestClient } from '../unit/client/support.ts';

/** The example of the docs in a real browser, at a relay with a certificate of its own. */

const EXAMPLE = new URL('../../docs/examples/browser/', import.meta.url);
const ECHO = '/example/echo/1.0.0';
const MiB = 1024 * 1024;
/** The browser is told that this name is this machine. */
const HOST = 'relay.example.org';

const authority = new WebAuthority();
const certificate = authority.issue({ names: [HOST, 'localhost'] });
setDefaultCACertificates([authority.cert]);

interface Scene {
  relay: RelayNode;
  /** As a browser dials it. */
  relayAddr: string;
  port: number;
  opened: WatchedPage;
  log: (text: string) => void;
}

/** The configuration of the README, on this machine: a free port of loopback, and the files of the test. */
async function startRelay(t: TestContext, port: number): Promise<RelayNode> {
  const dir = await mkdtemp(join(tmpdir(), 'relayd-browser-'));
  const nodes = new Nodes();
  t.after(async () => {
    await nodes.stopAll();
    await rm(dir, { recursive: true, force: true });
  });
  const { certFile, keyFile } = writeCertificate(dir, certificate);
  const readme = await readFile(new URL('README.md', EXAMPLE), 'utf8');
  const [, written = ''] = /```yaml\n([^`]+)```/.exec(readme) ?? [];
  const here = written.replaceAll('0.0.0.0', '127.0.0.1').replaceAll('tcp/443', `tcp/${port}`).replaceAll('/etc/relayd/fullchain.pem', certFile).replaceAll('/etc/relayd/privkey.pem', keyFile);
  return await nodes.start('relay', parse(here) as Record<string, unknown>);
}

/** The page and its bundle, made by the script of its package in a copy of the folder, from the packages that are installed here. */
async function servePage(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'relayd-page-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  await cp(fileURLToPath(EXAMPLE), dir, { recursive: true });
  await symlink(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(dir, 'node_modules'));
  const { exit, output } = await runCommand('npm', ['run', 'build'], { cwd: dir, timeoutMs: 60_000 });
  assert.equal(exit, 'exit code 0', output);
  const files: Record<string, [type: string, name: string]> = { '/': ['text/html', 'index.html'], '/page.bundle.js': ['text/javascript', 'page.bundle.js'] };
  const server = createServer(({ url = '' }, response) => {
    const [type, name] = files[url] ?? ['text/plain', 'package.json'];
    response.writeHead(files[url] === undefined ? 404 : 200, { 'content-type': type });
    createReadStream(join(dir, name)).pipe(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

async function scene(t: TestContext): Promise<Scene> {
  const port = await freePort();
  const [relay, url] = await Promise.all([startRelay(t, port), servePage(t)]);
  // That one certificate, and no other.
  const browser = await launchBrowser(t, { args: [`--ignore-certificate-errors-spki-list=${certificate.spkiHash}`, `--host-resolver-rules=MAP ${HOST} 127.0.0.1`] });
  const opened = await openPage(browser);
  await opened.page.goto(url);
  const version = browser.version();
  t.diagnostic(`Chromium ${version}, relay ${relay.addrs.join()}`);
  return { relay, relayAddr: relay.addrs.find((addr) => addr.includes('/tls/ws/')) ?? assert.fail(), port, opened, log: (text) => t.diagnostic(text) };
}

/** The page's own address, once it holds a reservation. */
async function reserve(page: Page, relay: string): Promise<string> {
  await page.fill('[name=relay]', relay);
  await page.click('#listen button');
  await page.waitForFunction("document.querySelector('#address').value.includes('/p2p-circuit/')", undefined, { timeout: 20_000 });
  return await page.locator('#address').innerText();
}

/** Our client at the same relay, over TCP on the same port, with the page's echo. */
async function ourClient(t: TestContext, { relay, port }: Scene): Promise<TestClient> {
  const client = await testClient({ relays: [`/ip4/127.0.0.1/tcp/${port}/p2p/${relay.peerId}`] });
  t.after(() => client[Symbol.asyncDispose]());
  await client.libp2p.handle(ECHO, (stream) => echo(stream), { runOnLimitedConnection: true });
  await until(() => client.supervisor.held === 1, 'our client holds a reservation');
  return client;
}

async function echo(stream: Stream): Promise<void> {
  for await (const data of stream) {
    if (!stream.send(data)) await stream.onDrain();
  }
  await stream.close();
}

async function echoed(stream: Stream, bytes: Uint8Array): Promise<string> {
  const back: Uint8Array[] = [];
  const all = (async () => {
    for await (const data of stream) back.push(data.subarray());
  })();
  for (let at = 0; at < bytes.length; at += 65_536) {
    if (!stream.send(bytes.subarray(at, at + 65_536))) await stream.onDrain();
  }
  await stream.close();
  await all;
  return sha256(Buffer.concat(back));
}

describe('the package of the example', () => {
  it('asks for the versions that are tested here', async () => {
    const read = async (url: URL): Promise<{ dependencies: Record<string, string>; devDependencies: Record<string, string> }> => JSON.parse(await readFile(url, 'utf8')) as never;
    const [example, own] = [await read(new URL('package.json', EXAMPLE)), await read(new URL('../../package.json', import.meta.url))];
    const tested = { ...own.dependencies, ...own.devDependencies };
    const asked = { ...example.dependencies, ...example.devDependencies };
    assert.deepEqual(asked, Object.fromEntries(Object.keys(asked).map((name) => [name, tested[name]])));
  });
});

describe('a page in a browser', { skip: noBrowser }, () => {
  it('holds a reservation over WSS, is reached by our client, and reaches it', { timeout: 120_000 }, async (t) => {
    const here = await scene(t);
    const { relay, relayAddr, opened, log } = here;
    const { page } = opened;
    const address = await reserve(page, relayAddr);
    log(`the page is reachable at ${address}`);
    const rows = relay.view.reservations();
    const row = rows[0] ?? assert.fail('no reservation');
    assert.ok(address.endsWith(`/p2p/${relay.peerId}/p2p-circuit/p2p/${row.peer}`), address);
    log(`the relay has the reservation: ${JSON.stringify(row)}`);
    const peers = await relay.view.peers();
    assert.match(peers.find(({ peer }) => peer === row.peer)?.addr ?? '', /^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/tls\/ws\/p2p\//);

    const client = await ourClient(t, here);
    const { connection, path } = await client.dialler.dial(`/ip4/127.0.0.1/tcp/${here.port}/p2p/${relay.peerId}/p2p-circuit/p2p/${row.peer}`, { signal: AbortSignal.timeout(20_000) });
    assert.equal(path, 'relay');
    const rttMs = await ping(connection, systemClock, AbortSignal.timeout(20_000));
    log(`our client pings the page: ${Math.round(rttMs)} ms by ${path}`);
    const bytes = patternBytes(MiB);
    const out = await connection.newStream(ECHO, { signal: AbortSignal.timeout(20_000), runOnLimitedConnection: true });
    assert.equal(await within(echoed(out, bytes), 'the page echoes 1 MiB', 30_000), sha256(bytes));
    log('our client sends the page 1 MiB and has it back');

    const circuit = `${relayAddr}/p2p-circuit/p2p/${client.id}`;
    // As our client shows it, which is at the relay over TCP: the page's own connection to the relay serves.
    await page.fill('[name=peer]', circuit.replace('/tls/ws/', '/'));
    await page.click('#call button');
    await page.waitForFunction("[...document.querySelectorAll('#log li')].some((item) => item.textContent.startsWith('ping: '))", undefined, { timeout: 20_000 });
    log(`the page says: ${await page.locator('#log li').filter({ hasText: 'ping: ' }).innerText()}`);
    const back = await page.evaluate(`example.echo(${JSON.stringify(circuit)}, ${MiB})`);
    assert.equal(back, MiB);
    log('the page sends our client 1 MiB and has it back');
    assert.deepEqual(opened.complaints, []);
  });

  it('is told when the certificate is not the one it trusts: nothing is reserved', { timeout: 120_000 }, async (t) => {
    const port = await freePort();
    const relay = await startRelay(t, port);
    const url = await servePage(t);
    const browser = await launchBrowser(t, { args: [`--host-resolver-rules=MAP ${HOST} 127.0.0.1`] });
    const { page, complaints } = await openPage(browser);
    await page.goto(url);
    await page.fill('[name=relay]', relay.addrs.find((addr) => addr.includes('/tls/ws/')) ?? '');
    await page.click('#listen button');
    await until(() => complaints.some((line) => /ERR_CERT_AUTHORITY_INVALID/.test(line)), 'the browser complains', 20_000);
    assert.deepEqual(relay.view.reservations(), []);
  });

  it('that is closed loses its reservation with its connection', { timeout: 120_000 }, async (t) => {
    const { relay, relayAddr, opened } = await scene(t);
    await reserve(opened.page, relayAddr);
    assert.equal(relay.view.reservations().length, 1);
    await opened.context.close();
    await until(() => relay.view.reservations().length === 0, 'the reservation to go');
  });
});
