import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../scripts/lib/processes.ts';

const EXAMPLE = fileURLToPath(new URL('../../docs/examples/library.ts', import.meta.url));

test('the library example of the docs does what it says, and ends by itself', async () => {
  const { exit, stdout, output } = await runCommand(process.execPath, ['--disable-warning=ExperimentalWarning', EXAMPLE], { timeoutMs: 60_000 });
  assert.equal(exit, 'exit code 0', output);
  const [relay = '', client = '', reached = ''] = stdout.split('\n');
  const relayAddr = /^relay: (\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/(\w+))$/.exec(relay);
  assert.ok(relayAddr, output);
  assert.match(client, new RegExp(`^client: ${relayAddr[1]}/p2p-circuit/p2p/\\w+$`));
  assert.equal(reached, `reached: by relay, via ${relayAddr[2]}`);
});
