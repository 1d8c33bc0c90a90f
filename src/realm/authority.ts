import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { systemClock } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import { writePrivateFile } from '../lib/private-file.ts';
import { createAuthorityKey, readAuthorityKey, realmExists } from './authority-key.ts';
import type { AuthorityKey } from './authority-key.ts';
import { ID_BYTES } from './content.ts';
import { locked, makeRealmFolder, realmFolder } from './folder.ts';
import type { RealmFolder } from './folder.ts';
import { badRequest, checkedIssue } from './issue-options.ts';
import type { IssueOptions } from './issue-options.ts';
import { readIssued, writeIssued } from './issued.ts';
import type { Issued } from './issued.ts';
import { listingOf } from './listing.ts';
import type { RealmListing } from './listing.ts';
import { NAME_FORM, isName } from './names.ts';
import { signRevocationList } from './revocation-list.ts';
import { listOf, readmitted, revoked, withoutEnded } from './revoking.ts';
import type { Revoked } from './revoking.ts';
import { formatToken, signToken } from './token.ts';

export interface AuthorityOptions {
  readonly clock?: Pick<Clock, 'wall'>;
}

export interface NewToken {
  readonly id: string;
  /** As people copy it; nobody keeps it but who gets it. */
  readonly token: string;
  /** ISO 8601, UTC. */
  readonly expiresAt: string;
}

export interface Published extends Revoked {
  /** Of the list that says so. */
  readonly sequence: number;
  /** Where that list is. */
  readonly file: string;
}

/** Tokens that one authority keeps an eye on at a time: its file is read and written whole with each. */
const MAX_ISSUED = 10_000;

/**
 * Makes a realm: a key that signs its tokens, kept apart from the identity of any node.
 *
 * @throws RelaydError REALM_EXISTS, FILE_UNWRITABLE, BAD_REQUEST when `name` is none, TIMEOUT
 */
export async function createAuthority(dataDir: string, name: string, options: AuthorityOptions = {}): Promise<Authority> {
  if (!isName(name)) throw badRequest(`"${name}" is not a name of a realm; ${NAME_FORM}`);
  const folder = realmFolder(dataDir);
  await makeRealmFolder(folder);
  const key = await locked(folder, async () => {
    await refuseSecond(folder);
    // Before the key: a realm is there as soon as its key is.
    await writeIssued(folder.issuedFile, { realm: name, sequence: 0, tokens: [], peers: [] });
    return await createAuthorityKey(folder.keyFile);
  });
  return new Authority(folder, key, name, options);
}

/**
 * The realm of this data directory.
 *
 * @throws RelaydError REALM_MISSING when there is none; FILE_UNREADABLE when a file is damaged, missing, or open to others
 */
export async function openAuthority(dataDir: string, options: AuthorityOptions = {}): Promise<Authority> {
  const folder = realmFolder(dataDir);
  const key = await readAuthorityKey(folder.keyFile);
  const { realm } = await readIssued(folder.issuedFile);
  return new Authority(folder, key, realm, options);
}

/** Who says who is a member of a realm. Each call reads and writes the files anew: commands run beside each other, and beside a daemon. */
export class Authority {
  readonly name: string;
  /** What relays and members put into realm.authority: `ed25519:…` */
  readonly publicKey: string;
  readonly keyFile: string;
  readonly #folder: RealmFolder;
  readonly #key: AuthorityKey;
  readonly #clock: Pick<Clock, 'wall'>;

  constructor(folder: RealmFolder, key: AuthorityKey, name: string, { clock = systemClock }: AuthorityOptions) {
    this.name = name;
    this.publicKey = key.publicKey;
    this.keyFile = folder.keyFile;
    this.#folder = folder;
    this.#key = key;
    this.#clock = clock;
  }

