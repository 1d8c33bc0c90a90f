import type { IncomingMessage } from 'node:http';
import { isIPv4 } from 'node:net';
import { RelaydError } from '../lib/errors.ts';
import { sameToken } from './token.ts';

export interface GuardRules {
  token: string;
  /** The operator gave a token file: reading needs the token too. */
  readingNeedsToken: boolean;
  /** Host names to accept beside loopback ones; `undefined` accepts any (a unix socket, a bind that others may reach by any name). */
  hosts: readonly string[] | undefined;
}

/** Who may ask, and from which page: the answers to DNS rebinding, cross-site requests and missing tokens. */
export class Guard {
  readonly #rules: GuardRules;

  constructor(rules: GuardRules) {
    this.#rules = rules;
  }

  get readingNeedsToken(): boolean {
    return this.#rules.readingNeedsToken;
  }

  /**
   * @throws RelaydError FORBIDDEN for a Host that is not this machine's (a page whose name was pointed at loopback after it
   * was loaded), and for anything but reading that another site's page sends
   */
  checkSite(request: IncomingMessage): void {
    const host = request.headers.host;
    // No browser leaves Host out, so its absence (HTTP/1.0 health checks) is no rebinding.
    if (host !== undefined && this.#rules.hosts !== undefined && !isLocalHost(host, this.#rules.hosts)) {
      throw new RelaydError('FORBIDDEN', `the Host header names ${JSON.stringify(host)}, not this machine: ask for localhost, 127.0.0.1 or [::1]`);
    }
    const reading = request.method === 'GET' || request.method === 'HEAD';
    if (!reading && isOtherSite(request, host)) {
      throw new RelaydError('FORBIDDEN', 'a page of another site may not ask for this');
    }
  }

  /** @throws RelaydError UNAUTHORIZED */
  checkToken(given: string | undefined): void {
    if (given === undefined) {
      throw new RelaydError('UNAUTHORIZED', 'this needs the header "Authorization: Bearer TOKEN"; the token is in admin.json of the data directory, or in admin.tokenFile');
    }
    if (!sameToken(given, this.#rules.token)) {
      throw new RelaydError('UNAUTHORIZED', 'wrong token; the right one is in admin.json of the data directory, or in admin.tokenFile');
    }
  }
}

export function bearerToken(request: IncomingMessage): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
}

function isLocalHost(header: string, own: readonly string[]): boolean {
  const name = /^(?<name>\[[^\]]*\]|[^:]*)(?::\d*)?$/.exec(header)?.groups?.['name']?.toLowerCase();
  if (name === undefined) {
    return false;
  }
  return name === 'localhost' || name === '[::1]' || (isIPv4(name) && name.startsWith('127.')) || own.includes(name);
}

function isOtherSite(request: IncomingMessage, host: string | undefined): boolean {
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    return true;
  }
  const origin = request.headers.origin;
  return origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host?.toLowerCase());
}
