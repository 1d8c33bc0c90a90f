import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';

/** Where Debian's package `chromium` puts it; nothing is downloaded. */
const CHROMIUM = '/usr/bin/chromium';

/** Why a test cannot run a browser, for `skip`; `false` when it can. */
export const noBrowser: string | false = existsSync(CHROMIUM) ? false : `there is no ${CHROMIUM} (Debian's package chromium)`;

/** What a test and a hook have in common: something to run when it is over. */
interface Owner {
  after(end: () => Promise<void>): void;
}

interface LaunchOptions {
  /** More of Chromium's switches, such as `--ignore-certificate-errors-spki-list=…`. */
  args?: string[];
}

/** How long Chromium may take to come up on a busy machine. */
const START_TIMEOUT_MS = 60_000;

/** A Chromium without a window, closed when the test ends. */
export async function launchBrowser(t: Owner, { args = [] }: LaunchOptions = {}): Promise<Browser> {
  // No sandbox: tests run as root in containers. Without --disable-dev-shm-usage a small /dev/shm kills pages.
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', ...args], timeout: START_TIMEOUT_MS });
  t.after(() => browser.close());
  return browser;
}

/** A page in a profile of its own, and whatever it complained of. */
export interface WatchedPage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Console errors and warnings, exceptions and violations of the page's content policy, in order. */
  readonly complaints: string[];
  /** Every URL that was asked for. */
  readonly requests: string[];
}

export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(`${message.type()}: ${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => complaints.push(`exception: ${error.stack ?? error.message}`));
  page.on('request', (request) => requests.push(request.url()));
  return { page, context, complaints, requests };
}
