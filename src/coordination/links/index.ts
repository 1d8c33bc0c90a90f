import type { Links } from '../links.ts';
import { RelayLinks } from './relay-links.ts';
import type { LinksOptions } from './relay-links.ts';

export type { LinkHost } from './host.ts';
export type { LinksOptions } from './relay-links.ts';

/** The links of this relay; they stand from `start` to `stop`. */
export function makeLinks(options: LinksOptions): Links {
  return new RelayLinks(options);
}
