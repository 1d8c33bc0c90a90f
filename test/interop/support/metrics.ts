/** A scrape in Prometheus' text format, to be asked for one series at a time. */
export class Scrape {
  readonly #lines: string[];

  constructor(text: string) {
    this.#lines = text.split('\n').filter((line) => !line.startsWith('#'));
  }

  /** @throws Error when there is no such series: a name that is not there must not read as zero */
  value(name: string, labels: Record<string, string> = {}): number {
    const pairs = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
    const line = this.#lines.find((text) => (text.startsWith(`${name}{`) || text.startsWith(`${name} `)) && pairs.every((pair) => text.includes(pair)));
    if (line === undefined) throw new Error(`no series ${name} with ${JSON.stringify(labels)}`);
    return Number(line.slice(line.lastIndexOf(' ') + 1));
  }
}
