#!/bin/sh
# Plays what the host asked for (careport-arguments, in the checkout) and tells the host on the second
# serial line.
set -eu
stty -F /dev/ttyS1 raw -echo
cd /srv/careport
if [ -e careport-trace ]; then
    stty -F /dev/ttyS2 raw -echo
    btmon --time > /dev/ttyS2 2>&1 &
fi
export PYTHONPATH=/srv/careport:/opt/site PYTHONUNBUFFERED=1
exec xargs -d '\n' -a careport-arguments python3 -m pytest -p no:cacheprovider --confcutdir tests/vm/guest \
    -p tests.vm.guest.telling -o python_files='*.py' --tb=short --show-capture=no -q -q \
    -o log_format='%(asctime)s.%(msecs)03d %(levelname).1s %(name)s: %(message)s' -o log_date_format=%H:%M:%S
