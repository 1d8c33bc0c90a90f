import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import type { RelayNode } from '../../src/index.ts';
import { launchBrowser, noBrowser, openPage } from '../support/browser.ts';
import type { WatchedPage } from '../support/browser.ts';
import { Fleet } from '../support/fleet.ts';
import { freePort } from '../support/free-port.ts';
import { LISTEN, Nodes, untilHolds } from '../support/nodes.ts';
import { RelayUnderTest } from '../support/relay-under-test.ts';
import { until } from '../support/waiting.ts';
import { ALICE, BOB, FakeView, SELF } from '../unit/admin/fake-view.ts';
import { startServer, tempDir, TOKEN } from '../unit/admin/server-helpers.ts';
import type { TestServer } from '../unit/admin/server-helpers.ts';
import { someCluster } from '../unit/admin/some-cluster.ts';

/** A browser on a busy machine; what is waited for comes within two steps of two seconds. */
const PATIENCE_MS = 20_000;

describe('the status page in Chromium', { skip: noBrowser, timeout: 300_000 }, () => {
  let browser: Browser;
  let close: () => Promise<void>;

  before(async () => {
    browser = await launchBrowser({ after: (end) => (close = end) });
  });
  after(() => close());

  /** A page that has shown its first step; that it complained of nothing, and asked nobody else, is checked at the end of the test. */
  async function open(t: TestContext, url: string, options: BrowserContextOptions = {}): Promise<Page> {
    const watched = await openPage(browser, options);
    t.after(() => watched.context.close());
    t.after(() => checkClean(watched, url));
    watched.page.setDefaultTimeout(PATIENCE_MS);
    await watched.page.goto(url);
    return watched.page;
  }

  function checkClean({ complaints, requests }: WatchedPage, url: string): void {
    const { origin } = new URL(url);
    assert.deepEqual(complaints.filter((text) => !EXPECTED.test(text)), []);
    assert.deepEqual(requests.filter((asked) => new URL(asked).origin !== origin), []);
  }

  it('shows a relay, and a reservation and its circuit as they come', async (t) => {
    const relay = await RelayUnderTest.start();
    t.after(() => relay.stop());
    const page = await open(t, relay.node.adminUrl);
    await page.locator('#state', { hasText: 'ready' }).waitFor();
    assert.equal(await factOf(page, 'Reservations'), '0');
    assert.deepEqual(await tabNames(page), ['Reservations', 'Circuits', 'Peers', 'Configuration']);
    await page.getByText('No peer holds a reservation here yet.').waitFor();
    assert.deepEqual(await page.locator('h3').allTextContents(), ['Reservations', 'Circuits', 'Throughput', 'Refused, by limit', 'Event-loop delay', 'Memory']);

    const target = await relay.reserved();
    await page.locator('#panel-reservations tbody tr').waitFor();
    assert.equal(await page.locator('#panel-reservations td.id').textContent(), target.peerId.toString());
    await page.locator('.fact', { hasText: 'Reservations' }).locator('.value', { hasText: '1' }).waitFor();

    const source = await relay.peer();
    await source.connectTo(target.peerId);
    await page.getByRole('tab', { name: 'Circuits' }).click();
    await page.locator('#panel-circuits tbody tr').waitFor();
    assert.deepEqual(await page.locator('#panel-circuits td.id').allTextContents(), [source.peerId.toString(), target.peerId.toString()]);
  });

  it('shows a client: why each relay is chosen or not, its tunnels, and where its config comes from', async (t) => {
    const { relays, client } = await clientOf(t);
    const page = await open(t, client.adminUrl);
    assert.deepEqual(await (page.locator('#panel-relays tbody tr').first().waitFor(), tabNames(page)), ['Relays', 'Tunnels', 'Peers', 'Configuration']);
    await page.locator('#panel-relays td.state', { hasText: 'reserved' }).waitFor();
    // Reasons change: one that is dialled just now has that for a moment.
    const rows = client.view.relays();
    for (const { peer } of rows) {
      const row = page.locator('#panel-relays tbody tr', { hasText: peer });
      const reason = (): string => (client.view.relays().find((one) => one.peer === peer)?.reason ?? '–').slice(0, 20);
      await until(async () => ((await row.locator('td.long').textContent()) ?? '').includes(reason()), `the reason of ${peer}`, PATIENCE_MS);
    }
    assert.equal(rows.length, relays.length + 1);

    await page.getByRole('tab', { name: 'Tunnels' }).click();
    await page.locator('#panel-tunnels tbody tr', { hasText: 'ssh' }).locator('td', { hasText: '127.0.0.1:22' }).waitFor();

    await page.getByRole('tab', { name: 'Configuration' }).click();
    await page.getByPlaceholder('Filter configuration').fill('client.desired');
    await untilOneRow(page.locator('#panel-config tbody tr'));
    assert.deepEqual(await page.locator('#panel-config tbody td').allTextContents(), ['client.desired', '1', 'config object', 'a reload']);
  });

  it('shows a node that is both', async (t) => {
    const { url } = await startServer(t);
    const page = await open(t, url, { permissions: ['clipboard-read', 'clipboard-write'] });
    await page.locator('#panel-relays tbody tr').first().waitFor();
    assert.deepEqual(await tabNames(page), ['Relays', 'Reservations', 'Circuits', 'Tunnels', 'Peers', 'Configuration']);
    assert.equal(await page.locator('#panel-relays td.long', { hasText: '<img src=x onerror=alert(1)>' }).count(), 1, 'what a peer wrote is text');
    await page.getByRole('button', { name: `Copy ${SELF}`, exact: true }).click();
    await page.getByText('Copied').waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), SELF);
  });

  it('shows the relays of a cluster', async (t) => {
    const view = new FakeView();
    view.clusterResult = () => {
      const cluster = someCluster();
      return { ...cluster, relays: cluster.relays.map((relay) => (relay.peer === BOB ? { ...relay, secrets: ['4e5f6a7b'] } : relay)) };
    };
    view.moreStatus = { cluster: { cluster: 'example', backend: 'gossip', problem: null, relays: 3 } };
    const { url } = await startServer(t, { view });
    const page = await open(t, url);
    await page.getByRole('tab', { name: 'Cluster' }).click();
    const row = (peer: string): ReturnType<Page['locator']> => page.locator('#panel-cluster tbody tr', { hasText: peer });
    await row(BOB).locator('td.state', { hasText: 'draining' }).waitFor();
    assert.match((await row(BOB).textContent()) ?? '', /no: other limits, realm or access.*not as here/);
    const other = (await row(ALICE).textContent()) ?? '';
    assert.match(other, /yesas here± 7 ms/);
    await row(SELF).locator('td.state', { hasText: 'ready, this one' }).waitFor();
    await page.getByPlaceholder('Filter cluster').fill('draining');
    await untilOneRow(page.locator('#panel-cluster tbody tr'));
    assert.equal(await row(SELF).count(), 0);
    await page.locator('dd', { hasText: /^example, by gossip$/ }).waitFor();
    view.moreStatus = { cluster: { cluster: 'example', backend: 'redis', problem: 'Redis at 127.0.0.1:6379: no answer', relays: 1 } };
    await page.locator('dd', { hasText: 'Redis at 127.0.0.1:6379: no answer' }).waitFor();
  });

  it('sorts, filters and turns pages of ten thousand reservations without having them all', async (t) => {
    const { url, view } = await startServer(t);
    const [first] = view.reservations();
    assert.ok(first);
    const all = Array.from({ length: 10_000 }, (_row, i) => ({ ...first, peer: `P${String(i).padStart(5, '0')}`, renewals: (i * 7919) % 10_000 }));
    view.reservations = () => all;
    const page = await open(t, `${url}/#reservations`);
    const table = page.locator('#panel-reservations');
    await table.getByText('1–50 of 10,000').waitFor();
    assert.equal(await table.locator('tbody tr').count(), 50);

    await table.getByRole('button', { name: 'Renewed' }).click();
    await table.locator('th[aria-sort="ascending"]', { hasText: 'Renewed' }).waitFor();
    await until(async () => (await firstCells(table, 6)) === '0', 'the fewest renewals first');
    await table.getByRole('button', { name: 'Renewed' }).click();
    await until(async () => (await firstCells(table, 6)) === '9,999', 'the most renewals first');

    await table.getByRole('button', { name: 'Next' }).click();
    await table.getByText('51–100 of 10,000').waitFor();
    await table.getByRole('searchbox').fill('p0012');
    await table.getByText('10 found in 10,000').waitFor();
    assert.equal(await table.locator('tbody tr').count(), 10);
    await table.getByRole('searchbox').fill('nobody');
    await table.getByText('None of the 10,000 has “nobody” in it.').waitFor();
  });

  it('works with the keyboard alone', async (t) => {
    const { url, view } = await startServer(t);
    const page = await open(t, `${url}/#reservations`);
    await page.locator('#panel-reservations tbody tr').first().waitFor();
    await page.getByRole('tab', { name: 'Reservations' }).focus();
    await page.keyboard.press('ArrowRight');
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'tab-circuits');
    await page.locator('#panel-circuits tbody tr').waitFor();
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('Tab');
    await page.keyboard.type('member');
    await untilOneRow(page.locator('#panel-reservations tbody tr'));
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.locator('#panel-reservations th[aria-sort="ascending"]', { hasText: 'Peer' }).waitFor();

    await page.locator('.canvas').first().focus();
    await page.keyboard.press('ArrowLeft');
    await until(async () => /^\d\d:\d\d:\d\d$/.test((await page.locator('.moment').first().textContent()) ?? ''), 'the time of the step under the cursor');

    await page.locator('#drain').focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'drain');
    assert.equal(view.drains, 0);
  });

  it('drains a daemon after a question and with the right token', async (t) => {
    const fleet = await Fleet.create();
    t.after(() => fleet.stopAll());
    const { daemon, ready } = await fleet.start('relay', { role: 'relay', network: { listen: LISTEN } });
    const { token } = JSON.parse(await readFile(join(fleet.dataDir('relay'), 'admin.json'), 'utf8')) as { token: string };
    const page = await open(t, ready.admin);
    await page.locator('#drain').click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('0 reservations and 0 circuits').waitFor();
    await dialog.getByLabel('Token').fill('not-the-token-of-this-node');
    await dialog.getByRole('button', { name: 'Drain and stop' }).click();
    await dialog.getByText('wrong token').waitFor();
    assert.equal((await daemon.get<{ state: string }>('/api/v1/status')).state, 'ready');
    await dialog.getByLabel('Token').fill(token);
    await page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'hidden' });
    assert.equal(await daemon.ended, 'exit code 0');
    await page.locator('#link', { hasText: 'disconnected' }).waitFor();
  });

  it('says that the node drains, and offers no second drain', async (t) => {
    const { url, view } = await startServer(t);
    const page = await open(t, url);
    await page.locator('#drain').waitFor();
    view.current = 'draining';
    await page.locator('#state', { hasText: 'draining' }).waitFor();
    await page.locator('#drain').waitFor({ state: 'hidden' });
  });

  it('asks for the token where reading needs it, and keeps it for the tab', async (t) => {
    const { url } = await guarded(t);
    const page = await open(t, url);
    await page.locator('#token').fill('wrong-token-wrong-token');
    await page.keyboard.press('Enter');
    await page.getByText('That token is not the right one.').waitFor();
    assert.equal(await page.locator('#main').isVisible(), false);
    await page.locator('#token').fill(TOKEN);
    await page.getByRole('button', { name: 'Show' }).click();
    await page.locator('#panel-relays tbody tr').first().waitFor();
    assert.equal(await page.locator('#token').isVisible(), false);
    await page.reload();
    await page.locator('#panel-relays tbody tr').first().waitFor();
    await page.locator('#drain').click();
    await page.getByRole('dialog').waitFor();
    assert.equal(await page.getByRole('dialog').getByLabel('Token').isVisible(), false, 'it is known already');
  });

  it('takes the token out of the address', async (t) => {
    const { url } = await guarded(t);
    const page = await open(t, `${url}/?token=${TOKEN}`);
    await page.locator('#panel-relays tbody tr').first().waitFor();
    assert.ok(!page.url().includes(TOKEN));
  });

  it('says that it has lost the daemon, and goes on when the daemon is back', async (t) => {
    const listen = { host: '127.0.0.1', port: await freePort() };
    const { server, url } = await startServer(t, { config: { listen, tokenFile: undefined } });
    const page = await open(t, url);
    await page.locator('#link', { hasText: 'live' }).waitFor();
    await server.stop();
    await page.locator('#link', { hasText: 'disconnected' }).waitFor();
    await page.getByText(/^Disconnected: .* Trying again in \d+ s\. What is shown is as it was at/).waitFor();
    await startServer(t, { config: { listen, tokenFile: undefined } });
    await page.locator('#link', { hasText: 'live' }).waitFor();
    await page.locator('#notice').waitFor({ state: 'hidden' });
  });

  it('follows the system from light to dark, and a choice of its own is kept', async (t) => {
    const { url } = await startServer(t);
    const page = await open(t, url, { colorScheme: 'light' });
    const paper = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.locator('#panel-relays tbody tr').first().waitFor();
    const light = await paper();
    await page.emulateMedia({ colorScheme: 'dark' });
    await until(async () => (await paper()) !== light, 'the dark colours');
    await page.getByRole('button', { name: 'Light' }).click();
    await until(async () => (await paper()) === light, 'the light colours');
    await page.reload();
    await page.locator('#panel-relays tbody tr').first().waitFor();
    assert.equal(await paper(), light);
  });

  it('has text that can be read, in both sets of colours', async (t) => {
    const { url } = await startServer(t);
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await open(t, url, { colorScheme });
      await page.locator('#panel-relays tbody tr').first().waitFor();
      assert.deepEqual(await page.evaluate(faintTexts, MIN_CONTRAST), [], colorScheme);
    }
  });

  it('fits a phone without scrolling sideways, on every tab', async (t) => {
    const { url } = await startServer(t);
    const page = await open(t, url, { viewport: { width: 375, height: 812 }, hasTouch: true });
    await page.locator('#panel-relays tbody tr').first().waitFor();
    for (const name of await tabNames(page)) {
      await page.getByRole('tab', { name }).click();
      await page.locator('[role="tabpanel"]:not([hidden]) tbody tr').first().waitFor();
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), name);
    }
  });

  it('shows the past to a page that was opened late', async (t) => {
    const { url, view } = await startServer(t);
    const early = await open(t, url);
    await early.locator('#link', { hasText: 'live' }).waitFor();
    view.refusals['reservations.perPrefix'] = 3;
    view.relayedBytes += 50_000_000;
    await early.locator('.fact', { hasText: 'Refused' }).locator('.value', { hasText: '3' }).waitFor();
    const late = await open(t, url);
    await late.locator('.fact', { hasText: 'Refused' }).locator('.value', { hasText: '3' }).waitFor();
    await late.locator('.legend', { hasText: 'reservations.perPrefix' }).waitFor();
    for (const [span, range] of [['24 h', '24h'], ['30 min', '30m']] as const) {
      const answer = late.waitForResponse((response) => response.url().endsWith(`history?range=${range}`));
      await late.getByRole('button', { name: span }).click();
      assert.equal((await answer).status(), 200);
      await late.locator('button[aria-pressed="true"]', { hasText: span }).waitFor();
      await until(async () => (await late.locator('.plot canvas').count()) === 9, 'a plot of each');
    }
  });
});

