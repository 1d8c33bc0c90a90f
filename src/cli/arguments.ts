import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../config/units.ts';

/** For commander: a whole number from `min` to `max`. */
export function wholeNumber(min: number, max: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < min || number > max) {
      throw new InvalidArgumentError(`It needs a whole number from ${min} to ${max}.`);
    }
    return number;
  };
}

/** For commander: `500ms`, `90s`, `2m`, `1h`, as milliseconds. */
export function durationMs(value: string): number {
  const parsed = parseDuration(value);
  if (!parsed.ok) {
    throw new InvalidArgumentError(`${parsed.problem}; ${parsed.expected}.`);
  }
  return parsed.value;
}
