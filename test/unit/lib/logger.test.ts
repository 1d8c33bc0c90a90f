import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createLogger, peerText } from '../../../src/lib/logger.ts';

function logged(write: (log: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  write(createLogger({ level: 'info', format: 'json', destination: { write: (line: string) => lines.push(line) } }));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('the log', () => {
  it('is a JSON object a line, with its level as a word and its time', () => {
    const [line] = logged((log) => log.info({ event: 'ready' }, 'up'));
    assert.equal(line?.['level'], 'info');
    assert.equal(line?.['msg'], 'up');
    assert.equal(line?.['event'], 'ready');
    assert.ok(!Number.isNaN(Date.parse(String(line?.['time']))));
  });

  it('never shows a secret, and leaves out what is below its level', () => {
    const lines = logged((log) => {
      log.debug('no');
      log.warn({ token: 't', admin: { token: 't', password: 'p' }, secret: 's' }, 'yes');
    });
    assert.equal(lines.length, 1);
    assert.ok(!/"[tps]"/.test(JSON.stringify(lines[0])));
  });
});

describe('peerText', () => {
  it('has no control characters, no line breaks and no marks that turn text around', () => {
    assert.equal(peerText('kubo/0.30\n{"level":"error"}\u001b[31m\u2028\u202e\u009b'), 'kubo/0.30?{"level":"error"}?[31m???');
  });

  it('is cut when it is long', () => {
    assert.equal(peerText('a'.repeat(128)), 'a'.repeat(128));
    assert.equal(peerText('a'.repeat(1_000_000)), `${'a'.repeat(128)}…`);
  });
});
