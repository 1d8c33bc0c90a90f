import type { ClockSkew } from '../links.ts';

/** As many as NTP looks at (RFC 5905, section 10): one that was held up on its way is not the best of them, and a clock that was set shows within so many seconds. */
const SAMPLES = 8;

/** Both clocks are read in whole milliseconds. */
const RESOLUTION_MS = 1;

/** Compares two wall clocks by questions and answers: what was on its way the shortest says most. */
export class ClockComparison {
  #samples: readonly ClockSkew[] = [];

  /** `undefined` before the first answer that says the time. */
  get skew(): ClockSkew | undefined {
    return this.#samples.reduce<ClockSkew | undefined>((best, sample) => (best === undefined || sample.errorMs <= best.errorMs ? sample : best), undefined);
  }

  /**
   * An answer has come: its time is of some moment within the round trip, so that the middle of that is wrong by half of it at most.
   *
   * @param theirWallMs Unix milliseconds at which the other side answered
   * @param ownWallMs Unix milliseconds now
   */
  answered(theirWallMs: number, ownWallMs: number, rttMs: number): void {
    const sample = { aheadMs: theirWallMs - (ownWallMs - rttMs / 2), errorMs: rttMs / 2 + RESOLUTION_MS };
    this.#samples = [...this.#samples, sample].slice(-SAMPLES);
  }
}
