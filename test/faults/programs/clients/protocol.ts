/** What the suite and a process full of clients say to each other, as JSON lines. Times are milliseconds of the machine's monotonic clock. */

export interface MakeOrder {
  count: number;
  /** The number of the first among the clients of all processes. */
  first: number;
  /** Where the clients keep their data, each in a folder called by its number. */
  dir: string;
  /** Of every client, over {@link MakeOrder.configs}' own. */
  config: Record<string, unknown>;
  /** Of one client each, when they differ. */
  configs?: Record<string, unknown>[];
}

export interface DialOrder {
  /** Which client of this process. */
  from: number;
  /** A peer id or a full address. */
  to: string;
  /** When. */
  atMs: number;
}

export interface Dialled {
  from: number;
  to: string;
  atMs: number;
  /** How much later than wanted it began: the process itself was busy. */
  lateMs: number;
  /** The dial and one round trip over what it gave. */
  tookMs: number;
  via: string | null;
  path: string | null;
  error?: string;
}

/** The relays of a client from then on: those whose circuit addresses it announces, or those that hold a reservation of it. */
export interface Relays {
  client: number;
  atMs: number;
  relays: string[];
}

/** How a process of the suite itself did. */
export interface Lag {
  p99Ms: number;
  maxMs: number;
  cpuSeconds: number;
  rssMiB: number;
}

export interface Snapshot {
  client: number;
  peerId: string;
  /** Relays that hold a reservation of it and answer. */
  held: string[];
  announced: string[];
  /** Relays that it could not use when it last tried. */
  away: string[];
}
