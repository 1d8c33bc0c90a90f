import { generateKeyPair } from '@libp2p/crypto/keys';
import type { SecuredConnection } from '@libp2p/interface';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { tlsContext } from '../../../src/transport/native/tls-context.ts';
import { selfTest } from '../../../src/transport/native/tls-self-test.ts';
import { ended, makePeer, receive, secureBoth, send, socketPair } from './tls-ends.ts';

/** Versions of Node in which a part that the fast ground uses does something else; `fast` says whether it is that which asks. */
const OTHER_NODES: Record<string, string> = {
  'a part that throws': "replace('_init', () => { throw new Error('other internals') })",
  'a part that does nothing': "replace('_start', () => undefined)",
  'a part that takes other arguments': "replace('_wrapHandle', (own) => own(null, undefined, false))",
  'a read option that is ignored': "replace('_wrapHandle', (own, ...rest) => Object.assign(own(...rest), { useUserBuffer: () => undefined }))",
  'a stream that it does not take for a socket': "replace('_wrapHandle', (own, wrap, ...rest) => { if (wrap?.stream !== undefined) throw new Error('a stream'); return own(wrap, ...rest); })",
  'early bytes that are lost': "replace('_wrapHandle', (own, ...rest) => Object.assign(own(...rest), { receive: () => undefined }))",
};

function suite(): void {
  test('passes on this version of Node, and leaves nothing behind', async () => {
    const before = process.getActiveResourcesInfo().filter((kind) => /TCP|TLS/.test(kind));
    await selfTest(await tlsContext(await generateKeyPair('Ed25519')));
    assert.deepEqual(process.getActiveResourcesInfo().filter((kind) => /TCP|TLS/.test(kind)), before);
  });

  for (const [name, change] of Object.entries(OTHER_NODES)) {
    test(`finds ${name}; connections then do without, which is logged once`, async () => {
      const other = spawn(process.execPath, ['--import', `data:text/javascript,${encodeURIComponent(sabotage(change))}`, import.meta.filename, 'child'], { stdio: ['ignore', 'pipe', 'pipe'] });
      const [out, errors, [code]] = await Promise.all([text(other.stdout), text(other.stderr), once(other, 'close')]);
      assert.equal(errors, '');
      assert.equal(code, 0);
      assert.match(out, /^logged 1: TLS costs more a byte.*\ngot 100000\n$/);
    });
  }
}

function sabotage(change: string): string {
  return `import { TLSSocket } from 'node:tls';
    function replace(name, other) {
      const own = TLSSocket.prototype[name];
      TLSSocket.prototype[name] = function (...rest) {
        return this.constructor.name === 'FastTlsSocket' ? other((...args) => own.apply(this, args), ...rest) : own.apply(this, rest);
      };
    }
    ${change};`;
}

/** Two connections of one process, and what was logged. */
async function child(): Promise<void> {
  const undo: (() => unknown)[] = [];
  const context = { after: (job: () => unknown) => void undo.push(job) } as never;
  const [client, server] = await Promise.all([makePeer('chosen'), makePeer('chosen')]);
  const pairs: [SecuredConnection, SecuredConnection][] = [];
  for (let i = 0; i < 2; i++) pairs.push(await secureBoth(client, server, await socketPair(context)));
  const lines = [...client.lines, ...server.lines];
  console.log(`logged ${lines.length}: ${lines.join('; ')}`);
  for (const [outbound, inbound] of pairs.slice(1)) {
    const got = receive(inbound.connection, 100_000);
    await send(outbound.connection, new Uint8Array(100_000));
    console.log(`got ${(await got).length}`);
  }
  await Promise.all(pairs.map(async ([outbound, inbound]) => await Promise.all([outbound.connection.close(), ended(inbound.connection)])));
  undo.forEach((job) => job());
}

if (process.argv[2] === 'child') await child();
else describe('the self-test of TLS', { concurrency: true }, suite);
