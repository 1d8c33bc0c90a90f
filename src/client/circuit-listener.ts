import type { Listener, ListenerEvents } from '@libp2p/interface';
import { TypedEventEmitter } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';

/**
 * The circuit addresses as a transport's listener, which is how libp2p learns of addresses that come and go: what
 * `getAddrs` returns is announced, and a 'listening' event makes libp2p write the node's own record anew, which
 * identify then pushes. It binds nothing; circuits arrive over STOP.
 */
export class CircuitListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  readonly #addrs: () => readonly Multiaddr[];
  readonly #onClose: () => void;

  constructor(addrs: () => readonly Multiaddr[], onClose: () => void) {
    super();
    this.#addrs = addrs;
    this.#onClose = onClose;
  }

  async listen(): Promise<void> {
    this.changed();
  }

  changed(): void {
    this.safeDispatchEvent('listening');
  }

  getAddrs(): Multiaddr[] {
    return [...this.#addrs()];
  }

  /**
   * libp2p calls this with the configured announce addresses before it uses them in place of the listeners' own: ours are
   * added to the list, else `network.announce` would hide every circuit address.
   */
  updateAnnounceAddrs(addrs: Multiaddr[]): void {
    for (const addr of this.#addrs()) {
      if (!addrs.some((known) => known.equals(addr))) {
        addrs.push(addr);
      }
    }
  }

  async close(): Promise<void> {
    this.#onClose();
    queueMicrotask(() => this.safeDispatchEvent('close'));
  }
}
