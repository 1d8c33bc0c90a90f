import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { ManualClock } from '../../../src/lib/clock.ts';
import { createLogger } from '../../../src/lib/logger.ts';
import { CertificateFiles } from '../../../src/transport/index.ts';
import { WebAuthority, writeCertificate } from '../../support/certificate.ts';
import type { WebCertificate } from '../../support/certificate.ts';
import { settled, until } from '../../support/waiting.ts';

const DAY_MS = 24 * 3_600_000;
const LOOK_MS = 5_000;

interface Line {
  level: string;
  msg: string;
  daysLeft?: number;
  error?: string;
}

interface Rig {
  clock: ManualClock;
  files: CertificateFiles;
  lines: Line[];
  /** For so many days from now. */
  issue(days: number): WebCertificate;
  write(pair: Pick<WebCertificate, 'cert' | 'key'>): { certFile: string; keyFile: string };
  /** Some looks at the files. */
  look(times?: number): Promise<void>;
}

async function rig(context: TestContext, days = 90): Promise<Rig> {
  const dir = mkdtempSync(join(tmpdir(), 'relayd-certificate-'));
  context.after(() => rmSync(dir, { recursive: true, force: true }));
  const clock = new ManualClock();
  const authority = new WebAuthority();
  const issue = (life: number): WebCertificate => authority.issue({ startsAt: clock.wall() - DAY_MS, expiresAt: clock.wall() + life * DAY_MS });
  let written = 0;
  const write: Rig['write'] = (pair) => {
    const paths = writeCertificate(dir, pair);
    // Two writes within the file system's own tick look the same.
    written++;
    Object.values(paths).forEach((path) => utimesSync(path, written, written));
    return paths;
  };
  const lines: Line[] = [];
  const log = createLogger({ level: 'info', format: 'json', destination: { write: (text: string) => void lines.push(JSON.parse(text) as Line) } });
  const files = new CertificateFiles({ ...write(issue(days)), clock, log });
  context.after(() => files.stop());
  const look = async (times = 2): Promise<void> => {
    for (let i = 0; i < times; i++) {
      await until(() => clock.pending === 1, 'the next look');
      clock.advance(LOOK_MS);
    }
    await until(() => clock.pending === 1, 'the end of the look');
  };
  return { clock, files, lines, issue, write, look };
}

const text = (lines: readonly Line[]): string[] => lines.map(({ level, msg }) => `${level}: ${msg}`);

describe('the certificate files', () => {
  it('are read again when they have changed, and what is open keeps its context', async (context) => {
    const { files, lines, issue, write, look, clock } = await rig(context);
    await files.start();
    const before = files.context();
    await look();
    assert.equal(files.context(), before, 'the same files, the same context');
    write(issue(60));
    await look();
    assert.notEqual(files.context(), before);
    assert.ok(Math.abs((files.expiresAt ?? 0) - clock.wall() - 60 * DAY_MS) < DAY_MS);
    assert.deepEqual(text(lines), ['info: a new certificate is in force']);
  });

  it('are not taken while they do not belong together, and the log says why, once', async (context) => {
    const { files, lines, issue, write, look } = await rig(context);
    await files.start();
    const before = files.context();
    const next = issue(60);
    write({ cert: next.cert, key: issue(60).key });
    await look(4);
    assert.equal(files.context(), before);
    assert.deepEqual(text(lines), ['warn: the new certificate is not taken; the old one stays']);
    assert.match(lines[0]?.error ?? '', /key\.pem is not the key of the certificate/);
    write(next);
    await look();
    assert.notEqual(files.context(), before);
  });

  it('are not read in the middle of a change', async (context) => {
    const { files, lines, issue, write, look } = await rig(context);
    await files.start();
    const next = issue(60);
    write({ cert: next.cert, key: issue(60).key });
    await look(1);
    write(next);
    await look(2);
    assert.deepEqual(text(lines), ['info: a new certificate is in force']);
  });

  for (const [what, spoil] of [
    ['broken', (files) => writeFileSync(files.certFile, 'rubbish')],
    ['gone', (files) => rmSync(files.keyFile)],
    ['open to everyone', (files) => chmodSync(files.keyFile, 0o644)],
  ] as [string, (files: { certFile: string; keyFile: string }) => void][]) {
    it(`stay as they were when they are ${what}, and are taken when they are right again`, async (context) => {
      const { files, lines, issue, write, look } = await rig(context);
      await files.start();
      const before = files.context();
      spoil(write(issue(60)));
      await look(3);
      assert.equal(files.context(), before);
      assert.deepEqual(text(lines), ['warn: the new certificate is not taken; the old one stays']);
      write(issue(60));
      await look();
      assert.notEqual(files.context(), before);
    });
  }

  it('that are wrong at the start are an error that says what', async (context) => {
    const { files, issue, write } = await rig(context);
    write({ cert: issue(60).cert, key: issue(60).key });
    await assert.rejects(async () => await files.start(), { code: 'FILE_UNREADABLE', message: /key\.pem is not the key of the certificate/ });
    assert.throws(() => files.context(), { code: 'CLOSED' });
  });

  it('that expire are warned of 30, 7 and 1 days before, and every day', async (context) => {
    const { files, lines, clock } = await rig(context, 32);
    await files.start();
    for (let day = 0; day < 34; day++) {
      // A look of its own each day: the timer is armed again when the files have been looked at.
      await until(() => clock.pending === 1, 'the next look');
      clock.stepWall(DAY_MS);
      clock.advance(LOOK_MS);
      await settled();
    }
    const left = lines.filter(({ level }) => level === 'warn').map(({ daysLeft }) => daysLeft);
    assert.deepEqual(left, Array.from({ length: 30 }, (_, i) => 29 - i));
    assert.match(lines.at(-1)?.msg ?? '', /has expired/);
    assert.equal(lines.at(-1)?.level, 'error');
  });

  it('are warned of at once where they end soon, once, and no more after a renewal', async (context) => {
    const { files, lines, issue, write, look } = await rig(context, 3);
    await files.start();
    assert.deepEqual(lines.map(({ level }) => level), ['warn']);
    await look(5);
    assert.equal(lines.length, 1);
    write(issue(90));
    await look(5);
    assert.deepEqual(text(lines).slice(1), ['info: a new certificate is in force']);
    write(issue(3));
    await look(5);
    write(issue(3));
    await look(5);
    assert.deepEqual(lines.slice(2).map(({ level }) => level), ['info', 'warn', 'info', 'warn'], 'one that is no better is warned of anew');
  });

  it('are left alone after a stop, and read again by a start', async (context) => {
    const { files, issue, write, clock } = await rig(context);
    await files.start();
    const before = files.context();
    files.stop();
    assert.equal(clock.pending, 0);
    write(issue(60));
    await files.start();
    assert.notEqual(files.context(), before);
  });
});
