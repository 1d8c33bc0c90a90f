import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';

/** What `quicFor` does for a config, in a process that may be without the optional package. */
function ask(config: object, withPackage: boolean): Record<string, unknown> {
  const script = `
    import { registerHooks } from 'node:module';
    if (!${withPackage}) registerHooks({ resolve: (name, context, next) => {
      if (name === '@chainsafe/libp2p-quic') throw new Error('not installed');
      return next(name, context);
    } });
    const { quicFor } = await import(${JSON.stringify(new URL('../../../src/node/quic.ts', import.meta.url).href)});
    const notes = [];
    const answer = await quicFor(${JSON.stringify(config)}, { info: (_fields, text) => notes.push(text) }).then(
      (module) => ({ loaded: module !== undefined }),
      ({ code, message }) => ({ code, message }),
    );
    process.stdout.write(JSON.stringify({ ...answer, notes }));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', timeout: 20_000 });
  return JSON.parse(stdout === '' ? assert.fail(stderr) : stdout) as Record<string, unknown>;
}

const QUIC = '/ip4/127.0.0.1/udp/0/quic-v1';
const config = (role: string, listen: string[], more: { holePunch?: boolean; swarmKeyFile?: string } = {}): object => ({ role, network: { listen, swarmKeyFile: more.swarmKeyFile }, client: { relays: [], holePunch: more.holePunch ?? true }, discovery: { bootstrap: [] } });

describe('QUIC', () => {
  it('that an address needs and nobody has installed is an error that says what to install', () => {
    const { code, message } = ask(config('relay', [QUIC]), false);
    assert.equal(code, 'NOT_BUILT');
    assert.match(String(message), /@chainsafe\/libp2p-quic/);
  });

  it('that only hole punching would use is left out with a note', () => {
    assert.deepEqual(ask(config('client', []), false), { loaded: false, notes: ['hole punching over QUIC is not possible here'] });
  });

  it('is not loaded where nothing uses it', () => {
    assert.deepEqual(ask(config('relay', []), true), { loaded: false, notes: [] });
    assert.deepEqual(ask(config('client', [], { holePunch: false }), true), { loaded: false, notes: [] });
    assert.deepEqual(ask(config('client', [], { swarmKeyFile: '/key' }), true), { loaded: false, notes: [] });
  });
});
