import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { isCircuit } from '../lib/addresses.ts';
import { errorMessage } from '../lib/errors.ts';

/**
 * `/dnsaddr/NAME[/SUFFIX]` stands for the addresses in the TXT records of `_dnsaddr.NAME`, each `dnsaddr=/…`, that end in the suffix; one that
 * is a `/dnsaddr` itself is followed. Specification: multiaddr, "protocols/DNSADDR".
 */

/** Names below names: the public bootstrap list has one level. */
const MAX_DEPTH = 8;
/** Names looked up for one entry: whoever writes the records of a name can send us to any number of others. */
const MAX_NAMES = 32;
/** Addresses taken from one entry. */
const MAX_ADDRS = 64;
/** What a multiaddr of any use fits in. */
const MAX_RECORD_CHARS = 1024;

/** The TXT records of a DNS name, each in one piece. */
export type LookUpTxt = (name: string, signal: AbortSignal) => Promise<string[]>;

export interface Followed {
  /** Full addresses, none a circuit or a `/dnsaddr`. */
  readonly addrs: string[];
  /** Why the list may not be whole. */
  readonly problems: string[];
}

interface Step {
  readonly name: string;
  /** What the addresses must end in, such as `/p2p/…`; may be empty. */
  readonly suffix: string;
  readonly depth: number;
}

export function isDnsaddr(entry: string): boolean {
  return entry.startsWith('/dnsaddr/');
}

/** Looks up all that `entry` leads to. A name that cannot be looked up is a problem, not an error: the others count. */
export async function followDnsaddr(entry: string, lookUp: LookUpTxt, signal: AbortSignal): Promise<Followed> {
  const trail = new Trail(lookUp, signal);
  const first = stepOf(multiaddr(entry), 0);
  if (first !== undefined) await trail.follow(first);
  return { addrs: [...trail.addrs], problems: trail.problems };
}

/** One walk from an entry: no step is taken twice, whatever the records say. */
class Trail {
  readonly addrs = new Set<string>();
  readonly problems: string[] = [];
  readonly #lookUp: LookUpTxt;
  readonly #signal: AbortSignal;
  readonly #taken = new Set<string>();
  readonly #names = new Map<string, Promise<string[]>>();

  constructor(lookUp: LookUpTxt, signal: AbortSignal) {
    this.#lookUp = lookUp;
    this.#signal = signal;
  }

  async follow(step: Step): Promise<void> {
    const id = `${step.name}${step.suffix}`;
    if (this.#taken.has(id)) {
      return;
    }
    if (step.depth >= MAX_DEPTH || (this.#names.size >= MAX_NAMES && !this.#names.has(step.name))) {
      this.problems.push(`${step.name}: not followed, for there are too many names`);
      return;
    }
    this.#taken.add(id);
    const records = await this.#recordsOf(step.name);
    await Promise.all(records.map((record) => this.#take(record, step)));
  }

  async #recordsOf(name: string): Promise<string[]> {
    const asked = this.#names.get(name) ?? this.#lookUp(name, this.#signal);
    this.#names.set(name, asked);
    return asked.catch((error: unknown) => {
      this.problems.push(`${name}: ${errorMessage(error)}`);
      return [];
    });
  }

  async #take(record: string, { suffix, depth }: Step): Promise<void> {
    const addr = addressIn(record);
    if (addr === undefined || !addr.toString().endsWith(suffix)) {
      return;
    }
    const nested = stepOf(addr, depth + 1);
    if (nested !== undefined) {
      await this.follow(nested);
    } else if (addr.getComponents().at(-1)?.name === 'p2p' && !isCircuit(addr) && this.addrs.size < MAX_ADDRS) {
      this.addrs.add(addr.toString());
    }
  }
}

function addressIn(record: string): Multiaddr | undefined {
  const text = record.startsWith('dnsaddr=') && record.length <= MAX_RECORD_CHARS ? record.slice('dnsaddr='.length).trim() : '';
  try {
    return text === '' ? undefined : multiaddr(text);
  } catch {
    return undefined; // Of a protocol that this version does not know: others may.
  }
}

/** `undefined` for an address that is no `/dnsaddr`. */
function stepOf(addr: Multiaddr, depth: number): Step | undefined {
  const [first, ...rest] = addr.getComponents();
  if (first?.name !== 'dnsaddr' || first.value === undefined) {
    return undefined;
  }
  const suffix = rest.map(({ name, value }) => `/${name}${value === undefined ? '' : `/${value}`}`).join('');
  return { name: first.value.toLowerCase(), suffix, depth };
}
