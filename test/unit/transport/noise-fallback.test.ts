import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';

const here = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);

/** A process in which `sodium-native` cannot be loaded, as where it has no native part, and perhaps no ChaCha20 in OpenSSL either. */
function program(opensslToo: boolean): string {
  return `
    import { registerHooks } from 'node:module';
    import crypto, { } from 'node:crypto';
    import { syncBuiltinESMExports } from 'node:module';
    registerHooks({ resolve: (name, context, next) => { if (name.startsWith('sodium-native')) throw new Error('not installed'); return next(name, context); } });
    if (${opensslToo}) { crypto.getCiphers = () => ['aes-256-gcm']; syncBuiltinESMExports(); }
    const { sodium } = await import(${here('../../../src/transport/native/sodium.ts')});
    const { AEAD_KIND } = await import(${here('../../../src/transport/native/noise-aead.ts')});
    const { noiseEnd } = await import(${here('noise-ends.ts')});
    const { socketPair } = await import(${here('socket-pair.ts')});
    const { silent } = await import(${here('link-rig.ts')});
    const lines = [];
    const log = Object.assign(() => {}, { trace: () => {}, error: (...args) => lines.push(args.join(' ')), newScope: () => silent.forComponent('') });
    const ours = await noiseEnd('native', undefined, { forComponent: () => log });
    const stock = await noiseEnd('stock');
    for (const [first, second] of [[ours, stock], [stock, ours]]) {
      const [near, far] = await socketPair();
      const [a, b] = await Promise.all([first.encrypter.secureOutbound(near), second.encrypter.secureInbound(far)]);
      for (const [from, to] of [[a.connection, b.connection], [b.connection, a.connection]]) {
        let left = 200000;
        const all = new Promise((resolve) => to.addEventListener('message', (event) => { left -= event.data.byteLength; if (left === 0) resolve(); }));
        from.send(new Uint8Array(200000).fill(7));
        await all;
      }
      near.abort(new Error('over'));
      far.abort(new Error('over'));
    }
    console.log(JSON.stringify({ sodium: typeof sodium, kind: AEAD_KIND, lines }));`;
}

async function run(opensslToo: boolean): Promise<{ sodium: string; kind: string; lines: string[] }> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program(opensslToo)], { timeout: 60_000 });
  return JSON.parse(stdout) as { sodium: string; kind: string; lines: string[] };
}

describe('noise without libsodium', () => {
  for (const [kind, opensslToo] of [['OpenSSL', false], ['JavaScript', true]] as const) {
    it(`is made of ${kind}, speaks with the library's in both roles, and says once that it costs more`, async () => {
      const said = await run(opensslToo);
      assert.deepEqual([said.sodium, said.kind], ['undefined', kind]);
      assert.equal(said.lines.filter((line) => line.includes('costs more')).length, 1);
    });
  }
});
