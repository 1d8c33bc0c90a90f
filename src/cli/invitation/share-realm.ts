import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RelaydConfig } from '../../config/domain.ts';
import { RelaydError } from '../../lib/errors.ts';
import type { TokenUse } from '../../lib/membership/verifier.ts';
import { writePrivateFile } from '../../lib/private-file.ts';
import { createAuthority, openAuthority, readToken } from '../../realm/index.ts';
import type { Authority, TokenFacts } from '../../realm/index.ts';
import { writeToken } from './guest-token.ts';

/** Who lets guests in at a share. */
export interface ShareRealm {
  readonly authority: Authority;
  /** The config's own realm, whose key is on this machine; else one of this share alone. */
  readonly isConfigs: boolean;
}

/** The realm of a share that has no other. */
const OWN_REALM = 'share';

/**
 * The config's realm where its key is at hand: then relays that serve only members take the guests too. Else a realm of this share alone, which lets
 * them in here and means nothing to relays.
 *
 * @param dataDir of the share
 */
export async function shareRealm({ dataDir: configs, realm }: RelaydConfig, dataDir: string): Promise<ShareRealm> {
  const known = await existing(configs);
  if (known !== undefined && known.publicKey === realm.authority) {
    return { authority: known, isConfigs: true };
  }
  return { authority: (await existing(dataDir)) ?? (await createAuthority(dataDir, realm.name ?? OWN_REALM)), isConfigs: false };
}

/** The authority whose key is in `dataDir`. @throws RelaydError FILE_UNREADABLE when it is damaged */
export async function existing(dataDir: string): Promise<Authority | undefined> {
  try {
    return await openAuthority(dataDir);
  } catch (error) {
    if (error instanceof RelaydError && error.code === 'REALM_MISSING') {
      return undefined;
    }
    throw error;
  }
}

/** What the guests' token was made for: the same wishes get the same token again, so that a line stays good when the share is started anew. */
export interface GuestWishes {
  readonly service: string;
  readonly maxPeers: number;
  readonly expiresMs: number;
}

interface Saved extends GuestWishes {
  readonly token: string;
}

/** The token of the share's line: the last one, if it is good, was not taken back and was made for the same wishes. */
export async function guestToken({ authority, isConfigs }: ShareRealm, dataDir: string, wishes: GuestWishes): Promise<TokenFacts> {
  const file = join(dataDir, 'share.json');
  const saved = await readSaved(file);
  const kept = saved === undefined || !sameWishes(saved, wishes) ? undefined : await goodToken(saved.token, authority);
  if (kept !== undefined) {
    return kept;
  }
  const { service, maxPeers, expiresMs } = wishes;
  // A realm of this share alone means nothing to relays, and what they are not shown they cannot use in the guest's place.
  const atRelays: TokenUse[] = isConfigs ? ['reserve', 'connect'] : [];
  const { token } = await authority.issue({ maxPeers, expiresMs, uses: [...atRelays, `tunnel:${service}`], note: `share of ${service}` });
  await writePrivateFile(file, `${JSON.stringify({ ...wishes, token } satisfies Saved)}\n`);
  return readToken(token, authority.publicKey);
}

/** How long the share itself is a member of its config's realm; it gets a new token at a start after half of that. */
const OWN_TOKEN_MS = 30 * 24 * 3_600_000;

/** A token for the share's own node, for relays that serve only members. @returns the file that holds it */
export async function memberTokenFile({ authority }: ShareRealm, dataDir: string, peer: string): Promise<string> {
  const file = join(dataDir, 'token');
  const kept = await goodToken(await readFile(file, 'utf8').catch(() => ''), authority, OWN_TOKEN_MS / 2);
  if (kept?.peer !== peer) {
    const { token } = await authority.issue({ peer, expiresMs: OWN_TOKEN_MS, uses: ['reserve', 'connect'], note: 'a share of this machine' });
    await writeToken(file, readToken(token).bytes);
  }
  return file;
}

/** `undefined` for a token that is none, of another key, taken back, or over in `leftMs`. */
async function goodToken(text: string, authority: Authority, leftMs = 0): Promise<TokenFacts | undefined> {
  const facts = ownToken(text, authority);
  if (facts === undefined || facts.expiresAtWall <= Date.now() + leftMs) {
    return undefined;
  }
  const { tokens } = await authority.list();
  return tokens.some(({ id, state }) => id === facts.id && state === 'valid') ? facts : undefined;
}

function ownToken(text: string, { publicKey }: Authority): TokenFacts | undefined {
  try {
    return readToken(text, publicKey);
  } catch {
    return undefined;
  }
}

/** What cannot be read is made anew: the old line then holds as long as its token. */
async function readSaved(file: string): Promise<Saved | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Saved;
  } catch {
    return undefined;
  }
}

function sameWishes(a: GuestWishes, b: GuestWishes): boolean {
  return a.service === b.service && a.maxPeers === b.maxPeers && a.expiresMs === b.expiresMs;
}
