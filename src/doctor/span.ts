/** From the smallest; a span is told in the first in which it is less than twice the next. */
const UNITS = [
  { name: 'seconds', ms: 1_000, below: 120 },
  { name: 'minutes', ms: 60_000, below: 120 },
  { name: 'hours', ms: 3_600_000, below: 48 },
  { name: 'days', ms: 86_400_000, below: Infinity },
];

/** A time between two clocks, for people: of the units the one that says it without a fraction. */
export function spanInWords(ms: number): string {
  const told = UNITS.map(({ name, ms: unitMs, below }) => ({ name, below, count: Math.round(ms / unitMs) })).find(({ count, below }) => count < below);
  return `${told?.count ?? 0} ${told?.name ?? 'seconds'}`;
}
