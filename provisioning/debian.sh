# For the scripts that make a machine ready for `make`: read by them with `.`, no program of its own.
# shellcheck shell=sh

say() { printf '%s\n' "$*" >&2; }

there() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]; }

install_packages() { # Debian packages; said before they are installed; of none, nothing
    [ $# -gt 0 ] || return 0
    say "These Debian packages are missing and are now installed with apt-get: $*"
    sudo=
    if [ "$(id -u)" != 0 ]; then
        sudo=sudo
        there sudo || { say "Neither root nor sudo: run 'apt-get install $*' as root."; exit 1; }
    fi
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
