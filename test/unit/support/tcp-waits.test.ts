import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { waitingPeers, waitingPorts } from '../../faults/support/cluster/tcp-waits.ts';

const PEERS = '45.3.0.2';
const RELAY = '45.1.2.2:4001';

/** One connection, as `ss -tinHO state established` writes it. */
const line = (local: string, peer: string, info: string): string => `0      1      ${local}      ${peer}      \t cubic wscale:10,10 rto:6528 ${info} lastsnd:236`;

describe('whose TCP waits to send again', () => {
  it('is read at either end, of connections with something unanswered that was sent again', () => {
    const text = [line(`${PEERS}:51582`, RELAY, 'backoff:5 unacked:1'), line(RELAY, `${PEERS}:51572`, 'backoff:1 unacked:2'), line(RELAY, `${PEERS}:51600`, 'unacked:1'), ''].join('\n');
    assert.deepEqual(waitingPorts(text, PEERS), ['51582', '51572']);
  });

  it('are neither readers without room nor other machines', () => {
    const text = [line(RELAY, `${PEERS}:51582`, 'backoff:3'), line(RELAY, '45.1.1.2:36294', 'backoff:4 unacked:1'), line('45.3.0.22:7', RELAY, 'backoff:4 unacked:1')].join('\n');
    assert.deepEqual(waitingPorts(text, PEERS), []);
  });

  it('are the peers that have no other connection to the relay', () => {
    const rows = [['a', 1], ['a', 2], ['b', 3], ['c', 4], ['d', 5]].map(([peer, port]) => ({ peer: String(peer), addr: `/ip4/${PEERS}/tcp/${port}/p2p/${peer}` }));
    assert.deepEqual([...waitingPeers(rows, PEERS, new Set(['1', '3', '5', '44']))], ['b', 'd']);
    assert.deepEqual([...waitingPeers(rows, PEERS, new Set(['1', '2']))], ['a']);
    assert.deepEqual([...waitingPeers(rows, '45.3.0.22', new Set(['3']))], []);
  });
});
