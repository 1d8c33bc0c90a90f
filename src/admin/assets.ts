import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { RelaydError } from '../lib/errors.ts';
import type { Reply } from './http.ts';
import { ICON } from './page-icon.ts';
import { PAGE_STYLE } from './page-style.ts';

/** Everything under it is open to everyone who reaches the server: it is the same for all daemons of a version. */
export const ASSETS_PATH = '/assets/';

/** The scripts of the status page: modules of this program, checked by its compiler, that import only each other. */
const MODULES = ['api', 'cells', 'cluster-source', 'columns', 'config-source', 'drain', 'elements', 'events', 'facts', 'format', 'identity', 'main', 'plot', 'plots', 'reading', 'table', 'tables', 'tabs', 'theme', 'token', 'track', 'whole-list'];

/** Run from the sources, the modules are TypeScript; in the package they are built. */
const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js';

const SCRIPT = 'text/javascript; charset=utf-8';
const STYLE = 'text/css; charset=utf-8';

interface Asset {
  readonly type: string;
  readonly text: string;
}

/** The files of the status page. Their path has a digest of them all in it: a browser keeps them for good, and has none of another version. */
export interface Assets {
  readonly files: ReadonlyMap<string, Asset>;
  /** Relative to the page, so that it also works behind a proxy that serves it elsewhere. */
  readonly folder: string;
  readonly main: string;
}

let loaded: Promise<Assets> | undefined;

/** Read once in the life of the process, when somebody first asks. */
export function pageAssets(): Promise<Assets> {
  loaded ??= load().catch((error: unknown) => {
    loaded = undefined;
    throw error;
  });
  return loaded;
}

/** @throws RelaydError NOT_FOUND for whatever is not one of the files */
export async function assetReply(path: string): Promise<Reply> {
  const { files, folder } = await pageAssets();
  const asset = path.startsWith(`/${folder}`) ? files.get(path.slice(folder.length + 1)) : undefined;
  if (asset === undefined) {
    throw new RelaydError('NOT_FOUND', 'there is no such file of the status page: load the page anew');
  }
  return { status: 200, body: asset.text, headers: { 'content-type': asset.type, 'cache-control': 'public, max-age=31536000, immutable' } };
}

async function load(): Promise<Assets> {
  const modules = MODULES.map(async (name): Promise<[string, Asset]> => [`${name}${EXTENSION}`, { type: SCRIPT, text: await moduleText(name) }]);
  const files = new Map<string, Asset>([
    ...(await Promise.all(modules)),
    ['page.css', { type: STYLE, text: PAGE_STYLE }],
    ['icon.svg', { type: 'image/svg+xml', text: ICON }],
    ['uplot.js', { type: SCRIPT, text: await packageText('uplot/dist/uPlot.iife.min.js') }],
    ['uplot.css', { type: STYLE, text: await packageText('uplot/dist/uPlot.min.css') }],
  ]);
  const digest = createHash('sha256');
  for (const [name, { text }] of files) digest.update(`${name}\n${text}\n`);
  return { files, folder: `${ASSETS_PATH.slice(1)}${digest.digest('hex').slice(0, 16)}/`, main: `main${EXTENSION}` };
}

async function moduleText(name: string): Promise<string> {
  const text = await readFile(new URL(`./page/${name}${EXTENSION}`, import.meta.url), 'utf8');
  if (EXTENSION === '.js') {
    return text;
  }
  const { stripTypeScriptTypes } = await import('node:module');
  return stripTypeScriptTypes(text);
}

function packageText(specifier: string): Promise<string> {
  return readFile(fileURLToPath(import.meta.resolve(specifier)), 'utf8');
}
