#!/bin/sh
# Debian's Chromium for the browser tests; says so before it installs it. Running it again costs nothing.
set -eu
. "$(dirname "$0")/../../provisioning/debian.sh"
[ -x /usr/bin/chromium ] || install_packages chromium