/** What a browser says by itself of the answers and broken connections that a test is about. */
const EXPECTED = /^error: Failed to load resource: (the server responded with a status of 401|net::ERR_(CONNECTION_(REFUSED|RESET|CLOSED|ABORTED)|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING|CONTENT_LENGTH_MISMATCH|SOCKET_NOT_CONNECTED))/;

/** WCAG 2, level AA, for text of normal size. */
const MIN_CONTRAST = 4.5;

async function guarded(t: TestContext): Promise<TestServer> {
  const tokenFile = join(await tempDir(t), 'token');
  await writeFile(tokenFile, TOKEN, { mode: 0o600 });
  return startServer(t, { config: { listen: { host: '127.0.0.1', port: 0 }, tokenFile } });
}

async function clientOf(t: TestContext): Promise<{ relays: RelayNode[]; client: RelayNode }> {
  const nodes = new Nodes();
  t.after(() => nodes.stopAll());
  const relays = await Promise.all(['one', 'two'].map((name) => nodes.start(name, { role: 'relay', network: { listen: LISTEN } })));
  const nobody = '/ip4/127.0.0.1/tcp/9/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN';
  const client = await nodes.start('client', {
    role: 'client',
    client: { desired: 1, relays: [...relays.flatMap(({ addrs }) => addrs.slice(0, 1)), nobody] },
    tunnels: { expose: [{ name: 'ssh', to: '127.0.0.1:22', allow: [] }] },
  });
  await untilHolds(client, 1);
  return { relays, client };
}

