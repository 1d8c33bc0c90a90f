import type { CommandFacts, OptionFacts, ValueFacts } from './command-tree.ts';
import { completionTable } from './completion-table.ts';
import type { CompletionRow } from './completion-table.ts';

export function fishCompletion(tree: CommandFacts): string {
  const { rows, everywhere } = completionTable(tree);
  const withValue = new Set([...everywhere, ...rows.flatMap((row) => row.options)].filter((option) => option.value !== undefined).flatMap((option) => option.flags));
  const commands = rows.flatMap((row) => row.commands.map(({ word }) => (row.at === '' ? word : `${row.at} ${word}`)));
  return `# Completion of relayd for fish, as "relayd completion fish" prints it.

# True when the words before the cursor name this command.
function __relayd_at
    set -l at ''
    set -l skip no
    for word in (commandline -opc)[2..]
        if test $skip = yes
            set skip no
        else if contains -- $word ${[...withValue].join(' ')}
            set skip yes
        else if contains -- (string trim "$at $word") ${commands.map(quoted).join(' ')}
            set at (string trim "$at $word")
        end
    end
    test "$at" = "$argv"
end

complete -c relayd -f
${everywhere.map((option) => optionLine('complete -c relayd', option)).join('\n')}
${rows.flatMap(rowLines).join('\n')}
complete -c p2p-relayd -w relayd
`;
}

function rowLines(row: CompletionRow): string[] {
  const start = `complete -c relayd -n ${quoted(`__relayd_at ${row.at === '' ? '""' : row.at}`)}`;
  return [
    ...row.commands.map(({ word, meaning }) => `${start} -a ${quoted(word)} -d ${quoted(meaning)}`),
    ...row.operands.filter(({ kind }) => kind !== 'other').map((operand) => `${start} ${operand.kind === 'file' ? '-F' : `-a ${quoted(operand.choices.join(' '))}`}`),
    ...row.options.map((option) => optionLine(start, option)),
  ];
}

function optionLine(start: string, option: OptionFacts): string {
  return [start, flagsOf(option), option.value === undefined ? '' : valueOf(option.value), `-d ${quoted(option.description)}`].filter((part) => part !== '').join(' ');
}

function flagsOf(option: OptionFacts): string {
  return option.flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)).join(' ');
}

/** -r: a value must follow; -F: which is a file; -x: which is no file. */
function valueOf(value: ValueFacts): string {
  const written = { choice: `-x -a ${quoted(value.choices.join(' '))}`, file: '-r -F', other: '-x' };
  return written[value.kind];
}

/** In fish's single quotes a backslash stands before a quote and before itself. */
function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`;
}
