/** What the peers of `test/interop` answer. All of them give the common part; what only some give is optional. */

export interface Answers {
  reserve: {
    /** Full circuit addresses; go: the relay's addresses, as the reservation named them. */
    addrs: string[];
    /** go: 0 means none; rust: null means none; js does not tell before a connection. */
    limitDurationSeconds?: number | null;
    limitBytes?: number | null;
    /** Unix seconds. */
    expire?: number;
    voucher?: boolean;
    renewal?: boolean;
  };
  connect: {
    path: 'relay' | 'direct';
    /** Whether the relay put limits on the circuit; not told by rust. */
    limited?: boolean;
    /** js only. */
    limits?: { seconds: number | null; bytes: number | null } | null;
    ms: number;
  };
  disconnect: { closed?: number };
  connections: { connections: ConnectionLine[] };
  addrs: { addrs: string[] };
  ping: { rttMs: number[] };
  echo: { bytes: number; match: boolean; ms: number };
  send: { acknowledged: number; ms: number; mibPerSecond: number };
  /** go only. */
  protocols: { protocols: string[]; addrs: string[]; agentVersion: string };
  /** go only, in a DHT. */
  provide: { ms: number };
  providers: { providers: { peer: string; addrs: string[] }[]; ms: number };
  dhtPeers: { peers: string[] };
  /** go only, with AutoNAT. */
  reachability: { reachability: 'Public' | 'Private' | 'Unknown'; refused: boolean; ms: number };
}

interface ConnectionLine {
  peer: string;
  remote: string;
  direction: 'inbound' | 'outbound';
  /** go and js, and told by the side that was dialled: '/noise' or '/tls/1.0.0'. */
  security?: string;
}

export type Command = keyof Answers;

/** A command that did not succeed. `status` is the relay's, where the peer tells it apart from its own errors. */
export interface Failure {
  error: string;
  status?: number;
  fromRelay?: boolean;
  timeout?: boolean;
}
