import { Resolver } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import type { HostPort } from '../config/domain.ts';
import type { LookUpTxt } from './dnsaddr.ts';

/** One try of one server; with {@link TRIES} an answer that was lost once comes within the deadline of a look-up. */
const TRY_TIMEOUT_MS = 2_000;
const TRIES = 2;

/** Asks the DNS for `_dnsaddr.NAME`. @param servers instead of the system's, when there are any */
export function txtRecords(servers: readonly HostPort[]): LookUpTxt {
  return async (name, signal) => {
    signal.throwIfAborted();
    const resolver = new Resolver({ timeout: TRY_TIMEOUT_MS, tries: TRIES });
    if (servers.length > 0) {
      resolver.setServers(servers.map(({ host, port }) => `${isIPv6(host) ? `[${host}]` : host}:${port}`));
    }
    const cancel = (): void => resolver.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      return (await resolver.resolveTxt(`_dnsaddr.${name}`)).map((pieces) => pieces.join(''));
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  };
}
