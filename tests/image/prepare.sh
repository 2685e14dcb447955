#!/bin/sh
# What `make test-image` needs of the host beside .venv: Debian packages that are missing (said before they are
# installed). Running it again costs nothing.
set -eu

say() { printf '%s\n' "$*" >&2; }

there() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]; }

missing=
for pair in mmdebstrap:mmdebstrap qemu-aarch64-static:qemu-user-static qemu-system-aarch64:qemu-system-arm \
    depmod:kmod mke2fs:e2fsprogs mkfs.vfat:dosfstools mcopy:mtools mosquitto:mosquitto ssh-keygen:openssh-client \
    openssl:openssl; do
    there "${pair%%:*}" || missing="$missing ${pair##*:}"
done
[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing="$missing debian-archive-keyring"
[ -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ] || missing="$missing binfmt-support"

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
# ARM code runs here through the kernel's binfmt_misc, which a container has to mount and to be told of.
if [ ! -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ]; then
    [ -e /proc/sys/fs/binfmt_misc/register ] || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
    update-binfmts --enable qemu-aarch64 || { say "ARM programs do not run here: binfmt_misc cannot be set up."; exit 1; }
fi
