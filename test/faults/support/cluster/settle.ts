import { delay, nowMs } from '../time.ts';

const LOOK_AGAIN_MS = 100;

/** Looks until `check` holds. @returns when it did; undefined when it never did in time */
export async function settled(withinMs: number, check: () => Promise<boolean>): Promise<number | undefined> {
  const endMs = nowMs() + withinMs;
  for (;;) {
    if (await check()) return nowMs();
    if (nowMs() > endMs) return undefined;
    await delay(LOOK_AGAIN_MS);
  }
}
