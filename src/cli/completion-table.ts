import { allCommands } from './command-tree.ts';
import type { CommandFacts, OptionFacts, ValueFacts } from './command-tree.ts';

export interface CompletionTable {
  readonly rows: readonly CompletionRow[];
  /** The options that every command takes. */
  readonly everywhere: readonly OptionFacts[];
}

/** What may follow the words of one command. */
export interface CompletionRow {
  /** `config check`; empty for the program itself. */
  readonly at: string;
  readonly commands: readonly Completion[];
  readonly operands: readonly ValueFacts[];
  /** Without those of every command. */
  readonly options: readonly OptionFacts[];
}

/** A word, and what it means. */
export interface Completion {
  readonly word: string;
  readonly meaning: string;
}

export function completionTable(tree: CommandFacts): CompletionTable {
  const everywhere = new Set(tree.options.flatMap((option) => option.flags));
  const rows = [...allCommands(tree)].map((command) => ({
    at: command.path.join(' '),
    commands: command.commands.map((sub) => ({ word: sub.path.at(-1) ?? '', meaning: sub.description })),
    operands: command.operands,
    options: command.options.filter((option) => !option.flags.some((flag) => everywhere.has(flag))),
  }));
  return { rows, everywhere: tree.options };
}

/** Each flag by itself. */
export function flagsOf(options: readonly OptionFacts[]): Completion[] {
  return options.flatMap((option) => option.flags.map((word) => ({ word, meaning: option.description })));
}

/** Patterns of a POSIX `case` on "COMMAND OPTION", each with what must follow that option. */
export function valuePatterns({ rows, everywhere }: CompletionTable): { pattern: string; value: ValueFacts }[] {
  const own = rows.flatMap((row) => patternsOf(row.options, (flag) => quoted(`${row.at} ${flag}`)));
  return [...own, ...patternsOf(everywhere, (flag) => `*${quoted(` ${flag}`)}`)];
}

function patternsOf(options: readonly OptionFacts[], pattern: (flag: string) => string): { pattern: string; value: ValueFacts }[] {
  return options.flatMap(({ flags, value }) => (value === undefined ? [] : [{ pattern: flags.map(pattern).join('|'), value }]));
}

/** The choices of operands, as words. */
export function operandWords(row: CompletionRow): string[] {
  return row.operands.flatMap((operand) => operand.choices);
}

export function takesFile(row: CompletionRow): boolean {
  return row.operands.some((operand) => operand.kind === 'file');
}

/** As one word of a POSIX shell. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
