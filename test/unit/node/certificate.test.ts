import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Registry } from 'prom-client';
import { ManualClock } from '../../../src/lib/clock.ts';
import { createLogger } from '../../../src/lib/logger.ts';
import { certificateFor } from '../../../src/node/certificate.ts';
import { WebAuthority, writeCertificate } from '../../support/certificate.ts';

const WSS = '/ip4/0.0.0.0/tcp/443/tls/ws';
const NONE = { certFile: undefined, keyFile: undefined };

/** What was made, what was said, and what the series shows. */
function made(network: Parameters<typeof certificateFor>[0]): { files: ReturnType<typeof certificateFor>; lines: string[]; series: () => Promise<string> } {
  const lines: string[] = [];
  const registry = new Registry();
  const log = createLogger({ level: 'info', format: 'json', destination: { write: (text: string) => void lines.push(text) } });
  const files = certificateFor(network, { clock: new ManualClock(Date.now()), log, registry });
  return { files, lines, series: async () => /^relayd_certificate_expires_seconds (.*)$/m.exec(await registry.metrics())?.[1] ?? 'none' };
}

describe('the certificate of a node', () => {
  it('is watched where the configuration names one, and its end is a series', async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'relayd-certificate-'));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    const expiresAt = Math.floor(Date.now() / 1_000) * 1_000 + 86_400_000 * 60;
    const websocket = writeCertificate(dir, new WebAuthority().issue({ expiresAt }));
    const { files, series } = made({ listen: [WSS], announce: [], websocket });
    assert.equal(await series(), 'none', 'before it is read');
    await files?.start();
    assert.equal(await series(), String(expiresAt / 1_000));
    files?.stop();
  });

  it('has no series where there is none', async () => {
    const { files, series, lines } = made({ listen: ['/ip4/0.0.0.0/tcp/4001'], announce: [], websocket: NONE });
    assert.deepEqual([files, await series(), lines], [undefined, 'none', []]);
  });

  it('that has no name among the announced addresses is warned of: no browser would find it', () => {
    const announce = ['/dns4/relay.example.org/tcp/443'];
    assert.match(made({ listen: [WSS], announce, websocket: NONE }).lines.join(), /network\.announce: browsers find this node only under a name/);
    assert.deepEqual(made({ listen: [WSS], announce: [...announce, '/dns4/relay.example.org/tcp/443/wss'], websocket: NONE }).lines, []);
    assert.deepEqual(made({ listen: ['/ip4/0.0.0.0/tcp/80/ws'], announce, websocket: NONE }).lines, []);
  });
});
