import { z } from 'zod';
import type { Key } from './key.ts';

/** A value as a person writes it: `2m`, `128KiB`, `unlimited`; `null` where nothing is set. Decoding it gives the value again. */
export function encode({ placed, value }: { placed: { key: Key<unknown> }; value: unknown }): unknown {
  return placed.key.optional && value === undefined ? null : z.encode(placed.key.type.codec, value);
}
