import type { List } from './api.ts';
import { fillCell, makeCell } from './cells.ts';
import type { TableSpec } from './columns.ts';
import { make, setText } from './elements.ts';
import { many, number } from './format.ts';

/** As many rows as a person looks through, fewer where each is a card of its own; the daemon picks them out. */
const PAGE_ROWS = matchMedia('(max-width: 44rem)').matches ? 20 : 50;
/** Typing is over when no key came for so long. */
const TYPING_MS = 250;
/** A long list costs the daemon work: it is read this much less often than a short one. */
const LONG_LIST = { rows: 2_000, everyMs: 10_000 };

/** Where the rows come from: `query` is `limit=…&offset=…&sort=…&filter=…`. */
export type Source<R> = (query: URLSearchParams, signal: AbortSignal) => Promise<List<R>>;

/** A table that sorts, filters and turns pages, and keeps what is selected and focused in it when it is read anew. */
export class Table<R> {
  readonly element: HTMLElement;
  readonly #spec: TableSpec<R>;
  readonly #source: Source<R>;
  readonly #onTotal: (total: number) => void;
  readonly #headings = new Map<string, HTMLTableCellElement>();
  readonly #body = make('tbody');
  readonly #none = make('p', { class: 'none', hidden: true });
  readonly #count = make('span', { class: 'count', role: 'status' });
  readonly #back = make('button', { type: 'button' }, 'Previous');
  readonly #next = make('button', { type: 'button' }, 'Next');
  readonly #rows = new Map<string, HTMLTableRowElement>();
  readonly #filter: HTMLInputElement;
  #sort = '';
  #offset = 0;
  #total = 0;
  #readAt = -Infinity;
  #reading: AbortController | undefined;

  constructor(spec: TableSpec<R>, source: Source<R>, onTotal: (total: number) => void) {
    this.#spec = spec;
    this.#source = source;
    this.#onTotal = onTotal;
    this.#filter = make('input', { type: 'search', placeholder: `Filter ${spec.title.toLowerCase()}`, 'aria-label': `Filter ${spec.title.toLowerCase()}`, autocomplete: 'off' });
    this.element = make('div', {}, make('div', { class: 'bar' }, this.#filter, this.#pager()), make('div', { class: 'scroll' }, this.#table()), this.#none);
    this.#listen();
  }

  /** To be called at each step; a long list is not read at every one. */
  refresh(): void {
    const since = performance.now() - this.#readAt;
    if (this.#reading === undefined && (this.#total <= LONG_LIST.rows || since >= LONG_LIST.everyMs)) void this.read();
  }

  async read(): Promise<void> {
    this.#reading?.abort();
    const reading = (this.#reading = new AbortController());
    try {
      const query = new URLSearchParams({ limit: String(PAGE_ROWS), offset: String(this.#offset), sort: this.#sort, filter: this.#filter.value });
      const list = await this.#source(query, reading.signal);
      this.#readAt = performance.now();
      this.#show(list);
    } catch {
      // The stream of events says when the daemon is away; rows that could not be read are read at the next step.
    } finally {
      if (this.#reading === reading) this.#reading = undefined;
    }
  }

  #show({ rows, total, matched }: List<R>): void {
    if (rows.length === 0 && this.#offset > 0) {
      this.#turnTo(Math.max(0, Math.floor((matched - 1) / PAGE_ROWS) * PAGE_ROWS));
      return;
    }
    this.#total = total;
    this.#onTotal(total);
    this.#arrange(rows);
    const last = this.#offset + rows.length;
    const range = matched <= PAGE_ROWS ? number(matched) : `${number(this.#offset + 1)}–${number(last)} of ${number(matched)}`;
    setText(this.#count, matched === total ? (matched <= PAGE_ROWS ? many(matched, 'row') : range) : `${range} found in ${number(total)}`);
    this.#back.disabled = this.#offset === 0;
    this.#next.disabled = last >= matched;
    this.#back.hidden = this.#next.hidden = matched <= PAGE_ROWS;
    this.#none.hidden = rows.length > 0;
    setText(this.#none, total === 0 ? this.#spec.none : `None of the ${number(total)} has “${this.#filter.value.trim()}” in it.`);
    this.element.classList.toggle('empty', rows.length === 0);
  }

  /** Rows that stay are moved and changed, not made anew. */
  #arrange(rows: readonly R[]): void {
    const gone = new Set(this.#rows.keys());
    let before = this.#body.firstElementChild;
    for (const row of rows) {
      const key = this.#spec.key(row);
      gone.delete(key);
      const line = this.#rows.get(key) ?? this.#add(key);
      this.#spec.columns.forEach((column, i) => line.cells[i] !== undefined && fillCell(line.cells[i], column, row));
      if (line === before) before = before.nextElementSibling;
      else this.#body.insertBefore(line, before);
    }
    for (const key of gone) {
      this.#rows.get(key)?.remove();
      this.#rows.delete(key);
    }
  }

  #add(key: string): HTMLTableRowElement {
    const line = make('tr', {}, ...this.#spec.columns.map((column) => makeCell(column)));
    this.#rows.set(key, line);
    return line;
  }

  #table(): HTMLElement {
    const headings = this.#spec.columns.map(({ label, kind, sort }) => {
      const heading = make('th', { class: kind, 'aria-sort': 'none' });
      if (sort === undefined) return heading;
      const button = make('button', { type: 'button' }, label);
      button.addEventListener('click', () => this.#sortBy(sort));
      heading.append(button);
      this.#headings.set(sort, heading);
      return heading;
    });
    return make('table', { 'aria-label': this.#spec.title }, make('thead', {}, make('tr', {}, ...headings)), this.#body);
  }

  #pager(): HTMLElement {
    this.#back.addEventListener('click', () => this.#turnTo(Math.max(0, this.#offset - PAGE_ROWS)));
    this.#next.addEventListener('click', () => this.#turnTo(this.#offset + PAGE_ROWS));
    return make('div', { class: 'pager' }, this.#count, this.#back, this.#next);
  }

  #listen(): void {
    let typing: ReturnType<typeof setTimeout> | undefined;
    this.#filter.addEventListener('input', () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.#turnTo(0), TYPING_MS);
    });
  }

  #turnTo(offset: number): void {
    this.#offset = offset;
    void this.read();
  }

  /** Up, down, and then the daemon's own order again. */
  #sortBy(column: string): void {
    this.#sort = { [column]: `-${column}`, [`-${column}`]: '' }[this.#sort] ?? column;
    for (const [name, heading] of this.#headings) {
      heading.setAttribute('aria-sort', name === this.#sort ? 'ascending' : `-${name}` === this.#sort ? 'descending' : 'none');
    }
    this.#turnTo(0);
  }
}
