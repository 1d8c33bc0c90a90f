import { createHash } from 'node:crypto';
import type { Argument, Connection } from './connection.ts';

/** A Lua script that is named by its digest; the servers keep its text. */
export class Script {
  readonly #text: string;
  readonly #digest: string;

  constructor(text: string) {
    this.#text = text;
    this.#digest = createHash('sha1').update(text).digest('hex');
  }

  /** So that the text goes over a connection once, and no command overtakes another for the sake of sending it again. */
  async load(connection: Connection): Promise<void> {
    await connection.command(['SCRIPT', 'LOAD', this.#text]);
  }

  /** @param base what all keys begin with: its hash tag says which node of a Redis Cluster runs it */
  async run(connection: Connection, base: string, args: readonly Argument[]): Promise<unknown> {
    try {
      return await connection.command(['EVALSHA', this.#digest, '1', base, ...args]);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) {
        throw error;
      }
      return connection.command(['EVAL', this.#text, '1', base, ...args]);
    }
  }
}
