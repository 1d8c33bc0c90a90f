import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { describe, it } from 'node:test';
import { RedisRelay, redisConfig } from '../../../support/coordination/redis-rig.ts';

const RESP3 = '%1\r\n$5\r\nproto\r\n:3\r\n';
/** As far as the version is asked: what comes after it is refused with words that show how far a relay came. */
const FURTHER = '-ERR there is no more here\r\n';

/** What servers of a version that is not here would answer. */
const SERVERS: readonly { name: string; hello: string; info: string; problem: RegExp }[] = [
  { name: 'Redis 5', hello: '-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n', info: '', problem: /^Redis at HERE is older than Redis 6: Redis 6\.0 or later is needed$/ },
  { name: 'something that speaks RESP 3 and calls itself Redis 5', hello: RESP3, info: 'redis_version:5.0.14', problem: /^Redis 6\.0 or later is needed, and at HERE is 5\.0\.14$/ },
  { name: 'Redis 6', hello: RESP3, info: 'redis_version:6.0.20', problem: /there is no more here/ },
  { name: 'Valkey 8', hello: RESP3, info: 'redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.0', problem: /there is no more here/ },
  { name: 'KeyDB', hello: RESP3, info: 'redis_version:6.3.4', problem: /there is no more here/ },
  { name: 'a service that does not say what it is', hello: RESP3, info: 'role:master', problem: /there is no more here/ },
];

describe('the version of Redis', () => {
  for (const { name, hello, info, problem } of SERVERS) {
    it(`is judged before anything is asked of it: ${name}`, async () => {
      const sockets = new Set<Socket>();
      const server = createServer((socket) => {
        sockets.add(socket);
        socket.on('error', () => {});
        socket.on('data', (data) => void socket.write(answersTo(data.toString(), hello, info)));
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const here = `127.0.0.1:${(server.address() as AddressInfo).port}`;
      const relay = new RedisRelay(redisConfig({ url: `redis://${here}` }), 'a', 1);
      try {
        await relay.start();
        assert.match(relay.registry.problem?.replace(here, 'HERE') ?? '', problem);
      } finally {
        await relay.kill();
        sockets.forEach((socket) => socket.destroy());
        server.close();
      }
    });
  }
});

/** A command stands in a packet as an array: each begins with `*`. */
function answersTo(packet: string, hello: string, info: string): string {
  return packet
    .split(/^\*\d+\r\n/m)
    .slice(1)
    .map((command) => (/^\$5\r\nHELLO/i.test(command) ? hello : /^\$4\r\nINFO/i.test(command) ? `$${info.length}\r\n${info}\r\n` : FURTHER))
    .join('');
}
