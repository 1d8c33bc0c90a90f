import assert from 'node:assert/strict';
import { before, beforeEach, describe, it } from 'node:test';
import type { PeerId } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { ManualClock } from '../../../src/lib/clock.ts';
import { AutonatAdmission } from '../../../src/reachability/autonat-admission.ts';
import { makePeerIds } from '../../support/peer-ids.ts';

describe('who is dialled back', () => {
  let peers: PeerId[];
  let clock: ManualClock;
  let admission: AutonatAdmission;

  before(async () => {
    peers = await makePeerIds(100);
  });

  beforeEach(() => {
    clock = new ManualClock();
    admission = new AutonatAdmission({ ipv4: 24, ipv6: [64], exempt: ['10.0.0.0/8'] }, clock);
  });

  const from = (peer: number, ip = `10.0.0.${peer}`): { remotePeer: PeerId; remoteAddr: ReturnType<typeof multiaddr> } => ({ remotePeer: peers[peer] as PeerId, remoteAddr: multiaddr(`/ip4/${ip}/tcp/1`) });

  it('one request of a peer at a time', () => {
    const release = admission.admit(from(1));
    assert.ok(release);
    assert.equal(admission.admit(from(1)), undefined);
    release();
    assert.ok(admission.admit(from(1)));
  });

  it('64 at once, of which 8 from one prefix', () => {
    const releases = Array.from({ length: 8 }, (_, i) => admission.admit(from(i, `8.8.8.${i}`)));
    assert.ok(releases.every((release) => release !== undefined));
    assert.equal(admission.admit(from(8, '8.8.8.9')), undefined);
    for (let i = 8; i < 64; i++) assert.ok(admission.admit(from(i)));
    assert.equal(admission.running, 64);
    assert.equal(admission.admit(from(64)), undefined);
    releases[0]?.();
    assert.ok(admission.admit(from(64)));
  });

  it('twelve requests of a peer a minute', () => {
    for (let i = 0; i < 12; i++) admission.admit(from(1))?.();
    assert.equal(admission.admit(from(1)), undefined);
    assert.ok(admission.admit(from(2)));
    clock.advance(5_000);
    assert.ok(admission.admit(from(1)));
  });

  it('sixty of a prefix a minute', () => {
    for (let i = 0; i < 60; i++) admission.admit(from(i, '8.8.8.8'))?.();
    assert.equal(admission.admit(from(60, '8.8.8.9')), undefined);
    assert.ok(admission.admit(from(60, '8.8.9.8')));
  });

  it('six hundred of all a minute, of which a refused one costs nobody else anything', () => {
    const ask = (i: number): boolean => {
      const release = admission.admit(from(i % 60));
      release?.();
      return release !== undefined;
    };
    for (let i = 0; i < 600; i++) assert.equal(ask(i), true);
    assert.equal(ask(0), false);
    clock.advance(100);
    assert.equal(ask(0), true);
    assert.equal(ask(1), false);
  });
});
