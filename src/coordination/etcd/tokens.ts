import type { Credentials } from './credentials.ts';
import type { Endpoint } from './endpoint.ts';

type User = NonNullable<Credentials['user']>;

/** The token that etcd gave for the configured user: good at every member. Asked for once, however many wait for it. */
export class Tokens {
  readonly #user: () => User | undefined;
  readonly #authenticate: (user: User, endpoint: Endpoint) => Promise<string>;
  #token: string | undefined;
  #asking: Promise<string> | undefined;

  constructor(user: () => User | undefined, authenticate: (user: User, endpoint: Endpoint) => Promise<string>) {
    this.#user = user;
    this.#authenticate = authenticate;
  }

  /** Asks at `endpoint` when there is none; `undefined` where no user is configured. @throws what `authenticate` throws */
  async get(endpoint: Endpoint): Promise<string | undefined> {
    const user = this.#user();
    if (user === undefined) return undefined;
    return this.#token ?? (await this.#ask(user, endpoint));
  }

  /** What was used, `token`, is not taken any more. */
  isOver(token = this.#token): void {
    if (this.#token === token) this.#token = undefined;
  }

  #ask(user: User, endpoint: Endpoint): Promise<string> {
    this.#asking ??= this.#authenticate(user, endpoint)
      .then((token) => (this.#token = token))
      .finally(() => (this.#asking = undefined));
    return this.#asking;
  }
}
