/** What the benchmark `gossip` measures. */
export interface Plan {
  readonly relays: number;
  /** Reservations a second, at all relays together. */
  readonly rate: number;
  /** Of each measurement of traffic. */
  readonly seconds: number;
  /** As the kernel has it, at most 0. */
  readonly nice: number;
}
