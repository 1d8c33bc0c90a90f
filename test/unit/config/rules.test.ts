import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { WebAuthority, writeCertificate } from '../../support/certificate.ts';
import { errorsOf, fileErrors, fileIn, folder, load, PEERS } from './helpers.ts';

describe('numbers that must be in order', () => {
  it('are errors where a person wrote the one at fault', (t) => {
    assert.deepEqual(fileErrors(t, 'connections: {low: 300}'), ['F:1:20: connections.low: 300 is more than connections.high, which is 192 (default); at most 192, or raise connections.high']);
    assert.deepEqual(fileErrors(t, 'connections: {low: 90, high: 80}'), ['F:1:20: connections.low: 90 is more than connections.high, which is 80 (F:1); at most 80, or raise connections.high']);
    assert.deepEqual(fileErrors(t, 'connections: {high: 5000}'), ['F:1:21: connections.high: 5000 is more than connections.max, which is 4096 (default); at most 4096, or raise connections.max']);
    assert.deepEqual(fileErrors(t, 'client:\n  probe: {interval: 1s, timeout: 2s}'), ['F:2:34: client.probe.timeout: 2s is more than client.probe.interval, which is 1s (F:2); at most 1s, or raise client.probe.interval']);
  });

  it('are errors of the flag that contradicts the file', (t) => {
    assert.deepEqual(fileErrors(t, 'connections: {high: 100, low: 50}', { set: ['connections.max=60'] }), ['--set: connections.max: 60 is less than connections.high, which is 100 (F:1); at least 100, or lower connections.high']);
  });

  it('follow when only presets are in the way', () => {
    const { connections, client } = load({ set: ['connections.max=10', 'client.probe.interval=1s'], profile: 'tier2' }).config;
    assert.deepEqual([connections.low, connections.high, connections.max, client.probe.timeoutMs], [10, 10, 10, 1000]);
  });

  it('are not compared when one of them is wrong by itself', (t) => {
    assert.deepEqual(fileErrors(t, 'connections: {low: x, high: 5000, max: 6000}').length, 1);
  });
});

describe('limits that do not bind', () => {
  it('are no errors: a pool may be smaller than the share of one prefix', () => {
    assert.deepEqual(errorsOf({ set: ['relay.limits.reservations.max=1', 'relay.limits.reservations.perPrefix=8', 'relay.limits.circuits.max=0'] }), []);
  });
});

describe('memory', () => {
  it('must hold one circuit at least', (t) => {
    assert.deepEqual(fileErrors(t, 'relay: {limits: {memory: {perDirection: 1GiB}}}'), [
      'F:1:41: relay.limits.memory.perDirection: one circuit, which has two directions, does not fit in relay.limits.memory.total, which is 512MiB (default); at most half of it, or raise relay.limits.memory.total',
    ]);
    assert.deepEqual(fileErrors(t, 'relay: {memberLimits: {memory: {total: 1MiB}}}', { set: ['relay.memberLimits.memory.perDirection=1MiB'] }), [
      '--set: relay.memberLimits.memory.perDirection: one circuit, which has two directions, does not fit in relay.memberLimits.memory.total, which is 1MiB (F:1); at most half of it, or raise relay.memberLimits.memory.total',
    ]);
    assert.deepEqual(fileErrors(t, 'relay: {limits: {memory: {perDirection: 1MiB}}}', { set: ['relay.limits.memory.total=1MiB'] }), [
      '--set: relay.limits.memory.total: one circuit, of two directions of 1MiB (relay.limits.memory.perDirection), does not fit; at least 2MiB',
    ]);
  });
});

describe('the admin server', () => {
  it('needs a token where other machines can reach it', (t) => {
    for (const listen of ['0.0.0.0:9641', '10.0.0.1:9641', '[::]:9641']) {
      assert.deepEqual(fileErrors(t, `admin: {listen: "${listen}"}`), ['F:1:17: admin.listen: other machines can reach this address, and there is no token; set admin.tokenFile, or listen on 127.0.0.1 or unix:/path']);
    }
  });

  it('needs none on loopback or a unix socket', () => {
    for (const listen of ['127.0.0.1:0', '127.1.2.3:9641', '"[::1]:9641"', 'localhost:9641', 'unix:/run/relayd/admin.sock']) {
      assert.deepEqual(errorsOf({ set: [`admin.listen=${listen}`] }), []);
    }
  });
});

describe('tunnels', () => {
  it('have names of their own', (t) => {
    assert.deepEqual(fileErrors(t, 'tunnels:\n  expose:\n    - {name: ssh, to: a:22}\n    - {name: web, to: a:80}\n    - {to: b:22, name: ssh}\n'), ['F:5:24: tunnels.expose[2].name: ssh is the name of tunnels.expose[0] too; a name of its own']);
  });

  it('may reach one service of a peer through two ports', () => {
    assert.deepEqual(errorsOf({ set: [`tunnels.forward=[{listen: "127.0.0.1:1000", peer: ${PEERS[0]}, name: a}, {listen: "127.0.0.1:1001", peer: ${PEERS[0]}, name: a}]`] }), []);
  });
});

const forward = (...at: string[]): string => `tunnels:\n  forward:\n${at.map((listen) => `    - {listen: "${listen}", peer: ${PEERS[0]}, name: a}\n`).join('')}`;

