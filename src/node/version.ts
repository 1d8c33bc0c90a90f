import { readFileSync } from 'node:fs';

/** The version in package.json, which lies two folders up in a checkout (src/node) and in the package (dist/node) alike. */
export const VERSION: string = (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version;
