import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { localPort } from '../../../../src/cli/invitation/local-port.ts';

const PEER = 'somebody';

describe('the port at which a guest finds a service', () => {
  it("is the service's own where it is free, and another where it is not", async (t) => {
    const server = createServer().listen(0, '127.0.0.1');
    t.after(() => server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const taken = await localPort({ name: 'x', peer: PEER, port });
    assert.equal(taken.host, '127.0.0.1');
    assert.ok(taken.port > 0 && taken.port !== port);
    server.close();
    await once(server, 'close');
    assert.deepEqual(await localPort({ name: 'x', peer: PEER, port }), { host: '127.0.0.1', port });
  });

  it('needs no root', async () => {
    for (const service of [{ name: 'ssh', port: 22 }, { name: 'ssh', port: 40_022 }, { name: 'web', port: 80 }, { name: 'x', port: 7 }, { name: 'x' }]) {
      assert.ok((await localPort({ ...service, peer: PEER })).port >= 1024, JSON.stringify(service));
    }
  });
});
