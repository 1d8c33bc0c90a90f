import type { Clock, TimerHandle } from '../../lib/clock.ts';
import { abortable } from '../../lib/deadline.ts';
import { RelaydError } from '../../lib/errors.ts';
import { LINK_KINDS } from '../links.ts';
import type { Links } from '../links.ts';
import { Patience } from '../patience.ts';
import type { Batch } from './batch.ts';
import { decodeAnswer, encodeQuestion } from './codec.ts';
import { MAX_ITEMS } from './messages.ts';
import type { Answer, Holding, Level, Question } from './messages.ts';

/** Messages on their way to one lender; what comes meanwhile goes with the next. */
const MAX_IN_FLIGHT = 4;

/** A lender that knows no session after so many reports will not know the next either. */
const MAX_RESYNCS = 3;

/** A lender that has not answered by then is not there: beyond every deadline of an admission. One that is asked to wait for others has longer. */
const ANSWER_MS = 500;
const PATIENT_ANSWER_MS = 1_500;

/** A lender that does not answer is tried again so often. */
const RETRY_MS = 500;

export interface ChannelOptions {
  readonly lender: string;
  /** Of one run of this relay. */
  readonly instance: number;
  /** Higher every time. */
  readonly nextSession: () => number;
  readonly links: Links;
  readonly clock: Clock;
  /** Digest of this relay's view. */
  readonly view: () => number;
  /** All that this relay holds of the lender's keys, and what it knows of buckets that it owned before. */
  readonly report: () => { holdings: readonly Holding[]; levels: readonly Level[] };
  readonly onAnswer: (batch: Batch, answer: Answer) => void;
  /** What was asked may or may not have happened; the next session tells what is held. */
  readonly onLost: (batch: Batch) => void;
  /** There may be more to ask, or it can be asked again. */
  readonly onReady: () => void;
}

/**
 * What this relay says to one lender, in order: sessions that begin with a report of all that is held, so that whatever was lost on the way is set
 * right by the next.
 */
export class Channel {
  readonly #o: ChannelOptions;
  /** Answers to what was sent before the newest session count for nothing. */
  #session: number;
  #sequence = 0;
  #isOpen = false;
  /** Why the lender is not asked now; the next session shows whether it can be. */
  #trouble: 'away' | 'stranger' | undefined;
  /** Runs until the lender is tried again. Its end counts, not a time to compare with: nothing else would try. */
  #retry: TimerHandle | undefined;
  readonly #inFlight = new Set<Batch>();
  /** Parts of the report that are not answered. */
  #reporting = 0;
  #resyncs = 0;
  readonly #patience: Patience;
  readonly #stopped = new AbortController();

  constructor(options: ChannelOptions) {
    this.#o = options;
    this.#patience = new Patience(options.clock);
    this.#session = options.nextSession();
  }

  /** `away`: the lender does not answer. `stranger`: it will, as soon as it sees that this relay is alive. */
  get state(): 'ready' | 'away' | 'stranger' {
    if (!this.#o.links.members().includes(this.#o.lender)) return 'away';
    return this.#trouble ?? 'ready';
  }

  /** Whether there is room for one more message: those that wait for others do not hold up those that do not. */
  hasRoom(wait: boolean): boolean {
    return [...this.#inFlight].filter((batch) => batch.wait === wait).length < MAX_IN_FLIGHT;
  }

  /** Begins a session with a report, if there is none. */
  open(): void {
    if (!this.#isOpen) this.#open();
  }

  /** Ends the session: what is on its way is lost. The lender is tried again whatever became of it before. */
  end(): void {
    this.#endRetry();
    this.#trouble = undefined;
    this.#end();
  }

  send(batch: Batch): void {
    this.open();
    this.#inFlight.add(batch);
    void this.#ask(batch);
  }

  /** For good. */
  stop(): void {
    this.#stopped.abort(new RelaydError('CLOSED', 'nothing is said to this relay any more'));
    this.#endRetry();
    this.#end();
  }

  #open(): void {
    if (this.#stopped.signal.aborted || !this.#o.links.members().includes(this.#o.lender) || this.#retry !== undefined) {
      return;
    }
    this.#isOpen = true;
    const { holdings, levels } = this.#o.report();
    const parts = Math.max(1, Math.ceil(holdings.length / MAX_ITEMS), Math.ceil(levels.length / MAX_ITEMS));
    this.#reporting = parts;
    for (let part = 0; part < parts; part++) {
      const from = part * MAX_ITEMS;
      const to = from + MAX_ITEMS;
      void this.#sendPart({ type: 'report', stamp: this.#stamp(), holdings: holdings.slice(from, to), levels: levels.slice(from, to), last: part === parts - 1 });
    }
  }

  async #ask(batch: Batch): Promise<void> {
    const session = this.#session;
    const answer = await this.#exchange({ type: 'ask', stamp: this.#stamp(), ...batch }, batch.wait ? PATIENT_ANSWER_MS : ANSWER_MS);
    if (this.#session !== session) return;
    if (answer?.status !== 'ok') {
      this.#fail(answer);
      return;
    }
    this.#resyncs = 0;
    this.#inFlight.delete(batch);
    this.#o.onAnswer(batch, answer);
    this.#o.onReady();
  }

  async #sendPart(report: Question): Promise<void> {
    const session = this.#session;
    const answer = await this.#exchange(report, PATIENT_ANSWER_MS);
    if (this.#session !== session) return;
    this.#reporting--;
    if (answer?.status !== 'ok') {
      this.#fail(answer);
    } else if (this.#reporting === 0 && this.#trouble !== undefined) {
      this.#trouble = undefined;
      this.#o.onReady();
    }
  }

  /** No answer: the lender is not asked again before the next try. A lender that does not know the session is told anew at once. */
  #fail(answer: Answer | undefined): void {
    if (answer?.status !== 'resync' || ++this.#resyncs > MAX_RESYNCS) {
      this.#resyncs = 0;
      this.#trouble = answer?.status === 'stranger' ? 'stranger' : 'away';
      this.#endRetry();
      this.#retry = this.#o.clock.setTimer(this.#tryAgain, RETRY_MS);
    }
    this.#end();
    this.open();
    this.#o.onReady();
  }

  readonly #tryAgain = (): void => {
    this.#retry = undefined;
    this.open();
  };

  #endRetry(): void {
    this.#retry?.cancel();
    this.#retry = undefined;
  }

  #end(): void {
    const lost = [...this.#inFlight];
    this.#inFlight.clear();
    this.#isOpen = false;
    this.#session = this.#o.nextSession();
    this.#sequence = 0;
    lost.forEach((batch) => this.#o.onLost(batch));
  }

  #stamp(): { instance: number; session: number; sequence: number; view: number } {
    return { instance: this.#o.instance, session: this.#session, sequence: this.#sequence++, view: this.#o.view() };
  }

  /** `undefined`: no answer, or none that can be read. */
  async #exchange(question: Question, ms: number): Promise<Answer | undefined> {
    const { links, lender } = this.#o;
    const { signal, clear } = this.#patience.wait(ms, this.#stopped.signal);
    try {
      return decodeAnswer(await abortable(links.ask(lender, LINK_KINDS.shares, encodeQuestion(question), signal), signal));
    } catch {
      return undefined;
    } finally {
      clear();
    }
  }
}
