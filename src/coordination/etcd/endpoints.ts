import type { Endpoint } from './endpoint.ts';

/** Several ways to one etcd: what works stays first, what fails goes to the end. */
export class Endpoints {
  #order: readonly Endpoint[];
  readonly #onFailed = new Set<(endpoint: Endpoint) => void>();

  constructor(endpoints: readonly Endpoint[]) {
    this.#order = endpoints;
  }

  get inOrder(): readonly Endpoint[] {
    return this.#order;
  }

  /** Hears of each failure. The result ends that. */
  onFailed(listener: (endpoint: Endpoint) => void): () => void {
    this.#onFailed.add(listener);
    return () => this.#onFailed.delete(listener);
  }

  failed(endpoint: Endpoint): void {
    endpoint.dropIdle();
    this.#order = [...this.#order.filter((other) => other !== endpoint), endpoint];
    this.#onFailed.forEach((listener) => listener(endpoint));
  }

  close(): void {
    this.#order.forEach((endpoint) => endpoint.close());
  }
}
