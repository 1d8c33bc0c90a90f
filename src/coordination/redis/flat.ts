/** Scripts take and answer flat arrays; texts in answers are Buffers. */

/** Entries in one call of a script: it keeps the server from its other work for a fraction of a millisecond, well below a take's deadline. */
const CHUNK = 256;

export function chunks<T>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / CHUNK) }, (_, i) => all.slice(i * CHUNK, (i + 1) * CHUNK));
}

export function texts(answer: unknown): string[] {
  return Array.isArray(answer) ? answer.map(String) : [];
}

export function pairs(answer: unknown): [unknown, unknown][] {
  if (!Array.isArray(answer)) {
    return [];
  }
  return Array.from({ length: answer.length >> 1 }, (_, i) => [answer[2 * i], answer[2 * i + 1]]);
}