describe('listeners', () => {
  it('cannot share a port', (t) => {
    assert.deepEqual(fileErrors(t, forward('127.0.0.1:1000', '127.0.0.1:1000')), ['F:4:16: tunnels.forward[1].listen: port 1000 is taken by tunnels.forward[0].listen; a port of its own, or 0 for a free one']);
    assert.deepEqual(fileErrors(t, forward('127.0.0.1:1000', '0.0.0.0:1000')).length, 1);
    assert.deepEqual(fileErrors(t, forward('127.0.0.1:1000', 'localhost:1000')).length, 1);
    assert.deepEqual(fileErrors(t, forward('127.0.0.1:9641')), ['F:3:16: tunnels.forward[0].listen: port 9641 is taken by admin.listen; a port of its own, or 0 for a free one']);
    assert.deepEqual(fileErrors(t, forward('127.0.0.1:4001')), ['F:3:16: tunnels.forward[0].listen: port 4001 is taken by network.listen[0]; a port of its own, or 0 for a free one']);
  });

  it('may share it on addresses of their own, and 0', (t) => {
    assert.deepEqual(fileErrors(t, forward('127.0.0.1:1000', '127.0.0.2:1000', '[::1]:1000', '127.0.0.1:0', '127.0.0.1:0')), []);
  });

  it('share a port number between TCP and QUIC, and between the address families', (t) => {
    const listen = (...addrs: string[]): string[] => fileErrors(t, `network: {listen: [${addrs.join(', ')}]}\n`);
    const [tcp, quic4, quic6] = ['/ip4/0.0.0.0/tcp/4001', '/ip4/0.0.0.0/udp/4001/quic-v1', '/ip6/::/udp/4001/quic-v1'] as const;
    assert.deepEqual(listen(tcp, quic4, quic6), []);
    assert.deepEqual(listen(quic4, '/ip4/127.0.0.1/udp/4001/quic-v1'), ['F:1:51: network.listen[1]: port 4001 is taken by network.listen[0]; a port of its own, or 0 for a free one']);
  });

  it('share a port of one address between TCP and WebSocket, each once', (t) => {
    const listen = (addrs: string[], more = ''): string[] => fileErrors(t, `network: {listen: [${addrs.join(', ')}]${more}}\n`).map((line) => line.replace(/^F:[\d:]+ /, ''));
    const [tcp, ws] = ['/ip4/0.0.0.0/tcp/443', '/ip4/0.0.0.0/tcp/443/ws'] as const;
    assert.deepEqual(listen([tcp, ws, '/ip6/::/tcp/443', '/ip6/::/tcp/443/ws']), []);
    const taken = (by: number, index: number): string => `network.listen[${index}]: port 443 is taken by network.listen[${by}]; a port of its own, or 0 for a free one`;
    assert.deepEqual(listen([tcp, ws, ws]), [taken(1, 2)]);
    assert.deepEqual(listen([tcp, '/ip4/127.0.0.1/tcp/443/ws']), [taken(0, 1)]);
    assert.deepEqual(listen([ws, '/ip4/0.0.0.0/udp/443/quic-v1']), []);
    assert.deepEqual(listen([tcp, ws], ', dataPath: stock'), ['network.listen[1]: port 443 cannot serve TCP and WebSocket both with network.dataPath: stock; a port of its own']);
    assert.deepEqual(listen([tcp, '/ip4/0.0.0.0/tcp/80/ws'], ', dataPath: stock'), []);
    const swarm = fileIn(folder(t), 'swarm.key', `/key/swarm/psk/1.0.0/\n/base16/\n${'ab'.repeat(32)}\n`);
    assert.deepEqual(listen([tcp, ws], `, swarmKeyFile: ${swarm}`), ['network.listen[1]: port 443 cannot serve TCP and WebSocket both in a private network (network.swarmKeyFile), where first bytes are random; a port of its own']);
    assert.deepEqual(listen([tcp, '/ip4/0.0.0.0/tcp/80/ws'], `, swarmKeyFile: ${swarm}`), []);
  });

  it('for WebSocket over TLS need a certificate, and a certificate its key', (t) => {
    const wss = '/ip4/0.0.0.0/tcp/443/tls/ws';
    assert.deepEqual(fileErrors(t, `network: {listen: [${wss}]}\n`), ['F:1:20: network.listen[0]: there is no certificate for it; set network.websocket.certFile and network.websocket.keyFile, or listen on /ws behind a proxy that ends TLS']);
    const { certFile, keyFile } = writeCertificate(folder(t), new WebAuthority().issue());
    assert.deepEqual(fileErrors(t, `network: {listen: [${wss}], websocket: {certFile: ${certFile}, keyFile: ${keyFile}}}\n`), []);
    assert.deepEqual(fileErrors(t, `network: {websocket: {certFile: ${certFile}}}\n`).map((line) => line.replace(/^F:[\d:]+ /, '')), ['network.websocket.certFile: network.websocket.keyFile is not set; both or none']);
  });
});

describe('a private network', () => {
  it('cannot run over QUIC', (t) => {
    const quic = '/ip4/203.0.113.7/udp/4001/quic-v1';
    const text = `network: {swarmKeyFile: swarm.key, listen: [/ip4/0.0.0.0/tcp/4001, /ip4/0.0.0.0/udp/4001/quic-v1]}\ndiscovery: {bootstrap: [${quic}/p2p/${PEERS[0]}]}\n`;
    const aboutQuic = (file: string): string[] => fileErrors(t, file).filter((line) => line.includes('QUIC'));
    assert.deepEqual(aboutQuic(text), [
      'F:1:68: network.listen[1]: a private network (network.swarmKeyFile) cannot run over QUIC; an address over TCP',
      'F:2:25: discovery.bootstrap[0]: a private network (network.swarmKeyFile) cannot run over QUIC; an address over TCP',
    ]);
    assert.deepEqual(aboutQuic(text.replace('swarmKeyFile: swarm.key, ', '')), []);
  });
});
