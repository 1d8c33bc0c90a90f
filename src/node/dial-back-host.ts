import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Connection, PeerId } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import type { Multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import type { Libp2p } from 'libp2p';
import { errorMessage } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { DialBackHost } from '../reachability/index.ts';
import type { DataPath } from '../transport/index.ts';
import { libp2pLogger } from './libp2p-logger.ts';

/**
 * The node that clients are dialled back from: an identity of its own, made anew with each start of the program, no listener, no
 * protocol. The connections to clients are not among the relay's, whose limits and counts they leave alone.
 */
export class DialBackNode implements DialBackHost {
  readonly #libp2p: Libp2p;
  readonly #log: Logger;

  static async create(dataPath: DataPath, log: Logger): Promise<DialBackNode> {
    const libp2p = await createLibp2p({
      ...dataPath,
      start: false,
      privateKey: await generateKeyPair('Ed25519'),
      logger: libp2pLogger(log),
      connectionMonitor: { enabled: false },
      // Whoever asks for a dial has judged the address.
      connectionGater: { denyDialMultiaddr: () => false },
    });
    return new DialBackNode(libp2p, log);
  }

  private constructor(libp2p: Libp2p, log: Logger) {
    this.#libp2p = libp2p;
    this.#log = log;
  }

  async start(): Promise<void> {
    this.#libp2p.addEventListener('peer:disconnect', this.#onDisconnect);
    await this.#libp2p.start();
  }

  async stop(): Promise<void> {
    await this.#libp2p.stop();
    this.#libp2p.removeEventListener('peer:disconnect', this.#onDisconnect);
  }

  isDialable(addr: Multiaddr): Promise<boolean> {
    return this.#libp2p.isDialable(addr);
  }

  async dial(addr: Multiaddr, signal: AbortSignal): Promise<Connection> {
    try {
      return await this.#libp2p.dial(addr, { signal, force: true });
    } catch (error) {
      // libp2p notes failures too.
      const peer = addr.getComponents().find(({ name }) => name === 'p2p')?.value;
      if (peer !== undefined) this.#forget(peerIdFromString(peer));
      throw error;
    }
  }

  readonly #onDisconnect = (event: CustomEvent<PeerId>): void => this.#forget(event.detail);

  #forget(peer: PeerId): void {
    this.#libp2p.peerStore.delete(peer).catch((error: unknown) => this.#log.debug({ error: errorMessage(error) }, 'a peer could not be forgotten'));
  }
}
