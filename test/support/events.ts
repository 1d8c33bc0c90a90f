import { writeSync } from 'node:fs';
import type { TestEvent } from 'node:test/reporters';

/**
 * A node:test reporter for a test file that `scripts/test` runs: what happens goes as JSON lines to file
 * descriptor 3, so that the file's own output stays apart, and at once, so that a killed file has said how far it came.
 */

/** A line on descriptor 3. */
export type FileEvent =
  | { kind: 'running'; name: string } // without the suites around it
  | { kind: 'result'; name: string; outcome: Outcome; durationMs: number; reason?: string; detail?: string }
  | { kind: 'note'; text: string }
  | { kind: 'idle'; open: string[] };

export type Outcome = 'passed' | 'failed' | 'skipped';

/** The descriptor that the events go to. */
const EVENTS_FD = 3;

/** What node:test counts for itself at the end; other diagnostics are for the reader. */
const SUMS = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;

/** Every test is over and the process still runs: after this long it counts as hanging. */
const IDLE_AFTER_MS = 15_000;

export default async function* events(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const watch = new IdleWatch();
  const titles = new Titles();
  for await (const event of source) {
    watch.saw(event);
    const line = translate(event, titles);
    if (line !== undefined) {
      send(line);
    }
  }
  yield '';
}

function send(event: FileEvent): void {
  writeSync(EVENTS_FD, `${JSON.stringify(event)}\n`);
}

function translate(event: TestEvent, titles: Titles): FileEvent | undefined {
  if (event.type === 'test:dequeue') {
    return { kind: 'running', name: event.data.name };
  }
  if (event.type === 'test:start') {
    titles.enter(event.data.nesting, event.data.name);
    return undefined;
  }
  if (event.type === 'test:diagnostic') {
    return SUMS.test(event.data.message) ? undefined : { kind: 'note', text: event.data.message };
  }
  if (event.type !== 'test:pass' && event.type !== 'test:fail') {
    return undefined;
  }
  const { data } = event;
  const outcome = outcomeOf(event);
  if (outcome === undefined) {
    return undefined;
  }
  const name = titles.enter(data.nesting, data.name);
  const failed = outcome === 'failed' && event.type === 'test:fail';
  return { kind: 'result', name, outcome, durationMs: data.details.duration_ms, reason: reasonOf(data), detail: failed ? errorText(event.data.details.error) : undefined };
}

type Verdict = Extract<TestEvent, { type: 'test:pass' | 'test:fail' }>;

/** Suites count only by what is in them, unless they were skipped or failed by themselves (a hook). */
function outcomeOf(event: Verdict): Outcome | undefined {
  if (isSet(event.data.skip) || isSet(event.data.todo)) {
    return 'skipped';
  }
  if (event.type === 'test:fail') {
    return failureType(event.data.details.error) === 'subtestsFailed' ? undefined : 'failed';
  }
  return event.data.details.type === 'suite' ? undefined : 'passed';
}

function isSet(mark: string | boolean | undefined): boolean {
  return mark !== undefined && mark !== false;
}

function reasonOf(data: Verdict['data']): string | undefined {
  if (isSet(data.skip)) {
    return typeof data.skip === 'string' && data.skip !== '' ? data.skip : 'no reason given';
  }
  return isSet(data.todo) ? 'still to do' : undefined;
}

function failureType(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'failureType' in error ? error.failureType : undefined;
}

/** The error that the test threw, not node:test's wrapper around it. */
function errorText(error: Error): string {
  const cause = error.cause ?? error;
  return cause instanceof Error ? describe(cause) : String(cause);
}

function describe(error: Error): string {
  const stack = error.stack ?? `${error.name}: ${error.message}`;
  const own = stack.split('\n').filter((line) => !/^\s+at .*\(?node:/.test(line));
  const cause = error.cause instanceof Error ? `\ncaused by ${describe(error.cause)}` : '';
  return `${own.join('\n')}${cause}`;
}

/** Names with those of the suites around them; events come in the order of the file. */
class Titles {
  #path: string[] = [];

  enter(nesting: number, name: string): string {
    this.#path = [...this.#path.slice(0, nesting), name];
    return this.#path.join(' > ');
  }
}

/** Says what is still open when every test is over and the process does not end. */
class IdleWatch {
  #open = 0;
  #timer: NodeJS.Timeout | undefined;

  saw(event: TestEvent): void {
    this.#open += event.type === 'test:enqueue' ? 1 : event.type === 'test:complete' ? -1 : 0;
    clearTimeout(this.#timer);
    if (this.#open <= 0) {
      this.#timer = setTimeout(() => send({ kind: 'idle', open: process.getActiveResourcesInfo() }), IDLE_AFTER_MS);
      this.#timer.unref();
    }
  }
}
