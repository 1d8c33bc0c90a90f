import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import type { TokenLimits, TokenUse } from '../lib/membership/verifier.ts';
import { writePrivateFile } from '../lib/private-file.ts';

/** What an authority remembers of a token; the token itself is not kept. */
export interface IssuedToken {
  readonly id: string;
  readonly peer?: string | undefined;
  readonly maxPeers?: number | undefined;
  /** ISO 8601, UTC; so are the others. */
  readonly issuedAt: string;
  readonly expiresAt: string;
  readonly uses: readonly TokenUse[];
  readonly limits: TokenLimits;
  readonly note?: string | undefined;
  readonly revokedAt?: string | undefined;
}

export interface RevokedPeer {
  readonly peer: string;
  readonly revokedAt: string;
}

/** Everything that an authority remembers, but for its key. */
export interface Issued {
  readonly realm: string;
  /** Of the last revocation list; 0 when there is none yet. */
  readonly sequence: number;
  readonly tokens: readonly IssuedToken[];
  readonly peers: readonly RevokedPeer[];
}

const VERSION = 1;

const time = z.iso.datetime();
const limit = z.int().min(1).optional();
const use = z.custom<TokenUse>((value) => typeof value === 'string' && /^(reserve|connect|tunnel:.+)$/.test(value));

const token = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{16}$/),
  peer: z.string().optional(),
  maxPeers: z.int().optional(),
  issuedAt: time,
  expiresAt: time,
  uses: z.array(use),
  limits: z.strictObject({ circuits: limit, durationMs: limit, bytesPerDirection: limit, bandwidth: limit }),
  note: z.string().optional(),
  revokedAt: time.optional(),
});

const file = z.strictObject({
  version: z.literal(VERSION),
  realm: z.string(),
  sequence: z.int().min(0),
  tokens: z.array(token),
  peers: z.array(z.strictObject({ peer: z.string(), revokedAt: time })),
});

/**
 * Fails also where there is no such file: with an empty one in its place, the next list would take back every revocation that was made.
 *
 * @throws RelaydError FILE_UNREADABLE
 */
export async function readIssued(path: string): Promise<Issued> {
  try {
    return file.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    const problem = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'is missing' : 'is damaged, or cannot be read';
    throw new RelaydError('FILE_UNREADABLE', `${path} ${problem}: it says which tokens this realm has issued and revoked; restore it from a backup (without one, only a new realm is safe)`, { cause });
  }
}

/** @throws RelaydError FILE_UNWRITABLE; what was there before is there still */
export async function writeIssued(path: string, issued: Issued): Promise<void> {
  try {
    await writePrivateFile(path, `${JSON.stringify({ version: VERSION, ...issued }, undefined, 1)}\n`);
  } catch (cause) {
    throw new RelaydError('FILE_UNWRITABLE', `${path} cannot be written, and nothing was changed: ${errorMessage(cause)}`, { cause });
  }
}
