import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf } from '../../../src/node/cluster-facts.ts';
import { PEERS, load } from '../config/helpers.ts';

const digest = (...set: string[]): string => digestOf(load({ set }).config);

describe('what relays of a cluster should have in common', () => {
  it('are limits over the cluster, the realm, its members, and who has access', () => {
    const [alice, bob] = PEERS;
    const others = [
      [],
      ['coordination.limits.circuits.max=7'],
      ['coordination.memberLimits.circuits.max=7'],
      ['realm.name=home'],
      [`realm.members=[${alice}]`],
      ...['reserve', 'connect', 'target'].flatMap((list) => [[`relay.access.${list}.deny=[${alice}]`], [`relay.access.${list}.allow=[${bob}]`]]),
    ];
    assert.equal(new Set(others.map((set) => digest(...set))).size, others.length);
    assert.equal(digest(`relay.access.connect.deny=[${alice}, ${bob}]`), digest(`relay.access.connect.deny=[${bob}, ${alice}]`));
  });

  it('is not what one relay carries, which may differ with its machine', () => {
    assert.equal(digest('relay.limits.circuits.max=7', 'relay.limits.circuits.duration=7s', 'relay.limits.memory.total=1GiB'), digest());
  });
});
