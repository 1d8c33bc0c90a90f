import { createInterface } from 'node:readline';
import { errorMessage } from '../../../src/lib/errors.ts';

/** What a program does when it is told to, by name. */
export type Orders = { [name: string]: (args: never) => Promise<object> | object };

/** Says that it is ready, does one order after the other, all in JSON lines, and resolves with the end of standard input. */
export async function serveOrders(orders: Orders, ready: object = {}): Promise<void> {
  say({ event: 'ready', ...ready });
  for await (const line of createInterface({ input: process.stdin })) {
    say(await answer(orders, line));
  }
}

async function answer(orders: Orders, line: string): Promise<object> {
  const { id, cmd, ...args } = JSON.parse(line) as { id: number; cmd: string };
  try {
    const order = orders[cmd];
    if (order === undefined) throw new Error(`there is no order ${cmd}`);
    return { id, ok: true, ...(await order(args as never)) };
  } catch (error) {
    return { id, ok: false, error: errorMessage(error) };
  }
}

function say(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
