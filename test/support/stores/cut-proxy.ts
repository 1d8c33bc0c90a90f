import net from 'node:net';

/** A TCP proxy on loopback that can fall silent, as where a cable is pulled: nothing is closed or reset, new connections get no answer; what was sent meanwhile arrives when it is healed. */
export class CutProxy {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  #isCut = false;

  static async start(targetPort: number): Promise<CutProxy> {
    const proxy = new CutProxy(targetPort);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  private constructor(targetPort: number) {
    this.#server = net.createServer({ pauseOnConnect: true }, (inside) => {
      const outside = net.connect(targetPort, '127.0.0.1');
      this.#carry(inside, outside);
      this.#carry(outside, inside);
    });
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  cut(): void {
    this.#isCut = true;
    this.delay();
  }

  /** What is on its way over the connections that are there waits until {@link heal}; new ones work. */
  delay(): void {
    this.#sockets.forEach((socket) => socket.pause());
  }

  heal(): void {
    this.#isCut = false;
    this.#sockets.forEach((socket) => socket.resume());
  }

  async stop(): Promise<void> {
    this.#sockets.forEach((socket) => socket.destroy());
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #carry(from: net.Socket, to: net.Socket): void {
    this.#sockets.add(from);
    from.setNoDelay();
    from.on('error', () => {});
    from.on('data', (data) => void to.write(data));
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroySoon();
    });
    if (this.#isCut) from.pause();
    else from.resume();
  }
}
