import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RelayNode } from '../../src/index.ts';
import { createAuthority, openAuthority, readToken } from '../../src/realm/index.ts';
import type { Authority, IssueOptions } from '../../src/realm/index.ts';
import { until } from './waiting.ts';

const DAY_MS = 86_400_000;

/** A realm with a real authority in a folder of its own, as an operator's machine would have it. */
export class TestRealm {
  readonly authority: Authority;
  readonly #dir: string;
  #tokens = 0;

  static async create(name = 'home'): Promise<TestRealm> {
    const dir = await mkdtemp(join(tmpdir(), 'relayd-realm-'));
    return new TestRealm(dir, await createAuthority(dir, name));
  }

  private constructor(dir: string, authority: Authority) {
    this.#dir = dir;
    this.authority = authority;
  }

  /** Where the authority publishes what it takes back. */
  get revocationFile(): string {
    return join(this.#dir, 'realm', 'revocations');
  }

  /** The section `realm` of a relay that sees the authority's list. */
  get relayKeys(): Record<string, unknown> {
    return { ...this.memberKeys, revocationFile: this.revocationFile };
  }

  /** The section of a node that learns of revocations only from others. */
  get memberKeys(): Record<string, unknown> {
    return { name: this.authority.name, authority: this.authority.publicKey };
  }

  /** The wire form of a token for everything a relay does; `at`: the authority's clock is off by so many milliseconds. */
  async token(options: Partial<IssueOptions> = {}, at = 0): Promise<Uint8Array> {
    return readToken(await this.issue(options, at)).bytes;
  }

  async issue(options: Partial<IssueOptions> = {}, at = 0): Promise<string> {
    const authority = await openAuthority(this.#dir, { clock: { wall: () => Date.now() + at } });
    return (await authority.issue({ expiresMs: DAY_MS, uses: ['reserve', 'connect'], ...options })).token;
  }

  /** The section of a member that shows a new token, which is in a file. */
  async holderKeys(options: Partial<IssueOptions> = {}): Promise<Record<string, unknown>> {
    return { ...this.memberKeys, tokenFile: await this.tokenFile(await this.issue(options)) };
  }

  async tokenFile(token: string): Promise<string> {
    const file = join(this.#dir, `token-${++this.#tokens}`);
    await writeFile(file, token, { mode: 0o600 });
    return file;
  }

  /** @returns the sequence of the list that says so */
  async revoke(what: string): Promise<number> {
    return (await this.authority.revoke(what)).sequence;
  }

  revocations(): Promise<Uint8Array> {
    return readFile(this.revocationFile);
  }

  async remove(): Promise<void> {
    await rm(this.#dir, { recursive: true, force: true });
  }
}

/** The id of a token, by which it is revoked and shown. */
export function tokenId(token: Uint8Array | string): string {
  const text = typeof token === 'string' ? token : `relaytoken1.${Buffer.from(token).toString('base64url')}`;
  return readToken(text).id;
}

/** Waits until `node` goes by the list of this sequence. */
export async function untilInForce(node: RelayNode, sequence: number): Promise<void> {
  const seen = (): unknown => (node.view.status().realm as { sequence?: number } | undefined)?.sequence;
  await until(() => seen() === sequence, `revocation list ${sequence}`);
}