async function factOf(page: Page, label: string): Promise<string | null> {
  return page.locator('.fact', { has: page.getByRole('heading', { name: label, exact: true }) }).locator('.value').textContent();
}

/** Without the counts beside them. */
async function tabNames(page: Page): Promise<string[]> {
  return (await page.getByRole('tab').allTextContents()).map((text) => text.replace(/[\d,]+$/, ''));
}

/** A table that has not been loaded yet has no second row either: so the first one comes first. */
async function untilOneRow(rows: ReturnType<Page['locator']>): Promise<void> {
  await rows.first().waitFor();
  await rows.nth(1).waitFor({ state: 'detached' });
}

async function firstCells(table: ReturnType<Page['locator']>, column: number): Promise<string | null> {
  return table.locator(`tbody tr:first-child td:nth-child(${column})`).textContent();
}

/** Runs in the page: the visible texts whose contrast with what is behind them is less than `least`. */
function faintTexts(least: number): string[] {
  const rgb = (text: string): number[] => (text.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = ([r = 0, g = 0, b = 0]: number[]): number => {
    const [red = 0, green = 0, blue = 0] = [r, g, b].map((part) => (part / 255 <= 0.03928 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (element: Element | null): number[] => {
    const colour = element === null ? [255, 255, 255] : rgb(getComputedStyle(element).backgroundColor);
    return element !== null && colour[3] === 0 ? behind(element.parentElement) : colour;
  };
  const own = (element: Element): string => [...element.childNodes].filter(({ nodeType }) => nodeType === Node.TEXT_NODE).map(({ textContent }) => textContent).join('').trim();
  return [...document.body.querySelectorAll('*')].flatMap((element) => {
    if (own(element) === '' || !element.checkVisibility() || element.closest(':disabled, noscript') !== null) return [];
    const [text, ground] = [luminance(rgb(getComputedStyle(element).color)), luminance(behind(element))];
    const contrast = (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
    return contrast < least ? [`${own(element)}: ${contrast.toFixed(2)}`] : [];
  });
}
