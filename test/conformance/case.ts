import { Scene } from './scene.ts';
import type { TargetKind } from './targets.ts';
import { within } from './waiting.ts';

/** One numbered behaviour of shared/conformance.md. */
export interface Case {
  number: number;
  title: string;
  /** Throws when the target does not behave so. */
  run: (scene: Scene) => Promise<void>;
}

/** Longer than any case needs that does what it should, on a machine with far more to do than it can; less than a test may take. */
const CASE_MS = 100_000;

/** Plays a case against a kind of target. @throws whatever the case found */
export async function play(one: Case, kind: TargetKind): Promise<void> {
  const scene = new Scene(kind);
  try {
    await within(one.run(scene), CASE_MS, `behaviour ${one.number}`);
  } finally {
    await scene.end();
  }
}

/** Plays cases a few at a time: most of them wait most of the time. */
export async function playAll<T>(cases: readonly Case[], parallel: number, done: (one: Case) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  const queue = [...cases.entries()];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      results[next[0]] = await done(next[1]);
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return results;
}
