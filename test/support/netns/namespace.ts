import { run } from './commands.ts';
import { toolPath } from './why-not.ts';

/** Our table in the namespace: one for filters and address translation alike. */
const TABLE = 'inet lab';

/** The hooks where a filter looks: what passes through, what arrives, what leaves. */
const HOOKS = ['forward', 'input', 'output'] as const;

const TABLE_SCRIPT = [
  ...HOOKS.map((hook) => `add chain ${TABLE} ${hook} { type filter hook ${hook} priority 0; policy accept; }`),
  `add chain ${TABLE} postrouting { type nat hook postrouting priority 100; policy accept; }`,
];

/** One machine of the laboratory. Its devices are called after the machine at the other end of the cable. */
export class Namespace {
  readonly name: string;
  /** Its name for the system. */
  readonly id: string;

  /** The laboratory makes it: {@link Lab.host}. */
  constructor(name: string, id: string) {
    this.name = name;
    this.id = id;
    run('ip', ['netns', 'add', id]);
    this.ip('link', 'set', 'dev', 'lo', 'up');
    this.#nft([`add table ${TABLE}`, ...TABLE_SCRIPT]);
  }

  /** The command line that runs `argv` in here; a signal sent to it reaches the program itself. */
  command(argv: readonly string[]): [string, ...string[]] {
    return [toolPath('ip') ?? 'ip', 'netns', 'exec', this.id, ...argv];
  }

  /** Runs a short command in here. @throws Error with what it wrote to stderr. @returns its output */
  exec(tool: string, ...args: string[]): string {
    return run('ip', ['netns', 'exec', this.id, tool, ...args]);
  }

  ip(...args: string[]): string {
    return run('ip', ['-netns', this.id, ...args]);
  }

  defaultRoute(via: string): void {
    this.ip(...family(via), 'route', 'replace', 'default', 'via', via);
  }

  route(destination: string, via: string): void {
    this.ip(...family(destination), 'route', 'replace', destination, 'via', via);
  }

  /** Passes packets on, or silently no more: a cut that nobody is told of. */
  forwarding(on: boolean): void {
    this.exec('sysctl', '-qw', `net.ipv4.ip_forward=${Number(on)}`, `net.ipv6.conf.all.forwarding=${Number(on)}`);
  }

  /**
   * What goes out to `neighbour` bears this machine's address there; what comes from there unasked is dropped, as a home
   * router does. Linux keeps the source port where it is free, and filters by address and port.
   */
  masquerade(neighbour: Namespace): void {
    const device = neighbour.name;
    this.#nft([
      `add rule ${TABLE} postrouting oifname "${device}" masquerade`,
      `add rule ${TABLE} input iifname "${device}" ct state new drop`,
      `add rule ${TABLE} forward iifname "${device}" ct state new drop`,
    ]);
  }

  /**
   * Drops (in silence) or rejects (the sender is told) packets that match, wherever in this machine they are.
   *
   * @param match an nft expression, as `ip daddr 10.0.0.2 udp dport 4001`; empty for all
   * @returns undoes it
   */
  filter(match: string, verdict: 'drop' | 'reject'): () => void {
    const made = HOOKS.map((hook) => ({ hook, handle: this.#insert(hook, `${match} ${verdict}`) }));
    return () => this.#nft(made.map(({ hook, handle }) => `delete rule ${TABLE} ${hook} handle ${handle}`));
  }

  /** Bounds what leaves for `neighbour`. @param bitsPerSecond 0 lifts the bound */
  bandwidth(neighbour: Namespace, bitsPerSecond: number): void {
    const device = ['dev', neighbour.name, 'root'];
    if (bitsPerSecond === 0) {
      run('tc', ['-netns', this.id, 'qdisc', 'del', ...device]);
      return;
    }
    // A burst of 10 ms, but of two full packets at least; a queue of 100 ms, as routers have.
    const burstBytes = Math.max(3_100, Math.ceil(bitsPerSecond / 8 / 100));
    run('tc', ['-netns', this.id, 'qdisc', 'replace', ...device, 'tbf', 'rate', `${bitsPerSecond}bit`, 'burst', String(burstBytes), 'latency', '100ms']);
  }

  #insert(hook: string, rule: string): string {
    const echoed = this.exec('nft', '-ea', 'insert', 'rule', ...TABLE.split(' '), hook, ...rule.split(' ').filter(Boolean));
    const handle = /# handle (\d+)/.exec(echoed)?.[1];
    if (handle === undefined) throw new Error(`nft names no handle: ${echoed}`);
    return handle;
  }

  #nft(script: readonly string[]): void {
    run('ip', ['netns', 'exec', this.id, toolPath('nft') ?? 'nft', '-f', '-'], `${script.join('\n')}\n`);
  }
}

function family(address: string): string[] {
  return address.includes(':') ? ['-6'] : [];
}

/** Ends what still runs in the namespace of that name, and removes it; both may be gone already. */
export function removeNamespace(id: string): void {
  for (const pid of attempt(() => run('ip', ['netns', 'pids', id]).split('\n').filter(Boolean)) ?? []) {
    attempt(() => process.kill(Number(pid), 'SIGKILL'));
  }
  attempt(() => run('ip', ['netns', 'delete', id]));
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined; // A clean-up goes on.
  }
}
