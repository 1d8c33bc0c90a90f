import assert from 'node:assert/strict';
import { it } from 'node:test';
import { assertConfig } from '../../../src/config/index.ts';
import type { LoadResult } from '../../../src/config/index.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { RelayNode } from '../../../src/node/node.ts';
import { load } from '../config/helpers.ts';

const withPlaces = (max: number): LoadResult => load({ inline: { relay: { limits: { reservations: { max } } } } });

it('a config that was read earlier does not take force after one that was read later, however long its reading took', async () => {
  const reads: PromiseWithResolvers<LoadResult>[] = [];
  const reloadConfig = async (): Promise<LoadResult> => {
    const read = Promise.withResolvers<LoadResult>();
    reads.push(read);
    return read.promise;
  };
  const node = new RelayNode(assertConfig(withPlaces(1)), { log: silentLogger, reloadConfig });
  const reloads = [node.reload(), node.reload()];
  await new Promise((resolve) => setImmediate(resolve));
  reads[1]?.resolve(withPlaces(3));
  reads[0]?.resolve(withPlaces(2));
  await reloads[0];
  await new Promise((resolve) => setImmediate(resolve));
  reads[1]?.resolve(withPlaces(3));
  await reloads[1];
  assert.equal(node.config.relay.limits.reservations.max, 3);
  assert.deepEqual((await reloads[1])?.changed, ['relay.limits.reservations.max']);
});
