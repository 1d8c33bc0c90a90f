import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { LookupFunction } from 'node:net';
import { abortable } from '../../lib/deadline.ts';

/** 0: either family. */
const FAMILIES: Record<string, number> = { dns: 0, dns4: 4, dns6: 6 };

/** `addr` with an IP address in place of the name that it begins with. @throws Error of the lookup */
export async function resolveName(addr: Multiaddr, lookup: LookupFunction, signal: AbortSignal): Promise<Multiaddr> {
  const [first, ...rest] = addr.getComponents();
  const family = FAMILIES[first?.name ?? ''];
  if (first?.value === undefined || family === undefined) {
    return addr;
  }
  const found = await abortable(resolve(first.value, family, lookup), signal);
  const tail = rest.map(({ name, value }) => `/${name}${value === undefined ? '' : `/${value}`}`).join('');
  return multiaddr(`/${found.family === 6 ? 'ip6' : 'ip4'}/${found.address}${tail}`);
}

function resolve(name: string, family: number, lookup: LookupFunction): Promise<{ address: string; family: number }> {
  return new Promise((done, fail) => {
    lookup(name, { family }, (error, address, found) => {
      if (error !== null || typeof address !== 'string') fail(error ?? new Error(`${name} has no address`));
      else done({ address, family: found ?? family });
    });
  });
}
