import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fuzz } from '../../fuzz/transport.ts';

it('the transport stands two seconds of what scripts/fuzz does for longer', { timeout: 60_000 }, async (context) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const { executions, perSecond } = await fuzz({ seconds: 2, seed });
  assert.ok(executions > 50);
  context.diagnostic(`${executions} executions from seed ${seed}, ${perSecond.toFixed(0)}/s`);
});
