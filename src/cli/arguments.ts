import { InvalidArgumentError } from 'commander';
import type { Parsed } from '../config/parsed.ts';
import { parsePeerId } from '../config/addresses.ts';
import { parseBandwidth, parseDuration, parseSize } from '../config/units.ts';

/** For commander: a whole number from `min` to `max`. */
export function wholeNumber(min: number, max: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < min || number > max) {
      throw new InvalidArgumentError(`It needs a whole number from ${min} to ${max}.`);
    }
    return number;
  };
}

/** For commander: `500ms`, `90s`, `2m`, `1h`, as milliseconds. */
export const durationMs = (value: string): number => valueOf(parseDuration(value));

/** For commander: `128KiB`, `1GiB`, as bytes. */
export const sizeBytes = (value: string): number => valueOf(parseSize(value));

/** For commander: `10MiB/s`, as bytes per second. */
export const bandwidth = (value: string): number => valueOf(parseBandwidth(value));

/** For commander: a peer id, or an address that ends in one. It is the daemon that reads the rest of the address. */
export function peerOrAddress(value: string): string {
  if (value.startsWith('/') && !value.includes('/p2p/')) {
    throw new InvalidArgumentError('An address has to end in /p2p/ and a peer id.');
  }
  valueOf(parsePeerId(value.startsWith('/') ? value.split('/p2p/').at(-1) : value));
  return value;
}

function valueOf<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) {
    throw new InvalidArgumentError(`${parsed.problem}; ${parsed.expected}.`);
  }
  return parsed.value;
}