  /** @throws RelaydError BAD_REQUEST that says what is wrong with the options, FILE_UNREADABLE, FILE_UNWRITABLE, TIMEOUT */
  async issue(options: IssueOptions): Promise<NewToken> {
    const { peer, maxPeers, uses } = checkedIssue(options);
    const { limits = {}, note } = options;
    const id = randomBytes(ID_BYTES).toString('hex');
    const now = this.#clock.wall();
    const [notBeforeSeconds, expiresSeconds] = [Math.floor(now / 1000), Math.ceil((now + options.expiresMs) / 1000)];
    const token = signToken({ realm: this.name, id, peer, maxPeers, notBeforeSeconds, expiresSeconds, uses, limits }, this.#key.privateKey);
    const [issuedAt, expiresAt] = [notBeforeSeconds, expiresSeconds].map(isoOf) as [string, string];
    await this.#change((issued) => {
      checkRoom(issued, peer?.toString());
      return { ...issued, tokens: [...issued.tokens, { id, peer: peer?.toString(), maxPeers, issuedAt, expiresAt, uses, limits, note }] };
    });
    return { id, token: formatToken(token), expiresAt };
  }

  /** @throws RelaydError FILE_UNREADABLE */
  async list(): Promise<RealmListing> {
    return listingOf(await readIssued(this.#folder.issuedFile), this.#clock.wall());
  }

  /**
   * Takes back one token, or everything that makes a peer a member, and publishes the list that says so. What is taken back already is
   * published again.
   *
   * @param what a token's id, the token itself, or a peer id
   * @throws RelaydError NOT_FOUND, BAD_REQUEST, TOKEN_INVALID, FILE_UNREADABLE, FILE_UNWRITABLE, TIMEOUT
   */
  async revoke(what: string): Promise<Published> {
    return await this.#publish((issued) => revoked(issued, what, { authority: this.publicKey, nowWall: this.#clock.wall() }));
  }

  /** Lets a peer that was taken off be a member again. @throws RelaydError as {@link revoke} */
  async readmit(peer: string): Promise<Published> {
    return await this.#publish((issued) => readmitted(issued, peer));
  }

  async #publish(change: (issued: Issued) => { issued: Issued; done: Revoked }): Promise<Published> {
    const { revocationFile: file } = this.#folder;
    return await locked(this.#folder, async () => {
      const before = await readIssued(this.#folder.issuedFile);
      const { issued, done } = change(withoutEnded(before, this.#clock.wall()));
      const nowSeconds = Math.floor(this.#clock.wall() / 1000);
      // From the wall clock: an authority that was restored from an old backup goes on above what relays have seen.
      const next = { ...issued, sequence: Math.max(before.sequence + 1, nowSeconds) };
      const list = signRevocationList(listOf(next, nowSeconds), this.#key.privateKey);
      // First what every later list is made from.
      await writeIssued(this.#folder.issuedFile, next);
      await writePrivateFile(file, list).catch((cause: unknown) => {
        throw new RelaydError('FILE_UNWRITABLE', `${file} cannot be written, so no relay knows of it yet; run the command again when it can be: ${errorMessage(cause)}`, { cause });
      });
      return { ...done, sequence: next.sequence, file };
    });
  }

  async #change(change: (issued: Issued) => Issued): Promise<void> {
    await locked(this.#folder, async () => {
      const before = withoutEnded(await readIssued(this.#folder.issuedFile), this.#clock.wall());
      await writeIssued(this.#folder.issuedFile, change(before));
    });
  }
}

/** @throws RelaydError REALM_EXISTS, FILE_UNREADABLE */
async function refuseSecond({ keyFile, issuedFile }: RealmFolder): Promise<void> {
  if (await isThere(keyFile)) throw realmExists(keyFile);
  // Left by an `init` that was killed, it has nothing in it; else the key of these tokens is lost.
  if (!(await isThere(issuedFile))) return;
  const { tokens, peers } = await readIssued(issuedFile);
  if (tokens.length + peers.length > 0) throw realmExists(issuedFile);
}

async function isThere(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw new RelaydError('FILE_UNREADABLE', `${file} cannot be looked at; it must be readable by the user that runs relayd`, { cause });
  }
}

/** @throws RelaydError BAD_REQUEST */
function checkRoom({ tokens, peers }: Issued, peer: string | undefined): void {
  if (tokens.length >= MAX_ISSUED) throw badRequest(`${tokens.length} tokens are out, and a realm has at most ${MAX_ISSUED}; tokens that live longer need fewer`);
  if (peers.some((revocation) => revocation.peer === peer)) throw badRequest(`${peer} is revoked: a token would make it no member; \`relayd realm revoke --undo ${peer}\` first`);
}

function isoOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
