import type { CommandFacts, OptionFacts, ValueFacts } from './command-tree.ts';
import { completionTable, flagsOf, operandWords, quoted, takesFile, valuePatterns } from './completion-table.ts';

/** Stands among words for the name of a file. */
const FILE = '@file';
/** And for what nobody can guess. */
const ANYTHING = '@any';

/** Nothing newer than what macOS has (bash 3.2): no associative arrays, no mapfile. */
export function bashCompletion(tree: CommandFacts): string {
  const table = completionTable(tree);
  const { rows, everywhere } = table;
  return `# Completion of relayd for bash, as "relayd completion bash" prints it.

# The commands that may follow a command.
_relayd_commands() {
  case $1 in
${cases(rows.map((row) => [quoted(row.at), row.commands.map((command) => command.word)]))}
  esac
}

# What else may follow it.
_relayd_operands() {
  case $1 in
${cases(rows.map((row) => [quoted(row.at), [...operandWords(row), ...(takesFile(row) ? [FILE] : [])]]))}
  esac
}

_relayd_options() {
  case $1 in
${cases(rows.map((row) => [quoted(row.at), wordsOf(row.options)]))}
  esac
  ${echo(wordsOf(everywhere))}
}

# What must follow an option: ${FILE} is the name of a file, ${ANYTHING} what nobody can guess. Nothing for an option that stands alone.
_relayd_value() {
  case "$1 $2" in
${cases(valuePatterns(table).map(({ pattern, value }) => [pattern, valueWords(value)]))}
  esac
}
${ENGINE}`;
}

/** Those of a `case` that print words; patterns without words are left out. */
function cases(patterns: readonly (readonly [pattern: string, words: readonly string[]])[]): string {
  return patterns.filter(([, words]) => words.length > 0).map(([pattern, words]) => `    ${pattern}) ${echo(words)} ;;`).join('\n');
}

function echo(words: readonly string[]): string {
  return `echo ${words.map(quoted).join(' ')}`;
}

function wordsOf(options: readonly OptionFacts[]): string[] {
  return flagsOf(options).map((flag) => flag.word);
}

function valueWords(value: ValueFacts): readonly string[] {
  const words = { choice: value.choices, file: [FILE], other: [ANYTHING] };
  return words[value.kind];
}

const ENGINE = `
_relayd() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} at= word words i
  # bash makes three words of --option=value.
  if [ "$cur" = = ]; then
    cur=
  elif [ "$prev" = = ]; then
    prev=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [ -n "$(_relayd_value "$at" "$word")" ]; then
      [ "\${COMP_WORDS[i + 1]}" = = ] && i=$((i + 1))
      i=$((i + 1))
    elif [[ " $(_relayd_commands "$at") " == *" $word "* ]]; then
      at="\${at:+$at }$word"
    fi
  done
  words=$(_relayd_value "$at" "$prev")
  if [ -z "$words" ]; then
    case $cur in
      -*) words=$(_relayd_options "$at") ;;
      *) words="$(_relayd_commands "$at") $(_relayd_operands "$at")" ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur" | grep -v '^@'))
  case " $words " in
    *' ${FILE} '*)
      compopt -o filenames 2>/dev/null
      local IFS=$'\\n'
      COMPREPLY+=($(compgen -f -- "$cur"))
      ;;
  esac
}

complete -F _relayd relayd p2p-relayd
`;
