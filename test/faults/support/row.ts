import { within } from '../../support/waiting.ts';
import type { Figure } from './figure.ts';
import { NoiseMeter } from './machine.ts';
import type { Noise } from './machine.ts';
import { Scene } from './scene.ts';
import type { Amount } from './scene.ts';

/** One fault: what is done, and the figures that it gives. */
export interface Row {
  /** As the command knows it. */
  readonly name: string;
  /** What it does, in a line. */
  readonly title: string;
  /** Of a row that has several: {@link Amount.only} chooses among them. */
  readonly faults?: readonly string[];
  readonly full: Pick<Amount, 'runs' | 'clients'>;
  readonly short: Pick<Amount, 'runs' | 'clients'>;
  /** The most that it may take. */
  deadlineMs(amount: Amount): number;
  /** Why it cannot run here, or false. */
  skip?(): string | false;
  run(scene: Scene): Promise<Figure[]>;
}

export interface Outcome {
  readonly row: Row;
  readonly amount: Amount;
  readonly figures: readonly Figure[];
  readonly notes: readonly string[];
  readonly noise: Noise | undefined;
  /** The row could not be run to its end. */
  readonly error: string | undefined;
  /** It was not run at all. */
  readonly skipped: string | undefined;
}

/** Runs one row and cleans up behind it. Never throws. */
export async function runRow(row: Row, amount: Amount): Promise<Outcome> {
  const skipped = row.skip?.();
  if (typeof skipped === 'string') {
    return { row, amount, figures: [], notes: [], noise: undefined, error: undefined, skipped };
  }
  const meter = new NoiseMeter();
  const scene = await Scene.create(amount);
  const outcome = { row, amount, skipped: undefined };
  try {
    const figures = await within(row.run(scene), `the end of ${row.name}`, row.deadlineMs(amount));
    return { ...outcome, figures, notes: scene.notes, noise: meter.read(), error: undefined };
  } catch (error) {
    return { ...outcome, figures: [], notes: scene.notes, noise: meter.read(), error: (error as Error).message };
  } finally {
    await scene.close();
  }
}
