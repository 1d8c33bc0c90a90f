import { TypedEventEmitter } from '@libp2p/interface';
import type { AbortOptions, Listener, ListenerEvents } from '@libp2p/interface';
import { getNetConfig, getThinWaistAddresses } from '@libp2p/utils';
import type { Multiaddr } from '@multiformats/multiaddr';
import { abortable } from '../../lib/deadline.ts';
import type { PortOptions, Role, TcpPort, TcpPorts } from './tcp-ports.ts';

export interface TcpListenerInit extends PortOptions {
  ports: TcpPorts;
  /** What an address is listened on for. */
  role: (addr: Multiaddr) => Promise<Role> | Role;
}

/** One listening address, on a port that it may share with others. */
export class TcpListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  readonly #o: TcpListenerInit;
  #at: { addr: Multiaddr; port: TcpPort; kind: Role['kind'] } | undefined;

  constructor(init: TcpListenerInit) {
    super();
    this.#o = init;
  }

  async listen(addr: Multiaddr): Promise<void> {
    const { host, port = 0, type } = getNetConfig(addr);
    const role = await this.#o.role(addr);
    this.#at = { addr, port: await this.#o.ports.join({ host, port, ipv6Only: type === 'ip6' }, role, this.#o), kind: role.kind };
    this.safeDispatchEvent('listening');
  }

  getAddrs(): Multiaddr[] {
    const { addr, port } = this.#at ?? {};
    if (addr === undefined || port?.number === undefined) {
      return [];
    }
    const suffix = behindPort(addr);
    return getThinWaistAddresses(addr, port.number).map((place) => (suffix === '' ? place : place.encapsulate(suffix)));
  }

  updateAnnounceAddrs(): void {
    // A TCP listener announces what it has.
  }

  async close({ signal }: AbortOptions = {}): Promise<void> {
    const at = this.#at;
    if (at === undefined) {
      return;
    }
    this.#at = undefined;
    const closed = at.port.remove(at.kind);
    await (signal === undefined ? closed : abortable(closed, signal));
    this.safeDispatchEvent('close');
  }
}

/** Such as `/tls/ws`. */
function behindPort(addr: Multiaddr): string {
  const parts = addr.getComponents();
  const behind = parts.slice(parts.findIndex(({ name }) => name === 'tcp') + 1);
  return behind.map(({ name }) => `/${name}`).join('');
}
