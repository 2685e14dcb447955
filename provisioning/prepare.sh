#!/bin/sh
# Makes this checkout ready to run: Debian packages that are missing (said before they are installed),
# and a virtual environment in .venv from requirements.lock. Running it again costs nothing.
set -eu
cd "$(dirname "$0")/.."

. provisioning/debian.sh

suits() { command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

python=
for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
    if suits "$candidate"; then python=$candidate; break; fi
done

missing=
[ -n "$python" ] || missing="$missing python3"
{ [ -n "$python" ] && "$python" -c 'import ensurepip' 2>/dev/null; } || missing="$missing python3-venv"
there mosquitto || missing="$missing mosquitto"
# The broker that clusters, for the tests only.
there nats-server || missing="$missing nats-server"
there dbus-daemon || missing="$missing dbus"
# Plays udev, and USB devices with it, for the tests only.
there umockdev-wrapper || missing="$missing umockdev"
# Units are held to what systemd says of them.
there systemd-analyze || missing="$missing systemd"
# Setting hubs up is tested over a real sshd; what a firewall has, with its own command.
there sshd || missing="$missing openssh-server"
there nft || missing="$missing nftables"
there openssl || missing="$missing openssl"
# systemd-python and evdev come as source only.
there gcc || missing="$missing gcc libc6-dev"
there pkg-config || missing="$missing pkg-config"
pkg-config --exists libsystemd 2>/dev/null || missing="$missing libsystemd-dev"
[ -n "$python" ] && "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' \
    || missing="$missing python3-dev"

if [ -n "$missing" ]; then
    # shellcheck disable=SC2086  # a list of words
    install_packages $missing
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if suits "$candidate"; then python=$candidate; break; fi
    done
    [ -n "$python" ] || { say "The hub needs Python 3.11, 3.12 or 3.13; this system has none. Set PYTHON to one."; exit 1; }
fi

want=$("$python" -c 'import sys; print(sys.version_info[:2])')$(cat requirements.lock pyproject.toml | sha256sum)
if [ "$(cat .venv/prepared 2>/dev/null || true)" != "$want" ]; then
    say "Making the virtual environment .venv with $("$python" --version) from requirements.lock"
    "$python" -m venv --clear .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock >&2
    PYTHONWARNINGS=ignore .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . >&2
    printf '%s' "$want" > .venv/prepared
fi
