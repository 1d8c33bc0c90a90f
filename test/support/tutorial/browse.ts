import { launchBrowser, openPage } from '../browser.ts';

/**
 * What a reader does with the page of docs/examples/browser: opens it, holds a reservation, and pings a peer. Says so, and keeps the page open.
 *
 *   node browse.ts URL RELAY PEER CHROMIUM_SWITCH…
 */
const [url = '', relay = '', peer = '', ...args] = process.argv.slice(2);

const PATIENCE_MS = 30_000;

const browser = await launchBrowser({ after: (end) => void process.once('SIGTERM', () => void end()) }, { args });
const { page, complaints } = await openPage(browser);
page.setDefaultTimeout(PATIENCE_MS);
await page.goto(url);
await page.fill('#listen input', relay);
await page.click('#listen button');
await page.waitForFunction("document.querySelector('#address').value.includes('/p2p-circuit')").catch((error: unknown) => {
  throw new Error(`no reservation: ${complaints.join('; ')} ${String(error)}`);
});
console.log(`the page is reachable at ${String(await page.evaluate("document.querySelector('#address').value"))}`);
await page.fill('#call input', peer);
await page.click('#call button');
console.log(await page.locator('#log li', { hasText: /^(ping|no answer)/ }).first().textContent());
