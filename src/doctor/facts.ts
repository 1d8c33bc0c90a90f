import type { RelaydConfig } from '../config/domain.ts';
import type { CandidateRow, ClusterView, NodeState, OutsideRow, RehearsalResult, RelayCounts } from '../lib/contracts.ts';
import type { Resources } from '../lib/resources.ts';
import type { Series } from './series.ts';

/** All that the checks look at, gathered before: a check asks nobody and reads nothing. */
export interface Facts {
  readonly config: RelaydConfig;
  readonly daemon: DaemonFacts;
  /** Of the daemon where one runs, else of the process that checks. */
  readonly resources: Resources;
  readonly nodeVersion: string;
  /** `undefined` where the daemon may be on another machine. */
  readonly files: FileFacts | undefined;
  readonly network: NetworkFacts;
  readonly prometheus: PrometheusFacts | undefined;
  readonly rehearsal: RehearsalResult | { readonly error: string } | undefined;
  readonly nowMs: number;
}

export type DaemonFacts =
  | { readonly state: 'not asked' | 'none' }
  | { readonly state: 'unreachable'; readonly reason: string }
  | ({ readonly state: 'running' } & RunningFacts);

export interface RunningFacts {
  readonly url: string;
  readonly status: StatusFacts;
  /** Of the readiness check. */
  readonly problems: readonly string[];
  readonly series: readonly Series[];
  readonly relays: readonly CandidateRow[];
  /** `undefined` where it is in none. */
  readonly cluster: ClusterView | undefined;
}

/** What `GET /api/v1/status` answers, as far as it is looked at. */
export interface StatusFacts {
  readonly peerId: string;
  readonly profile: string;
  readonly role: string;
  readonly state: NodeState;
  readonly uptimeSeconds: number;
  readonly addrs: readonly string[];
  readonly relay?: RelayCounts & { readonly classes: Record<'public' | 'member', RelayCounts> };
  readonly client?: { readonly desired: number; readonly held: number; readonly reachability?: string };
  readonly process: Resources & { readonly pid: number; readonly node: string; readonly eventLoopDelayMs: { readonly p99: number } };
  readonly metrics?: { readonly lastScrapeSecondsAgo: number | null };
}

export interface FileFacts {
  readonly key: KeyFacts;
  /** The record of the last `relayd key backup`. */
  readonly backup: BackupRecord | undefined;
  readonly dataDir: DataDirFacts;
  /** This node's membership token. */
  readonly token: TokenFacts | undefined;
  /** The realm's own key lies in the data directory. */
  readonly hasAuthorityKey: boolean;
  readonly certificate: CertificateFacts | undefined;
}

export type KeyFacts = { readonly state: 'missing' } | { readonly state: 'bad'; readonly problem: string } | { readonly state: 'good'; readonly peerId: string };

export interface BackupRecord {
  readonly peerId: string;
  /** ISO 8601. */
  readonly at: string;
  readonly file: string;
}

export interface DataDirFacts {
  readonly path: string;
  readonly exists: boolean;
  /** Why this user cannot write there. */
  readonly unwritable: string | undefined;
  /** Permission bits. */
  readonly mode: number | undefined;
  /** Of the nearest folder that is there. */
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** What it goes away with. */
  readonly lasts: 'always' | 'until restart' | 'as long as the container';
}

export type TokenFacts = { readonly problem: string } | ReadableToken;

export interface ReadableToken {
  readonly problem: undefined;
  readonly realm: string;
  /** Whom it is for; `undefined`: whoever has it. */
  readonly peer: string | undefined;
  readonly expiresAtMs: number;
  readonly notBeforeMs: number;
}

export type CertificateFacts = { readonly file: string; readonly problem: string } | { readonly file: string; readonly problem: undefined; readonly expiresAtMs: number };

export interface NetworkFacts {
  /** Why it could not listen, or what was asked could not be asked. */
  readonly problem: { readonly code: string; readonly message: string } | undefined;
  /** The addresses of this machine's devices, without loopback. */
  readonly ownIps: readonly string[];
  /** Whom to ask, from the options and the config. */
  readonly asked: readonly string[];
  /** `undefined` where nobody was asked. */
  readonly rows: readonly OutsideRow[] | undefined;
}

export interface PrometheusFacts {
  readonly url: string;
  readonly error: string | undefined;
  /** The names of its alert rules. */
  readonly alerts: readonly string[];
  /** Relays that it scrapes. */
  readonly relays: number;
  /** Of the relays of a cluster that it scrapes: how many the one sees that sees the fewest. */
  readonly fewestSeen: number | undefined;
  /** How far its clock is ahead of ours. */
  readonly clockAheadMs: number | undefined;
}

/** Errors of a node that cannot listen where its config says. */
export const LISTEN_CODES: ReadonlySet<string> = new Set(['ADDRESS_IN_USE', 'ADDRESS_UNAVAILABLE', 'START_FAILED']);

/** Facts of a daemon that runs. */
export function running({ daemon }: Facts): RunningFacts | undefined {
  return daemon.state === 'running' ? daemon : undefined;
}

/** Whether it relays for others. */
export function isRelay({ config }: Facts): boolean {
  return config.role !== 'client';
}
