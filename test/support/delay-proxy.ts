import net from 'node:net';

/** A TCP proxy on loopback whose other side seems far away. */
export interface DelayProxy extends AsyncDisposable {
  readonly port: number;
}

/** Every piece of data, in either direction, arrives `delayMs` after it was sent, in order: a round trip takes twice that. Connecting takes no time. */
export async function delayProxy(targetPort: number, delayMs: number): Promise<DelayProxy> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((inside) => {
    const outside = net.connect(targetPort, '127.0.0.1');
    for (const [from, to] of [[inside, outside], [outside, inside]] as const) {
      sockets.add(from);
      from.setNoDelay();
      from.on('error', () => {});
      from.on('close', () => {
        sockets.delete(from);
        setTimeout(() => to.destroy(), delayMs).unref();
      });
      from.on('data', (data) => void setTimeout(() => to.write(data), delayMs));
      from.on('end', () => void setTimeout(() => to.end(), delayMs));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      sockets.forEach((socket) => socket.destroy());
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The address of what is behind the proxy, as reached through it. */
export function through(addr: string, { port }: DelayProxy): string {
  return addr.replace(/\/tcp\/\d+/, `/tcp/${port}`);
}
