import type { CommandFacts, ValueFacts } from './command-tree.ts';
import { completionTable, flagsOf, quoted, valuePatterns } from './completion-table.ts';
import type { Completion } from './completion-table.ts';

export function zshCompletion(tree: CommandFacts): string {
  const table = completionTable(tree);
  const { rows, everywhere } = table;
  return `#compdef relayd p2p-relayd
# Completion of relayd for zsh, as "relayd completion zsh" prints it.

# The commands that may follow a command, each with what it does.
_relayd_commands() {
  case $1 in
${cases(rows.map((row) => [quoted(row.at), list('commands=', row.commands)]))}
  esac
}

_relayd_options() {
  ${list('options=', flagsOf(everywhere))}
  case $1 in
${cases(rows.map((row) => [quoted(row.at), list('options+=', flagsOf(row.options))]))}
  esac
}

# What else may follow it.
_relayd_operands() {
  case $1 in
${cases(rows.map((row) => [quoted(row.at), row.operands.map(completer).filter((line) => line !== NOTHING).join('; ')]))}
  esac
}

# What must follow an option; with $look set it only says whether something must. Fails for an option that stands alone.
_relayd_value() {
  case "$1 $2" in
${cases(valuePatterns(table).map(({ pattern, value }) => [pattern, `[[ -n $look ]] || ${completer(value)}`]))}
    *) return 1 ;;
  esac
}
${ENGINE}`;
}

/** A command that offers nothing. */
const NOTHING = 'true';

/** Those of a `case`; patterns without code are left out. */
function cases(patterns: readonly (readonly [pattern: string, code: string])[]): string {
  return patterns.filter(([, code]) => code !== '').map(([pattern, code]) => `    ${pattern}) ${code} ;;`).join('\n');
}

/** As _describe wants it: each word with its meaning behind a colon. */
function list(assignment: string, completions: readonly Completion[]): string {
  return completions.length === 0 ? '' : `${assignment}(${completions.map(({ word, meaning }) => quoted(`${word}:${meaning}`)).join(' ')})`;
}

function completer(value: ValueFacts): string {
  const code = { choice: `compadd -- ${value.choices.map(quoted).join(' ')}`, file: '_files', other: NOTHING };
  return code[value.kind];
}

const ENGINE = `
_relayd() {
  local at word look i
  local -a commands options
  for ((i = 2; i < CURRENT; i++)); do
    word=$words[i]
    commands=()
    _relayd_commands "$at"
    if look=yes _relayd_value "$at" "$word"; then
      ((i++))
    elif (( \${commands[(I)$word:*]} )); then
      at="\${at:+$at }$word"
    fi
  done
  if look=yes _relayd_value "$at" "$words[CURRENT-1]"; then
    _relayd_value "$at" "$words[CURRENT-1]"
    return
  fi
  if [[ $words[CURRENT] == -*=* ]]; then
    word=\${words[CURRENT]%%=*}
    compset -P 1 '*='
    _relayd_value "$at" "$word"
    return
  fi
  if [[ $words[CURRENT] == -* ]]; then
    _relayd_options "$at"
    _describe -o option options
    return
  fi
  commands=()
  _relayd_commands "$at"
  (( $#commands )) && _describe command commands
  _relayd_operands "$at"
}

# Read by autoload as a function's body, or sourced.
if [[ $funcstack[1] == _relayd ]]; then
  _relayd "$@"
else
  compdef _relayd relayd p2p-relayd
fi
`;
