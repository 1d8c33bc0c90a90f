import type { DialTransportOptions, Transport } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Libp2pOptions } from 'libp2p';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { ipOf, parseIp } from '../lib/addresses.ts';

type Components = Parameters<NonNullable<Libp2pOptions['transports']>[number]>[0];

/** Another program may take a port between our finding it free and our using it; hardly twice. */
const ATTEMPTS = 3;

/**
 * The connections of this node to itself, known by the port that they come from: the limits per address are for others. A readiness
 * check must not fail because everybody comes from this machine's address (a proxy in front), nor use up what they may have.
 */
export class OwnDials {
  readonly #ports = new Set<number>();

  /**
   * `dataPath` with transports whose dials are recognised until the connection stands. The port reaches net.connect through the options of a dial, as
   * the library's TCP passes them on; from one that does not, a connection is a stranger's.
   */
  recognised(dataPath: Libp2pOptions): Libp2pOptions {
    const transports = (dataPath.transports ?? []).map((make) => (components: Components): Transport => {
      const transport = make(components);
      const dial = transport.dial.bind(transport);
      transport.dial = (addr, options) => this.#fromOwnPort((localPort) => dial(addr, { ...options, localPort } as DialTransportOptions));
      return transport;
    });
    return { ...dataPath, transports };
  }

  async #fromOwnPort<T>(dial: (localPort: number) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const port = await freePort();
      this.#ports.add(port);
      try {
        return await dial(port);
      } catch (error) {
        if (attempt === ATTEMPTS || !/EADDRINUSE/.test(String(error))) throw error;
      } finally {
        this.#ports.delete(port);
      }
    }
  }

  /** True for the address of such a connection, as its accepting side sees it. */
  includes(remote: Multiaddr): boolean {
    const port = Number(remote.getComponents().find(({ name }) => name === 'tcp')?.value);
    return this.#ports.has(port) && isOfThisMachine(remote);
  }
}

function isOfThisMachine(addr: Multiaddr): boolean {
  const ip = ipOf(addr)?.toString();
  const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return own.some(({ address }) => parseIp(address)?.toString() === ip);
}

/** A listener that is closed again at once leaves its port free, and the system does not soon give it to another. */
async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
