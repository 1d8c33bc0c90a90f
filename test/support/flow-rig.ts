import type { Stream } from '@libp2p/interface';
import { systemClock } from '../../src/lib/clock.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { holdCredit } from '../../src/lib/flow.ts';
import { Bandwidth } from '../../src/relay/bandwidth.ts';
import type { Shaper } from '../../src/relay/bandwidth.ts';
import { BufferLedger } from '../../src/relay/buffer-ledger.ts';
import { makeFlow } from '../../src/relay/flow.ts';
import type { Flow } from '../../src/relay/flow.ts';
import { ByteReader } from './byte-reader.ts';
import { until } from './waiting.ts';
import { yamuxPair } from './yamux-pair.ts';

export interface FlowRigOptions {
  limitBytes?: number;
  shaper?: Shaper;
  ledger?: BufferLedger;
  clock?: Clock;
}

/** One direction of a circuit between a sender and a receiver, each with a window of its own. */
export interface FlowRig {
  sender: Stream;
  receiver: Stream;
  /** Reads what the receiver gets, from the start. */
  reader: ByteReader;
  flow: Flow;
  ledger: BufferLedger;
  from: Stream;
  to: Stream;
  /** What the flow told, in order. */
  told: string[];
  /** Resolves when the flow has told something that begins with `what`. */
  tells(what: string): Promise<void>;
}

export const freeShaper = (clock: Clock = systemClock): Shaper => new Bandwidth({ perCircuit: Infinity, perPeer: Infinity, total: Infinity }, clock).shaperFor('source', 'target');

/** The flow is not started. The sender's credit is held, as the handlers hold it while they open a circuit. */
export async function flowRig(options: FlowRigOptions = {}): Promise<FlowRig> {
  const { clock = systemClock } = options;
  const [sender, from] = await yamuxPair().open();
  const [to, receiver] = await yamuxPair().open();
  holdCredit(from);
  const told: string[] = [];
  const ledger = options.ledger ?? new BufferLedger(Infinity);
  const flow: Flow = makeFlow({
    from,
    to,
    windowBytes: 256 * 1024,
    limitBytes: options.limitBytes ?? Infinity,
    shaper: options.shaper ?? freeShaper(clock),
    ledger,
    clock,
    onMoved: (bytes) => told.push(`moved ${bytes}`),
    onEnd: () => told.push('end'),
    onOverLimit: () => {
      told.push('over limit');
      flow.stop();
    },
    onError: (error) => told.push(`error ${String(error)}`),
  });
  const tells = (what: string): Promise<void> => until(() => told.some((line) => line.startsWith(what)), `the flow to tell "${what}" (it told ${told.join(', ')})`);
  return { sender, receiver, reader: new ByteReader(receiver), flow, ledger, from, to, told, tells };
}

const FLOW_EVENTS = ['message', 'remoteCloseWrite', 'drain', 'idle', 'end', 'close'] as const;

/** Listeners on a stream, of each kind that a flow or a circuit may add. */
export function listenersOf(stream: Stream): Record<string, number> {
  const counted = stream as Stream & { listenerCount(type: string): number };
  return Object.fromEntries(FLOW_EVENTS.map((type) => [type, counted.listenerCount(type)]));
}
