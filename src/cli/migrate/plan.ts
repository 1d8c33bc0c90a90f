import type { OldFile } from './old-file.ts';

/** What the old config becomes. */
export class Plan {
  readonly settings: Setting[] = [];
  /** What stays behind, and why. */
  readonly left: Note[] = [];
  /** What is taken over and means something else, or is new. */
  readonly changed: Note[] = [];

  set(from: string, key: string, value: unknown): void {
    this.settings.push({ from, key, value });
  }

  leave(what: string, why: string): void {
    this.left.push({ what, why });
  }

  change(what: string, why: string): void {
    this.changed.push({ what, why });
  }
}

export interface Setting {
  /** The field of the old config, `Network.ListenAddrs`. */
  readonly from: string;
  /** The key of the new one, `network.listen`. */
  readonly key: string;
  /** As the config file holds it. */
  readonly value: unknown;
}

export interface Note {
  readonly what: string;
  readonly why: string;
}

/** One subject of the old config: reads its fields and adds to the plan. */
export type Translation = (old: OldFile, plan: Plan) => void;
