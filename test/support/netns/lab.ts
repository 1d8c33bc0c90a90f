import { existsSync } from 'node:fs';
import { run } from './commands.ts';
import { Namespace, removeNamespace } from './namespace.ts';

/** Every namespace of ours is called `relayd-lab-<pid>-<lab>-<name>`. */
const PREFIX = 'relayd-lab';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const open = new Set<Lab>();
let made = 0;

/**
 * Machines and cables of network namespaces. Nothing of it touches the machine's own network, and all of it goes with
 * {@link Lab.close}, with the end of this process, and (where that was killed) with the next laboratory of any process.
 *
 * A network with one client behind a router that translates addresses:
 *
 *   const lab = new Lab();
 *   const [net, relay, nat, client] = [lab.router('net'), lab.host('relay'), lab.router('nat'), lab.host('client')];
 *   lab.cable(net, '45.0.1.1', relay, '45.0.1.2');
 *   lab.cable(net, '45.0.2.1', nat, '45.0.2.2');
 *   lab.cable(nat, '10.0.0.1', client, '10.0.0.2');
 *   [relay, nat].forEach(…defaultRoute…); client.defaultRoute('10.0.0.1');
 *   nat.masquerade(net);
 *   spawn(...client.command(['node', …]));
 */
export class Lab {
  readonly #id: string;
  readonly #namespaces = new Map<string, Namespace>();

  constructor() {
    removeOrphans();
    this.#id = `${PREFIX}-${process.pid}-${++made}`;
    if (open.size === 0) watchEnd();
    open.add(this);
  }

  /** A machine. @param name at most 15 letters: devices are called after it */
  host(name: string): Namespace {
    if (name.length > 15 || this.#namespaces.has(name)) throw new Error(`${name}: not a name for one more machine`);
    const namespace = new Namespace(name, `${this.#id}-${name}`);
    this.#namespaces.set(name, namespace);
    return namespace;
  }

  /** A machine that passes packets on. */
  router(name: string): Namespace {
    const router = this.host(name);
    router.forwarding(true);
    return router;
  }

  /** Connects two machines by a cable of their own, a /24 or a /64. */
  cable(a: Namespace, addressA: string, b: Namespace, addressB: string): void {
    run('ip', ['link', 'add', 'name', b.name, 'netns', a.id, 'type', 'veth', 'peer', 'name', a.name, 'netns', b.id]);
    for (const [namespace, address, device] of [[a, addressA, b.name], [b, addressB, a.name]] as const) {
      this.address(namespace, address, device);
      namespace.ip('link', 'set', 'dev', device, 'up');
    }
  }

  /** One more address on a cable's end. */
  address(namespace: Namespace, address: string, device: string): void {
    // Without `nodad` an IPv6 address cannot be used for a second or two.
    const net = address.includes(':') ? [`${address}/64`, 'nodad'] : [`${address}/24`];
    namespace.ip('address', 'add', ...net.slice(0, 1), 'dev', device, ...net.slice(1));
  }

  /** Removes everything, and kills what still runs in it. May be called again. */
  close(): void {
    this.#namespaces.forEach((namespace) => removeNamespace(namespace.id));
    this.#namespaces.clear();
    open.delete(this);
    if (open.size === 0) unwatchEnd();
  }
}

function closeAll(): void {
  open.forEach((lab) => lab.close());
}

function onSignal(signal: NodeJS.Signals): void {
  closeAll();
  // Without our listener, which is gone with the last laboratory, it ends the process as it would have.
  process.kill(process.pid, signal);
}

function watchEnd(): void {
  process.once('exit', closeAll);
  SIGNALS.forEach((signal) => process.once(signal, onSignal));
}

function unwatchEnd(): void {
  process.off('exit', closeAll);
  SIGNALS.forEach((signal) => process.off(signal, onSignal));
}

/** What laboratories of processes that were killed have left behind. */
function removeOrphans(): void {
  const names = run('ip', ['netns', 'list']).split('\n').map((line) => line.split(' ')[0] ?? '');
  for (const name of names) {
    const pid = new RegExp(`^${PREFIX}-(\\d+)-`).exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) removeNamespace(name);
  }
}
