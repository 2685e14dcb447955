#!/bin/sh
# Debian's Chromium for the browser tests; says so before it installs it. Running it again costs nothing.
set -eu
[ -x /usr/bin/chromium ] && exit 0
sudo=
if [ "$(id -u)" != 0 ]; then
    sudo=sudo
    command -v sudo >/dev/null 2>&1 || { echo "Neither root nor sudo: run 'apt-get install chromium' as root." >&2; exit 1; }
fi
echo "Chromium is missing and is now installed with apt-get: chromium" >&2
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
