import { randomBytes } from 'node:crypto';
import { Channel } from './channel.ts';
import type { ChannelOptions } from './channel.ts';

/** Bytes of the number of this run. */
const INSTANCE_BYTES = 6;

type ChannelsOptions = Pick<ChannelOptions, 'links' | 'clock' | 'view' | 'onAnswer' | 'onLost'> & {
  readonly report: (lender: string) => ReturnType<ChannelOptions['report']>;
  readonly onReady: (lender: string) => void;
};

/** What this relay says to each other one that is alive. */
export class Channels {
  readonly #o: ChannelsOptions;
  readonly #instance = randomBytes(INSTANCE_BYTES).readUIntBE(0, INSTANCE_BYTES);
  #sessions = 0;
  readonly #channels = new Map<string, Channel>();

  constructor(options: ChannelsOptions) {
    this.#o = options;
  }

  get(lender: string): Channel | undefined {
    return this.#channels.get(lender);
  }

  endAll(): void {
    this.#channels.forEach((channel) => channel.end());
  }

  /** From now on to these. */
  set(lenders: readonly string[]): void {
    for (const [lender, channel] of this.#channels) {
      if (lenders.includes(lender)) continue;
      channel.stop();
      this.#channels.delete(lender);
    }
    for (const lender of lenders) {
      const channel = this.#channels.get(lender) ?? this.#make(lender);
      this.#channels.set(lender, channel);
      channel.open();
    }
  }

  /** Says all anew: what was on its way is lost. */
  restart(lender: string): void {
    const channel = this.#channels.get(lender);
    channel?.end();
    channel?.open();
  }

  #make(lender: string): Channel {
    const { report, onReady, ...options } = this.#o;
    return new Channel({ ...options, lender, instance: this.#instance, nextSession: () => ++this.#sessions, report: () => report(lender), onReady: () => onReady(lender) });
  }
}
