import type { Clock } from '../lib/clock.ts';
import { withDeadline } from '../lib/deadline.ts';
import { errorMessage } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { MessageWriter, bytesOf, malformed, numberOf, readFields, textOf } from '../lib/protobuf.ts';
import { TokenBuckets } from '../lib/token-bucket.ts';
import type { SharedRevocations } from './backend.ts';
import { LINK_KINDS, MAX_LINK_FRAME_BYTES } from './links.ts';
import type { Links } from './links.ts';
import type { RealmNews } from './revocation-news.ts';

export interface RevocationLinksOptions {
  readonly links: Pick<Links, 'members' | 'onChange' | 'ask' | 'answer'>;
  readonly realm: Pick<RealmNews, 'current' | 'onChange'>;
  /** Takes a list for its signature. */
  readonly heard: (list: SharedRevocations) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A list is some kilobytes; who has not taken it by then hears of it from the store, or when its link is back. */
const TELL_MS = 2_000;

/** Checking a list costs a signature: what one relay tells more often than this is left to the store. */
const HEARD = { count: 30, perMs: 60_000 };

/** What frames and fields take beside the list. */
const OVERHEAD_BYTES = 1024;

/**
 * Tells the realm's list to every linked relay at once, beside the store: a revocation does not wait for a store that is away. Nobody is believed for it, only
 * the authority's signature.
 */
export class RevocationLinks {
  readonly #o: RevocationLinksOptions;
  readonly #heard: TokenBuckets;
  #undo: (() => void)[] = [];
  #stopped = new AbortController();

  constructor(options: RevocationLinksOptions) {
    this.#o = options;
    this.#heard = new TokenBuckets(HEARD, options.clock);
  }

  start(): void {
    const { links, realm } = this.#o;
    this.#stopped = new AbortController();
    this.#undo = [
      links.answer(LINK_KINDS.revocations, (from, message) => this.#answer(from, message)),
      links.onChange((relay, isMember) => void (isMember && this.#tell(relay))),
      realm.onChange(() => links.members().forEach((relay) => void this.#tell(relay))),
    ];
    links.members().forEach((relay) => void this.#tell(relay));
  }

  stop(): void {
    this.#undo.forEach((undo) => undo());
    this.#stopped.abort(new Error('this relay stops'));
  }

  #answer(from: string, message: Uint8Array): Uint8Array {
    const list = decodeList(message);
    if (this.#heard.tryTake(from)) {
      this.#o.heard(list);
      const own = this.#o.realm.current();
      if (own !== undefined && own.authority === list.authority && own.sequence > list.sequence) void this.#tell(from);
    }
    return new Uint8Array();
  }

  async #tell(relay: string): Promise<void> {
    const { links, realm, clock, log } = this.#o;
    const list = realm.current();
    if (list === undefined || list.list.byteLength + OVERHEAD_BYTES > MAX_LINK_FRAME_BYTES) return;
    try {
      await withDeadline(TELL_MS, clock, [this.#stopped.signal], (signal) => links.ask(relay, LINK_KINDS.revocations, encodeList(list), signal));
    } catch (error) {
      log.debug({ relay, error: errorMessage(error) }, 'a relay could not be told of the revocation list over its link');
    }
  }
}

export function encodeList({ authority, sequence, list }: SharedRevocations): Uint8Array {
  return new MessageWriter().text(1, authority).varint(2, sequence).bytes(3, list).finish();
}

/** @throws RelaydError MALFORMED_MESSAGE */
export function decodeList(message: Uint8Array): SharedRevocations {
  const found: { authority?: string; sequence?: number; list?: Uint8Array } = {};
  for (const field of readFields(message)) {
    if (field.number === 1) found.authority = textOf(field);
    else if (field.number === 2) found.sequence = numberOf(field);
    else if (field.number === 3) found.list = bytesOf(field);
  }
  const { authority, sequence, list } = found;
  if (authority === undefined || sequence === undefined || list === undefined) throw malformed('a revocation list without its authority, number or content');
  return { authority, sequence, list };
}
