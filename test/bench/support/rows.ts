/** Prints columns that line up, to the right. */
export function printRows(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  for (const row of rows) {
    console.log(row.map((text, column) => text.padStart(widths[column] ?? 0)).join('   '));
  }
}
