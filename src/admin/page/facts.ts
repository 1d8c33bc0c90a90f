import type { Tick } from '../sampling.ts';
import { make, setText } from './elements.ts';
import { bytes, bytesPerSecond, milliseconds, number } from './format.ts';
import type { Status } from './status.ts';

interface Fact {
  readonly label: string;
  readonly value: string;
  readonly remark: string;
  /** How much of what there may be is used, 0 to 1; none where there is no limit. */
  readonly share?: number | undefined;
}

/** JSON has no infinity: a limit that is off is null there. */
interface Used {
  readonly count: number;
  readonly max: number | null;
}

/** More tiles than this stand in two rows on a wide screen. */
const MAX_IN_ROW = 7;

/** What matters now, in figures: one tile for each. */
export class Facts {
  readonly #host: HTMLElement;
  readonly #tiles = new Map<string, { value: HTMLElement; remark: HTMLElement; meter: HTMLMeterElement }>();

  constructor(host: HTMLElement) {
    this.#host = host;
  }

  /** @param refusedLately in the last five minutes; `undefined` until it is known */
  show(tick: Tick, refusedLately: number | undefined): void {
    const facts = factsOf(tick, refusedLately);
    this.#host.style.setProperty('--columns', String(facts.length <= MAX_IN_ROW ? facts.length : Math.ceil(facts.length / 2)));
    for (const fact of facts) {
      const tile = this.#tiles.get(fact.label) ?? this.#add(fact.label);
      setText(tile.value, fact.value);
      setText(tile.remark, fact.remark);
      tile.meter.hidden = fact.share === undefined;
      tile.meter.value = fact.share ?? 0;
      tile.meter.textContent = `${Math.round((fact.share ?? 0) * 100)} %`;
    }
  }

  #add(label: string): { value: HTMLElement; remark: HTMLElement; meter: HTMLMeterElement } {
    const value = make('p', { class: 'value' });
    const remark = make('p', { class: 'remark' });
    const meter = make('meter', { 'aria-label': `${label}: share of the limit` });
    Object.assign(meter, { min: 0, max: 1, low: 0.75, high: 0.9, optimum: 0 });
    const tile = { value, remark, meter };
    this.#tiles.set(label, tile);
    this.#host.append(make('div', { class: 'card fact' }, make('h2', {}, label), value, remark, meter));
    return tile;
  }
}

function factsOf(tick: Tick, refusedLately: number | undefined): Fact[] {
  const { values } = tick;
  const { relay, client, connections, process, tunnels } = tick.status as unknown as Status;
  return [
    ...(relay === undefined ? [] : relayFacts(relay, values.relayedBytesPerSecond ?? 0)),
    ...(client === undefined ? [] : [{ label: 'Relays held', value: number(client.held), remark: `of ${number(client.desired)} wanted` }]),
    ...(tunnels === undefined ? [] : [{ label: 'Tunnelled connections', value: number(values.openTunnels), remark: bytesPerSecond((values.tunnelSentBytesPerSecond ?? 0) + (values.tunnelReceivedBytesPerSecond ?? 0)) }]),
    ...(relay === undefined ? [] : [{ label: 'Refused', value: number(refusedLately), remark: 'in the last 5 min' }]),
    usedFact('Connections', { count: connections.open, max: connections.max }),
    { label: 'Event-loop delay', value: milliseconds(process.eventLoopDelayMs.p99), remark: `p99; worst ${milliseconds(process.eventLoopDelayMs.max)}` },
    { label: 'Memory', value: bytes(process.rssBytes), remark: `heap ${bytes(values.heapBytes)}` },
  ];
}

function relayFacts({ reservations, circuits, bytesRelayed, leaving }: NonNullable<Status['relay']>, rate: number): Fact[] {
  return [
    { ...usedFact('Reservations', reservations), ...(leaving > 0 ? { remark: `${number(leaving)} clients still to move` } : {}) },
    usedFact('Circuits', circuits),
    { label: 'Throughput', value: bytesPerSecond(rate), remark: `${bytes(bytesRelayed)} so far` },
  ];
}

function usedFact(label: string, { count, max }: Used): Fact {
  return { label, value: number(count), remark: max === null ? 'no limit' : `of ${number(max)}`, share: max === null || max === 0 ? undefined : Math.min(1, count / max) };
}
