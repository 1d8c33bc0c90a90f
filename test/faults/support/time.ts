/** Milliseconds of the machine's monotonic clock: the same in every process, so that what one does and another sees can be set off against each other. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
