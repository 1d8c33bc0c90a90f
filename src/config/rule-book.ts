import { LAYERS, problemAt } from './layer.ts';
import type { Path } from './layer.ts';
import type { Effective, EffectiveConfig } from './merge.ts';
import type { ConfigProblem } from './problem.ts';

/** Collects problems, each at the place of its key. */
export class Book {
  readonly problems: ConfigProblem[] = [];
  readonly #effective: EffectiveConfig;
  readonly #invalid: ReadonlySet<string>;

  constructor(effective: EffectiveConfig, invalid: ReadonlySet<string>) {
    this.#effective = effective;
    this.#invalid = invalid;
  }

  isValid(...names: string[]): boolean {
    return names.every((name) => !this.#invalid.has(name));
  }

  get(name: string): Effective {
    const found = this.#effective.get(name);
    if (found === undefined) {
      throw new Error(`no configuration key ${name}`);
    }
    return found;
  }

  /** Of two keys that disagree, the one that a person set last is at fault: flags before the file, the file before presets. */
  strongest(...names: string[]): string {
    return names.toSorted((a, b) => LAYERS.indexOf(this.get(a).layer) - LAYERS.indexOf(this.get(b).layer))[0] ?? '';
  }

  report(name: string, inside: Path, problem: string, expected: string): void {
    const { source, placed } = this.get(name);
    this.problems.push(problemAt(source, [...placed.path, ...inside], 'value', problem, expected));
  }
}
