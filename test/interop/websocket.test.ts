import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { WebAuthority, writeCertificate } from '../support/certificate.ts';
import { freePort } from '../unit/transport/websocket-rig.ts';
import type { PeerProcess } from './support/peer-process.ts';
import { missing, startPeer } from './support/peers.ts';
import { UNLIMITED } from './support/relay-daemon.ts';
import { peerReaches } from './support/relayed.ts';
import { Scene } from './support/scene.ts';

/** Other implementations at our relay over WebSocket, plain and over TLS, on the port of its TCP. */

const authority = new WebAuthority();

for (const [kind, security] of [['/ws', 'noise'], ['/tls/ws', 'tls']] as const) {
  describe(`go-libp2p at our relay over ${kind}`, { skip: missing('go') }, () => {
    test(`a go peer is reached by another one, over ${security}`, { timeout: 60_000 }, async (context) => {
      const dir = await mkdtemp(join(tmpdir(), 'relayd-interop-ws-'));
      context.after(() => rm(dir, { recursive: true, force: true }));
      const scene = new Scene(context);
      const port = await freePort();
      const listen = ['', kind].map((suffix) => `/ip4/127.0.0.1/tcp/${port}${suffix}`);
      const relay = await scene.relay({ limits: UNLIMITED, listen, ...(kind === '/ws' ? {} : { websocket: writeCertificate(dir, authority.issue()) }) });
      const caFile = join(dir, 'ca.pem');
      await writeFile(caFile, authority.cert);
      // Go takes the authorities of the system from here.
      const peer = (): Promise<PeerProcess> => scene.own(startPeer('go', { security, at: { command: (argv) => ['env', `SSL_CERT_FILE=${caFile}`, ...argv] } }));
      const [target, caller] = await Promise.all([peer(), peer()]);
      const relayAddr = `${listen[1]}/p2p/${relay.peerId}`;
      await target.run('reserve', { relay: relayAddr });
      const { connections } = await target.run('connections');
      const used = connections.find((connection) => connection.peer === relay.peerId);
      assert.equal(used?.security, { noise: '/noise', tls: '/tls/1.0.0' }[security]);
      await peerReaches(caller, target.peerId, `${relayAddr}/p2p-circuit/p2p/${target.peerId}`);
      const [row] = await relay.reservations();
      assert.match(row?.addr ?? '', new RegExp(`/tcp/\\d+${kind}/p2p/`));
    });
  });
}
