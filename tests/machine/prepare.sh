#!/bin/sh
# What `make test-machine` needs of the host beside .venv: Debian packages that are missing (said before they are
# installed). Running it again costs nothing.
set -eu

say() { printf '%s\n' "$*" >&2; }

missing=
needs() { # tool, package
    command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ] || missing="$missing $2"
}
needs systemd-nspawn systemd-container
needs mmdebstrap mmdebstrap
needs ssh openssh-client
needs ip iproute2
needs nft nftables
needs mkfs.ext4 e2fsprogs
needs mosquitto mosquitto
needs openssl openssl
[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing="$missing debian-archive-keyring"

if [ -n "$missing" ]; then
    say "These Debian packages are missing and are now installed with apt-get:$missing"
    sudo=
    if [ "$(id -u)" != 0 ]; then
        sudo=sudo
        command -v sudo >/dev/null 2>&1 || { say "Neither root nor sudo: run 'apt-get install$missing' as root."; exit 1; }
    fi
    $sudo apt-get update -qq
    # shellcheck disable=SC2086  # a list of words
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
