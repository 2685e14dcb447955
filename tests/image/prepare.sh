#!/bin/sh
# What `make test-image` needs of the host beside .venv: Debian packages that are missing (said before they are
# installed). Running it again costs nothing.
set -eu

. "$(dirname "$0")/../../provisioning/debian.sh"

missing=
for pair in mmdebstrap:mmdebstrap qemu-aarch64-static:qemu-user-static qemu-system-aarch64:qemu-system-arm \
    depmod:kmod mke2fs:e2fsprogs mkfs.vfat:dosfstools mcopy:mtools mosquitto:mosquitto ssh-keygen:openssh-client \
    openssl:openssl; do
    there "${pair%%:*}" || missing="$missing ${pair##*:}"
done
[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing="$missing debian-archive-keyring"
[ -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ] || missing="$missing binfmt-support"

# shellcheck disable=SC2086  # a list of words
install_packages $missing
# ARM code runs here through the kernel's binfmt_misc, which a container has to mount and to be told of.
if [ ! -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ]; then
    [ -e /proc/sys/fs/binfmt_misc/register ] || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
    update-binfmts --enable qemu-aarch64 || { say "ARM programs do not run here: binfmt_misc cannot be set up."; exit 1; }
fi
