#!/bin/sh
# What `make test-vm` needs of the host beside .venv: Debian packages that are missing (said before they are
# installed). Running it again costs nothing.
set -eu

. "$(dirname "$0")/../../provisioning/debian.sh"

missing=
there qemu-system-x86_64 || missing="$missing qemu-system-x86"
there mmdebstrap || missing="$missing mmdebstrap"
there mkfs.ext4 || missing="$missing e2fsprogs"
[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing="$missing debian-archive-keyring"

# shellcheck disable=SC2086  # a list of words
install_packages $missing
