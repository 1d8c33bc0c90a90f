/** What the page uses of `/api/v1/status`; a limit that is off is null, and what the role has not is left out. */
export interface Status {
  readonly peerId: string;
  readonly version: string;
  readonly profile: string;
  readonly role: string;
  readonly state: string;
  readonly uptimeSeconds: number;
  readonly addrs: readonly string[];
  readonly connections: { readonly open: number; readonly max: number | null };
  readonly relay?: {
    readonly reservations: { readonly count: number; readonly max: number | null };
    readonly circuits: { readonly count: number; readonly max: number | null };
    readonly bytesRelayed: number;
    readonly leaving: number;
  };
  readonly client?: { readonly desired: number; readonly held: number; readonly circuitAddrs: readonly string[]; readonly reachability?: string };
  /** Of a relay that belongs to a cluster. */
  readonly cluster?: { readonly cluster: string; readonly backend: string; readonly problem: string | null; readonly relays: number };
  readonly tunnels?: readonly unknown[];
  readonly process: { readonly rssBytes: number; readonly eventLoopDelayMs: { readonly p99: number; readonly max: number } };
}
