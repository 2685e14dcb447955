#!/bin/sh
# What `make test-machine` needs of the host beside .venv: Debian packages that are missing (said before they are
# installed). Running it again costs nothing.
set -eu

. "$(dirname "$0")/../../provisioning/debian.sh"

missing=
needs() { # tool, package
    there "$1" || missing="$missing $2"
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

# shellcheck disable=SC2086  # a list of words
install_packages $missing
