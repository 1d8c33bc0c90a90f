import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import { ManualClock } from '../../../../src/lib/clock.ts';
import { WatchedExporter } from '../../../../src/lib/tracing/exporter.ts';
import type { Exporter, Spans } from '../../../../src/lib/tracing/exporter.ts';

const TEN_MINUTES_MS = 600_000;

function make(): { send: (spans: number, error?: Error) => void; clock: ManualClock; lines: { msg: string; lostSpans: number; error?: string }[] } {
  const clock = new ManualClock();
  const lines: { msg: string; lostSpans: number; error?: string }[] = [];
  const log = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  let error: Error | undefined;
  const inner: Exporter = { export: (_spans, done) => done(error === undefined ? { code: 0 } : { code: 1, error }), shutdown: () => Promise.resolve() };
  const exporter = new WatchedExporter(inner, clock, log);
  const send = (spans: number, failure?: Error): void => {
    error = failure;
    let result: { code: number } | undefined;
    exporter.export(Array.from<Spans[number]>({ length: spans }), (answer) => (result = answer));
    assert.equal(result?.code, failure === undefined ? 0 : 1, 'the answer is handed on');
  };
  return { send, clock, lines };
}

describe('an exporter of traces', () => {
  it('says nothing while all is well', () => {
    const { send, lines } = make();
    send(3);
    assert.deepEqual(lines, []);
  });

  it('says once in ten minutes that spans are lost, with their number', () => {
    const { send, clock, lines } = make();
    for (let i = 0; i < 100; i++) send(2, new Error('connect ECONNREFUSED'));
    assert.deepEqual(lines.map(({ lostSpans, error }) => [lostSpans, error]), [[2, 'connect ECONNREFUSED']]);
    clock.advance(TEN_MINUTES_MS);
    send(2, new Error('connect ECONNREFUSED'));
    assert.deepEqual(lines.map(({ lostSpans }) => lostSpans), [2, 202]);
  });

  it('says when they are taken again, and a failure after that at once', () => {
    const { send, lines } = make();
    send(5, new Error('away'));
    send(5);
    send(1, new Error('away again'));
    assert.deepEqual(lines.map(({ msg, lostSpans }) => [msg, lostSpans]), [
      ['the collector of tracing.endpoint does not take traces', 5],
      ['traces are taken again', 5],
      ['the collector of tracing.endpoint does not take traces', 1],
    ]);
  });
});
