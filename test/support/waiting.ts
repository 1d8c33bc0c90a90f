/** Waits of the tests: each ends with an event or a deadline, never with a bare sleep. */

/** How long anything may take that is not itself under test, on a busy machine. */
export const PATIENCE_MS = 10_000;

/** @throws Error that names `what` when `promise` has not settled in time */
export async function within<T>(promise: Promise<T>, what: string, timeoutMs = PATIENCE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${timeoutMs} ms: ${what}`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

const LOOK_AGAIN_MS = 5;

/** Looks again and again until `check` holds: for a state that tells nobody when it changes. */
export async function until(check: () => boolean | Promise<boolean>, what: string, timeoutMs = PATIENCE_MS): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

/** Everything that is due now has run: microtasks, immediates and timers of no delay, several rounds of each. */
export async function settled(rounds = 10): Promise<void> {
  for (let i = 0; i < rounds; i++) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    await new Promise((resolve) => setImmediate(resolve));
  }
}
