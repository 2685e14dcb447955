"""A real dbus-daemon for one test, in the place of the machine's system bus."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

_CONFIGURATION = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{socket}.services</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


@contextlib.contextmanager
def dbus_daemon(directory: Path) -> Iterator[str]:
    """The address of a bus of its own, for `DBUS_SYSTEM_BUS_ADDRESS`.

    Raises:
        RuntimeError: dbus-daemon is not installed; says what to install.
    """
    binary = shutil.which("dbus-daemon")
    if binary is None:
        raise RuntimeError("dbus-daemon is not installed: apt-get install dbus")
    configuration = directory / "bus.conf"
    configuration.write_text(_CONFIGURATION.format(socket=directory / "bus"), encoding="utf-8")
    process = subprocess.Popen(
        [binary, f"--config-file={configuration}", "--nofork", "--print-address"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()  # printed when it listens
        assert address, "dbus-daemon ended at once"
        yield address
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
