import type { Column } from './columns.ts';
import { make, setClass, setText } from './elements.ts';

/** Of an id the end tells one from another; its beginning is the same for most. */
const TAIL_CHARS = 6;

const GOOD = ['ready', 'reserved', 'member', 'live'];
const BAD = ['lost', 'backoff', 'disconnected'];
const PLAIN = ['public', 'candidate', 'expose', 'forward'];

/** The look of a state's badge. */
export function badgeClass(state: string): string {
  const is = (known: readonly string[]): boolean => known.some((word) => state.startsWith(word));
  const tone = is(GOOD) ? 'good' : is(BAD) ? 'bad' : is(PLAIN) ? 'plain' : 'warn';
  return `badge ${tone}`;
}

/** A cell for a column; `label` stands before the value where rows are cards. */
export function makeCell({ label, kind }: Column<never>): HTMLTableCellElement {
  const parts = kind === 'id' ? [make('span', { class: 'head' }), make('span')] : [];
  return make('td', { class: kind, 'data-label': label }, make('span', {}, ...parts));
}

export function fillCell<R>(cell: HTMLTableCellElement, { kind, say }: Column<R>, row: R): void {
  const value = say(row);
  const [content] = cell.children;
  if (content === undefined) return;
  const [head, tail] = content.children;
  if (head !== undefined && tail !== undefined) {
    const split = value.length > 2 * TAIL_CHARS ? value.length - TAIL_CHARS : value.length;
    setText(head, value.slice(0, split));
    setText(tail, value.slice(split));
  } else {
    setText(content, value);
  }
  if (kind === 'state') setClass(content, badgeClass(value));
  if ((kind === 'id' || kind === 'code') && cell.title !== value) cell.title = value;
}
