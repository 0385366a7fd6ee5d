#!/usr/bin/env bash
# Puts the servers that the tests of dlbd.data talk to into ${DLBD_TEST_SERVERS:-~/.cache/dlbd-test-servers}, or into the
# system where Debian has them (as root). What is there already stays. `install.sh NAME...` installs only these.
set -euo pipefail
cache=${DLBD_TEST_SERVERS:-$HOME/.cache/dlbd-test-servers}
mkdir -p "$cache"
have() { command -v "$1" >/dev/null; }
debian() { [ "$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"; } >>"$cache/apt.log" 2>&1

# Each server is a function of its name.

for name in ${@:-}; do "$name"; done
