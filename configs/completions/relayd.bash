# Completion of relayd for bash, as "relayd completion bash" prints it.

# The commands that may follow a command.
_relayd_commands() {
  case $1 in
    '') echo 'run' 'config' 'key' 'realm' 'migrate' 'completion' 'doctor' 'invite' 'join' 'share' 'open' 'status' 'reservations' 'circuits' 'peers' 'relays' 'tunnels' 'ping' 'reload' 'drain' 'help' ;;
    'config') echo 'check' 'print' 'schema' 'help' ;;
    'key') echo 'show' 'new' 'backup' 'help' ;;
    'realm') echo 'init' 'issue' 'list' 'revoke' 'help' ;;
  esac
}

# What else may follow it.
_relayd_operands() {
  case $1 in
    'config check') echo '@file' ;;
    'config print') echo '@file' ;;
    'config help') echo 'check' 'print' 'schema' ;;
    'key backup') echo '@file' ;;
    'key help') echo 'show' 'new' 'backup' ;;
    'realm help') echo 'init' 'issue' 'list' 'revoke' ;;
    'migrate') echo '@file' ;;
    'completion') echo 'bash' 'zsh' 'fish' ;;
    'help') echo 'run' 'config' 'key' 'realm' 'migrate' 'completion' 'doctor' 'invite' 'join' 'share' 'open' 'status' 'reservations' 'circuits' 'peers' 'relays' 'tunnels' 'ping' 'reload' 'drain' ;;
  esac
}

_relayd_options() {
  case $1 in
    'config print') echo '--origin' '--json' ;;
    'key show') echo '--json' ;;
    'key new') echo '--json' ;;
    'key backup') echo '--json' ;;
    'realm init') echo '--name' '--json' ;;
    'realm issue') echo '--peer' '--max-peers' '--expires' '--uses' '--circuits' '--duration' '--bytes' '--bandwidth' '--note' '--json' ;;
    'realm list') echo '-w' '--wide' '--json' ;;
    'realm revoke') echo '--undo' '--json' ;;
    'migrate') echo '--identity' '--swarm-key' '--data-dir' '-y' '--yes' '--json' ;;
    'doctor') echo '--admin' '--token-file' '--json' '--file-only' '--ask' '--prometheus' '--failover' ;;
    'invite') echo '--tunnel' '--peer' '--max-peers' '--expires' '--uses' '--note' '--relay' '--realm' '--qr' '--json' '--run' '-y' '--yes' ;;
    'join') echo '-y' '--yes' '--run' ;;
    'share') echo '--name' '--relay' '--max-peers' '--expires' '--qr' ;;
    'open') echo '--listen' ;;
    'status') echo '--admin' '--token-file' '--json' '--watch' '--cluster' '-w' '--wide' ;;
    'reservations') echo '--admin' '--token-file' '--json' '--watch' '-w' '--wide' ;;
    'circuits') echo '--admin' '--token-file' '--json' '--watch' '-w' '--wide' ;;
    'peers') echo '--admin' '--token-file' '--json' '--watch' '-w' '--wide' ;;
    'relays') echo '--admin' '--token-file' '--json' '--watch' '-w' '--wide' '--dnsaddr' '--name' '--ttl' ;;
    'tunnels') echo '--admin' '--token-file' '--json' '--watch' '-w' '--wide' ;;
    'ping') echo '--admin' '--token-file' '--json' '--watch' '-n' '--count' '--fresh' '-i' '--interval' ;;
    'reload') echo '--admin' '--token-file' '--json' ;;
    'drain') echo '--admin' '--token-file' '--json' '--no-wait' '--timeout' ;;
  esac
  echo '-V' '--version' '-c' '--config' '--profile' '--role' '--set' '-h' '--help'
}

# What must follow an option: @file is the name of a file, @any what nobody can guess. Nothing for an option that stands alone.
_relayd_value() {
  case "$1 $2" in
    'realm init --name') echo '@any' ;;
    'realm issue --peer') echo '@any' ;;
    'realm issue --max-peers') echo '@any' ;;
    'realm issue --expires') echo '@any' ;;
    'realm issue --uses') echo '@any' ;;
    'realm issue --circuits') echo '@any' ;;
    'realm issue --duration') echo '@any' ;;
    'realm issue --bytes') echo '@any' ;;
    'realm issue --bandwidth') echo '@any' ;;
    'realm issue --note') echo '@any' ;;
    'migrate --identity') echo '@file' ;;
    'migrate --swarm-key') echo '@file' ;;
    'migrate --data-dir') echo '@file' ;;
    'doctor --admin') echo '@any' ;;
    'doctor --token-file') echo '@file' ;;
    'doctor --ask') echo '@any' ;;
    'doctor --prometheus') echo '@any' ;;
    'invite --tunnel') echo '@any' ;;
    'invite --peer') echo '@any' ;;
    'invite --max-peers') echo '@any' ;;
    'invite --expires') echo '@any' ;;
    'invite --uses') echo '@any' ;;
    'invite --note') echo '@any' ;;
    'invite --relay') echo '@any' ;;
    'invite --realm') echo '@any' ;;
    'share --name') echo '@any' ;;
    'share --relay') echo '@any' ;;
    'share --max-peers') echo '@any' ;;
    'share --expires') echo '@any' ;;
    'open --listen') echo '@any' ;;
    'status --admin') echo '@any' ;;
    'status --token-file') echo '@file' ;;
    'reservations --admin') echo '@any' ;;
    'reservations --token-file') echo '@file' ;;
    'circuits --admin') echo '@any' ;;
    'circuits --token-file') echo '@file' ;;
    'peers --admin') echo '@any' ;;
    'peers --token-file') echo '@file' ;;
    'relays --admin') echo '@any' ;;
    'relays --token-file') echo '@file' ;;
    'relays --name') echo '@any' ;;
    'relays --ttl') echo '@any' ;;
    'tunnels --admin') echo '@any' ;;
    'tunnels --token-file') echo '@file' ;;
    'ping --admin') echo '@any' ;;
    'ping --token-file') echo '@file' ;;
    'ping -n'|'ping --count') echo '@any' ;;
    'ping -i'|'ping --interval') echo '@any' ;;
    'reload --admin') echo '@any' ;;
    'reload --token-file') echo '@file' ;;
    'drain --admin') echo '@any' ;;
    'drain --token-file') echo '@file' ;;
    'drain --timeout') echo '@any' ;;
    *' -c'|*' --config') echo '@file' ;;
    *' --profile') echo 'tier1' 'tier2' 'tier3' ;;
    *' --role') echo 'relay' 'client' 'both' ;;
    *' --set') echo '@any' ;;
  esac
}

_relayd() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} at= word words i
  # bash makes three words of --option=value.
  if [ "$cur" = = ]; then
    cur=
  elif [ "$prev" = = ]; then
    prev=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [ -n "$(_relayd_value "$at" "$word")" ]; then
      [ "${COMP_WORDS[i + 1]}" = = ] && i=$((i + 1))
      i=$((i + 1))
    elif [[ " $(_relayd_commands "$at") " == *" $word "* ]]; then
      at="${at:+$at }$word"
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
    *' @file '*)
      compopt -o filenames 2>/dev/null
      local IFS=$'\n'
      COMPREPLY+=($(compgen -f -- "$cur"))
      ;;
  esac
}

complete -F _relayd relayd p2p-relayd
