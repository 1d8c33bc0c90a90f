/** Waits with a deadline: nothing in these tests waits without one, and no wait is a bare sleep. */
export class TimedOut extends Error {
  constructor(what: string, ms: number) {
    super(`${what}: nothing within ${ms} ms`);
    this.name = 'TimedOut';
  }
}

export async function within<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TimedOut(what, ms)), ms);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

const POLL_MS = 40;

/** How long a client or a relay may take that finds its way to another one by itself, on a busy machine. */
export const CONNECTED_MS = 20_000;

/** Asks again and again until `check` answers true. For states of a relay that tell nobody when they change. */
export async function eventually(check: () => boolean | Promise<boolean>, ms: number, what: string): Promise<void> {
  const end = performance.now() + ms;
  while (!(await check())) {
    if (performance.now() > end) throw new TimedOut(what, ms);
    await pause(POLL_MS);
  }
}

/** For what must not happen: a time in which it could have. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Until the wall clock shows `unixSeconds`, which is what an expiry on the wire is told in. */
export async function untilUnix(unixSeconds: number): Promise<void> {
  await pause(Math.max(0, unixSeconds * 1000 - Date.now()));
}

export function nowUnix(): number {
  return Date.now() / 1000;
}
