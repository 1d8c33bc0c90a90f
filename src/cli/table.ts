import type { Style } from './format.ts';

export interface Column<Row> {
  title: string;
  value: (row: Row, style: Style) => string;
  /** Numbers stand under each other by their last digit. */
  right?: boolean;
  /** Only with `--wide`: for what would make the lines too long. */
  wide?: boolean;
}

const GAP = '  ';

/** Aligned columns under their titles; ends with a newline. */
export function renderTable<Row>(all: readonly Column<Row>[], rows: readonly Row[], style: Style): string {
  const columns = all.filter((column) => style.wide || column.wide !== true);
  const lines = [columns.map((column) => column.title), ...rows.map((row) => columns.map((column) => column.value(row, style)))];
  const widths = columns.map((_column, i) => Math.max(...lines.map((cells) => width(cells[i]))));
  return lines.map((cells) => `${cells.map((cell, i) => pad(cell, widths[i] ?? 0, columns[i]?.right ?? false)).join(GAP).trimEnd()}\n`).join('');
}

function pad(cell: string, to: number, right: boolean): string {
  const space = ' '.repeat(Math.max(0, to - width(cell)));
  return right ? space + cell : cell + space;
}

function width(cell = ''): number {
  return Array.from(cell).length;
}
