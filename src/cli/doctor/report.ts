import type { Group, Item } from '../../doctor/index.ts';
import { plural, text } from '../format.ts';

type Status = Item['status'];

const MARKS: Record<Status, string> = { ok: 'ok', warning: 'WARNING', failed: 'FAILED' };
const COLOURS: Record<Status, string> = { ok: '\u001b[32m', warning: '\u001b[33m', failed: '\u001b[31m' };
const PLAIN = '\u001b[0m';
/** Beside the name of the item, in a terminal of 120 columns. */
const TEXT_WIDTH = 84;
const STATUS_WIDTH = Math.max(...Object.values(MARKS).map((mark) => mark.length)) + 2;

/** The checklist as a person reads it: what was found, and under it what to do. */
export function renderGroups(groups: readonly Group[], hasColour: boolean): string {
  const items = groups.flatMap((group) => group.items);
  const width = Math.max(...items.map(({ item }) => item.length)) + 2;
  const blocks = groups.map(({ title, items: own }) => `${title}\n${own.map((item) => renderItem(item, width, hasColour)).join('')}`);
  return `${blocks.join('\n')}\n${summary(items)}\n`;
}

function renderItem({ item, status, reason, advice }: Item, width: number, hasColour: boolean): string {
  const indent = ' '.repeat(2 + STATUS_WIDTH + width);
  const mark = MARKS[status].padEnd(STATUS_WIDTH);
  const head = `  ${hasColour ? `${COLOURS[status]}${mark}${PLAIN}` : mark}${item.padEnd(width)}`;
  // Some of the text is peers' and other programs'; what is to be copied stands in the advice.
  const found = reason.split('\n').flatMap((line) => wrap(text(line, { wide: false })));
  const todo = advice === '' ? [] : wrap(`-> ${text(advice, { wide: true })}`);
  return `${head}${[...found, ...todo].join(`\n${indent}`)}\n`;
}

/** Lines that are pleasant to read; a word that is longer has one of its own. */
function wrap(line: string): string[] {
  const lines = [''];
  for (const word of line.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (last !== '' && last.length + 1 + word.length > TEXT_WIDTH) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}

function summary(items: readonly Item[]): string {
  const count = (status: Status): number => items.filter((item) => item.status === status).length;
  return `${count('ok')} ok, ${plural(count('warning'), 'warning')}, ${count('failed')} failed`;
}
