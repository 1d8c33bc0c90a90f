import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { LINK_KINDS } from '../../../../src/coordination/links.ts';
import { LinkNodes, linked } from '../../../support/coordination/link-nodes.ts';
import type { LinkNode } from '../../../support/coordination/link-nodes.ts';
import { until } from '../../../support/waiting.ts';

const OLD = '0d'.repeat(32);
const NEW = '4e'.repeat(32);
const STEPS = [[OLD], [OLD, NEW], [NEW, OLD], [NEW]];

const nodes = new LinkNodes();
const signal = AbortSignal.timeout(120_000);

afterEach(() => nodes.stopAll());

/** Everything that comes and goes at these nodes from now on. */
function watched(all: readonly LinkNode[]): [string, boolean][] {
  const changes: [string, boolean][] = [];
  all.forEach(({ links }) => links.onChange((...change) => changes.push(change)));
  return changes;
}

async function refusals(node: LinkNode): Promise<number> {
  const { values } = (await node.metrics.getSingleMetric('relayd_cluster_link_handshakes_total')?.get()) ?? { values: [] };
  return values.find(({ labels }) => labels.outcome === 'refused')?.value ?? NaN;
}

describe('links of relays that change their secret', () => {
  for (const [i, opener] of STEPS.entries()) {
    for (const [j, acceptor] of STEPS.entries()) {
      if (Math.abs(i - j) > 1) continue;
      it(`are opened at step ${i} to a relay at step ${j}`, async () => {
        const called = await nodes.start({ secrets: acceptor });
        const calling = await nodes.start({ secrets: opener, configured: [called.addr] });
        await linked([called, calling]);
        assert.deepEqual([await refusals(called), await refusals(calling)], [0, 0]);
      });
    }
  }

  it('stand through all steps, and are proved with the new secret at the end', async () => {
    const all = await nodes.mesh(3, { secrets: [OLD] });
    const changes = watched(all);
    all.forEach(({ links, id }) => links.answer(LINK_KINDS.sync, () => new TextEncoder().encode(id)));
    for (const step of STEPS.slice(1)) {
      for (const node of all) {
        node.secret.replace(step);
        const others = all.filter((other) => other !== node);
        for (const other of others) {
          assert.equal(new TextDecoder().decode(await node.links.ask(other.id, LINK_KINDS.sync, new Uint8Array(), signal)), other.id);
          assert.equal(new TextDecoder().decode(await other.links.ask(node.id, LINK_KINDS.sync, new Uint8Array(), signal)), node.id);
        }
      }
    }
    const handshakes = async (): Promise<number> => (await Promise.all(all.map(async ({ metrics }) => (await metrics.getSingleMetric('relayd_cluster_link_handshakes_total')?.get())?.values.find(({ labels }) => labels.outcome === 'ok')?.value ?? 0))).reduce((sum, value) => sum + value, 0);
    await until(async () => (await handshakes()) >= 12, 'each of the three links to be proved anew');
    await linked(all);
    assert.deepEqual(changes, [], 'none was gone for a moment');
    assert.deepEqual(await Promise.all(all.map(refusals)), [0, 0, 0]);
  });

  it('are closed to a relay that has the old secret alone, and stay so', async () => {
    const [a, b] = (await nodes.mesh(2, { secrets: [OLD, NEW] })) as [LinkNode, LinkNode];
    const left = await nodes.start({ secrets: [OLD], configured: [a.addr, b.addr] });
    await linked([a, b, left]);
    for (const step of [[NEW, OLD], [NEW]]) [a, b].forEach(({ secret }) => secret.replace(step));
    await until(() => left.links.members().length === 0 && a.links.members().length === 1 && b.links.members().length === 1, 'it to be cut off');
    await until(async () => (await refusals(left)) >= 4, 'it to have tried again');
    assert.deepEqual([a.links.members(), b.links.members(), left.links.members()], [[b.id], [a.id], []]);
  });
});
