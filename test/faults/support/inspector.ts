import { once } from 'node:events';
import { freePort } from '../../support/free-port.ts';
import { within } from '../../support/waiting.ts';

/**
 * Node's own debugger, over which a row makes a relay's event loop stand still, collects its garbage and counts what it holds: the
 * program needs no hook for that.
 */
export class Inspector {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #calls = 0;

  /** @param port as given to the process by {@link inspectArgs} */
  static async connect(port: number): Promise<Inspector> {
    const targets = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as { webSocketDebuggerUrl: string }[];
    const socket = new WebSocket(targets[0]?.webSocketDebuggerUrl ?? '');
    await within(once(socket, 'open'), 'the debugger of a relay');
    return new Inspector(socket);
  }

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      const answer = JSON.parse(String(data)) as Answer;
      this.#waiting.get(answer.id ?? 0)?.(answer);
    });
  }

  /** The value of an expression, in the relay. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result } = await this.call<{ result: { value: T } }>('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
    return result.value;
  }

  /** Bytes on the heap that something still holds. */
  async heapUsed(): Promise<number> {
    await this.call('HeapProfiler.collectGarbage');
    return (await this.call<{ usedSize: number }>('Runtime.getHeapUsage')).usedSize;
  }

  /** How many objects of a class there are after a collection. */
  async instances(name: string): Promise<number> {
    const { result } = await this.call<{ result: { objectId: string } }>('Runtime.evaluate', { expression: `${name}.prototype` });
    const { objects } = await this.call<{ objects: { objectId: string } }>('Runtime.queryObjects', { prototypeObjectId: result.objectId, objectGroup: 'counted' });
    const counted = await this.call<{ result: { value: number } }>('Runtime.callFunctionOn', { objectId: objects.objectId, functionDeclaration: 'function () { return this.length; }', returnByValue: true });
    await this.call('Runtime.releaseObjectGroup', { objectGroup: 'counted' });
    return counted.result.value;
  }

  async call<T>(method: string, params: object = {}): Promise<T> {
    const id = ++this.#calls;
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.#socket.send(JSON.stringify({ id, method, params }));
    const { result, error } = await within(answered, `the answer to ${method}`, CALL_MS);
    this.#waiting.delete(id);
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result as T;
  }

  close(): void {
    this.#socket.close();
  }
}

/** Longer than any stall that a row makes. */
const CALL_MS = 60_000;

interface Answer {
  id?: number;
  result?: unknown;
  error?: { message: string };
}

/** A port, and the arguments with which Node opens its debugger there. */
export async function inspectArgs(): Promise<{ port: number; nodeArgs: string[] }> {
  const port = await freePort();
  return { port, nodeArgs: [`--inspect=127.0.0.1:${port}`] };
}
