"""USB devices that are plugged in and pulled out without hardware: real libudev, pyudev and python-evdev,
over a sysfs, device nodes and messages of udev that umockdev plays.

umockdev's library is preloaded, and what a process opens in /sys and /dev is looked for in the testbed first:
a test that is marked `on_a_testbed` is therefore run in a process of its own.

Not played: udev's rules (what they would set is written into the testbed), permissions of device nodes, and
that only one program can take a keyboard for itself (EVIOCGRAB always succeeds here): `tests/vm` has these.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import importlib.util
import json
import os
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import NoReturn

_ROOT = Path(__file__).parent.parent.parent
_PATIENCE_SECONDS = 60.0
_CONTROLLER = "platform/soc/fe980000.usb/usb1"

KEYBOARD_KEYS = "10000 7 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe"
"""What a common keyboard can type (capabilities/key), as a 64 bit kernel writes it."""
CONSUMER_KEYS = "3f000301ff 0 0 0 0 1 130c730b17c000 0 c000 0"
"""What the second input device of a common reader can: volume, brightness, a browser's buttons."""
POWER_KEYS = "c000 10000000000000 0"
"""The third: sleep, power, wake up."""

_KEYBOARD_ANSWERS = f"""\
EVIOCGVERSION 0 01000100
EVIOCGEFFECTS 0 00000000
EVIOCGID 0 0300F90503220001
EVIOCGNAME(0) 14 {b"A reader".hex().upper():0<512}
EVIOCGBIT(0) 4 03000000
EVIOCGBIT(1) 96 {"FE" + 9 * "FF":0<192}
"""
"""What its ioctls answer: the version, the ids, the name, that it has keys and which."""

Scenario = Callable[["Testbed"], Awaitable[None]]


def on_a_testbed(scenario: Scenario) -> Callable[[], None]:
    """A test that is given a testbed, in a process of its own."""
    return _elsewhere(scenario)


def in_a_network_of_its_own(scenario: Scenario) -> Callable[[], None]:
    """The same, where what is sent to those who listen to the kernel or udev reaches nobody else."""
    return _elsewhere(scenario, "unshare", "--user", "--map-root-user", "--net")


def _elsewhere(scenario: Scenario, *within: str) -> Callable[[], None]:
    def run() -> None:
        file = str(sys.modules[scenario.__module__].__file__)
        code, errors = _stage(within).play(file, scenario.__name__)
        assert code == 0, errors

    run.__name__ = scenario.__name__
    run.__doc__ = scenario.__doc__
    run.__module__ = scenario.__module__
    run.scenario = scenario  # type: ignore[attr-defined]  # for `_Stage.main`, in the other process
    return run


@functools.cache
def _stage(within: tuple[str, ...]) -> _Stage:
    return _Stage(within)


class _Stage:
    """A process that the library is preloaded in. It forks for each test, as to start takes longer than most
    of them, and ends with the tests."""

    def __init__(self, within: tuple[str, ...]) -> None:
        if shutil.which("umockdev-wrapper") is None:
            raise RuntimeError("umockdev is not installed: apt-get install umockdev")
        self._process = subprocess.Popen(
            [*within, "umockdev-wrapper", sys.executable, "-m", "tests.rigs.umockdev"],
            cwd=_ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def play(self, file: str, name: str) -> tuple[int, str]:
        """Play one test; gives 0, or what went wrong."""
        asked, answers, errors = self._process.stdin, self._process.stdout, self._process.stderr
        assert asked is not None and answers is not None and errors is not None  # noqa: PT018  # for mypy
        asked.write(f"{file}\t{name}\n")
        asked.flush()
        if not select.select([answers], [], [], _PATIENCE_SECONDS)[0]:
            self._process.kill()
            return -1, "it did not end"
        answer = answers.readline()
        if not answer:
            return -1, errors.read()
        code, said = json.loads(answer)
        return code, said

    @staticmethod
    def main() -> None:
        """In the other process."""
        modules: dict[str, ModuleType] = {}
        for line in sys.stdin:
            file, name = line.rstrip("\n").split("\t")
            if file not in modules:
                modules[file] = _imported(file)
            with tempfile.TemporaryFile() as said:
                child = os.fork()
                if child == 0:
                    os.dup2(said.fileno(), 1)
                    os.dup2(said.fileno(), 2)
                    _play(getattr(modules[file], name).scenario)
                code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                said.seek(0)
                print(json.dumps([code, said.read().decode(errors="replace")]), flush=True)


def _imported(file: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(Path(file).stem, file)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[module.__name__] = module
    specification.loader.exec_module(module)
    return module


def _play(scenario: Scenario) -> NoReturn:
    """Play it, and end this process: with 0, or having said what went wrong."""

    async def on_a_testbed() -> None:
        testbed = Testbed()
        try:
            await scenario(testbed)
        finally:
            testbed.close()

    code = 1
    try:
        asyncio.run(on_a_testbed())
        code = 0
    finally:
        if code:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


@dataclass(frozen=True)
class Plug:
    """A USB device. `chain` is the chain of ports that it is plugged into, `number` the kernel's for it."""

    vendor: str = "0403"
    product: str = "6001"
    serial: str | bytes | None = "A9XK2P7Q"
    manufacturer: str | bytes = "FTDI"
    name: str | bytes = "FT232R USB UART"
    chain: str = "1.4"
    number: int = 7

    @property
    def path(self) -> str:
        """Where sysfs has it."""
        ports = self.chain.split(".")
        return "/".join(
            [f"/sys/devices/{_CONTROLLER}", *(f"1-{'.'.join(ports[:n])}" for n in _from_1(ports))]
        )

    def said_by_udev(self, interface: int = 0) -> dict[str, str | bytes]:
        """The properties that udev's rules would set (60-serial.rules, 60-input-id.rules)."""
        said: dict[str, str | bytes] = {
            "ID_BUS": "usb",
            "ID_VENDOR_ID": self.vendor,
            "ID_MODEL_ID": self.product,
            "ID_USB_INTERFACE_NUM": f"{interface:02x}",
            "ID_PATH": f"platform-fe980000.usb-usb-0:{self.chain}:1.{interface}",
            "ID_VENDOR_ENC": _encoded(self.manufacturer),
            "ID_MODEL_ENC": _encoded(self.name),
        }
        if self.serial is not None:
            said["ID_SERIAL_SHORT"] = self.serial
        return said


def _from_1(ports: list[str]) -> range:
    return range(1, len(ports) + 1)


def _encoded(name: str | bytes) -> str | bytes:
    return name.replace(" ", r"\x20") if isinstance(name, str) else name.replace(b" ", rb"\x20")


@dataclass
class PlayedKeyboard:
    """A keyboard whose node can be opened, and the other end of it."""

    node: str
    descriptor: int

    def send(self, *events: tuple[int, int, int]) -> None:
        """What the kernel would tell: type, code and value of each event (`struct input_event`)."""
        os.write(self.descriptor, b"".join(struct.pack("=qqHHi", 0, 0, *event) for event in events))

    def pull(self) -> None:
        """It is pulled out, while it is open."""
        os.close(self.descriptor)


class Testbed:
    """A sysfs of its own. Only in a process that umockdev's library is preloaded in."""

    __test__ = False  # is no test, whatever pytest makes of its name

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libumockdev.so.0")
        for function in ("new", "get_root_dir", "add_devicev"):
            getattr(self._library, f"umockdev_testbed_{function}").restype = ctypes.c_void_p
        self._testbed = ctypes.c_void_p(self._library.umockdev_testbed_new())
        root = ctypes.c_void_p(self._library.umockdev_testbed_get_root_dir(self._testbed))
        self.root = Path(ctypes.string_at(root.value or 0).decode())

    def close(self) -> None:
        """Take it away."""
        ctypes.CDLL("libgobject-2.0.so.0").g_object_unref(self._testbed)

    def plug_serial(
        self,
        plug: Plug,
        node: str = "ttyUSB0",
        *,
        interface: int = 0,
        line: int = 0,
        says: Mapping[str, str | bytes] | None = None,
        tell: bool = True,
    ) -> str:
        """Plug a serial adapter in; gives the path of its line. `says` is what udev says of it, `line` the
        number of the line where one interface has several."""
        above = self.interface(plug, interface)
        port = self._add("usb-serial", node, above, {"port_number": str(line)})
        path = f"{port}/tty/{node}"
        properties = {"DEVNAME": f"/dev/{node}", **(plug.said_by_udev(interface) if says is None else says)}
        self._add("tty", f"tty/{node}", port, {"dev": "188:0"}, properties)
        if tell:
            self.tell(path)
        return path

    def plug_keyboard(
        self,
        plug: Plug,
        event: int = 5,
        *,
        interface: int = 0,
        keys: str = KEYBOARD_KEYS,
        says: Mapping[str, str | bytes] | None = None,
        tell: bool = True,
    ) -> str:
        """Plug something in that has keys; gives the path of its event device."""
        above = self.interface(plug, interface)
        input_ = self._add("input", f"input/input{event}", above, {"capabilities/key": keys})
        path = f"{input_}/event{event}"
        properties = {
            "DEVNAME": f"/dev/input/event{event}",
            **({"ID_INPUT": "1", **plug.said_by_udev(interface)} if says is None else says),
        }
        self._add("input", f"event{event}", input_, {"dev": f"13:{64 + event}"}, properties)
        if tell:
            self.tell(path)
        return path

    def add(
        self,
        subsystem: str,
        name: str,
        above: str | None,
        attributes: Mapping[str, str | bytes] | None = None,
        properties: Mapping[str, str | bytes] | None = None,
    ) -> str:
        """Add any device; gives its path."""
        return self._add(subsystem, name, above, attributes or {}, properties or {})

    def tell(self, path: str, action: str = "add") -> None:
        """udev sends a message."""
        self._library.umockdev_testbed_uevent(self._testbed, path.encode(), action.encode())

    def set_property(self, path: str, name: str, text: str | bytes) -> None:
        """udev says this of a device from now on."""
        octets = text if isinstance(text, bytes) else text.encode()
        self._library.umockdev_testbed_set_property(self._testbed, path.encode(), name.encode(), octets)

    def pull(self, path: str, plug: Plug, *, tell: bool = True) -> None:
        """Pull a device out, one of whose lines or keyboards has this path."""
        if tell:
            self.tell(path, "remove")
        shutil.rmtree(f"{self.root}{plug.path}")
        for pattern in ("sys/class/*/*", "sys/bus/*/devices/*", "sys/dev/*/*", "dev/.node/*"):
            for link in self.root.glob(pattern):
                if not link.exists():
                    link.unlink()

    def played_keyboard(self, event: int = 5) -> PlayedKeyboard:
        """A keyboard that can be opened and typed on: `/dev/input/event5`."""
        node = f"/dev/input/event{event}"
        path = self._library.umockdev_testbed_add_from_string(
            self._testbed,
            f"P: /devices/{_CONTROLLER}/event{event}\nN: input/event{event}\n"
            f"E: DEVNAME={node}\nE: SUBSYSTEM=input\nA: dev=13:{64 + event}\n".encode(),
            None,
        )
        assert path, "umockdev does not take the keyboard"
        with tempfile.NamedTemporaryFile("w", suffix=".ioctl") as answers:
            answers.write(_KEYBOARD_ANSWERS)
            answers.flush()
            taken = self._library.umockdev_testbed_load_ioctl(
                self._testbed, node.encode(), answers.name.encode(), None
            )
        assert taken, "umockdev does not take the keyboard's answers"
        return PlayedKeyboard(node, self._library.umockdev_testbed_get_dev_fd(self._testbed, node.encode()))

    @contextlib.contextmanager
    def kernels_own_messages(self) -> Iterator[None]:
        """Who begins to listen meanwhile listens to the kernel's network, where `tell` reaches nobody."""
        libc = ctypes.CDLL(None)
        libc.unsetenv(b"UMOCKDEV_DIR")
        try:
            yield
        finally:
            libc.setenv(b"UMOCKDEV_DIR", str(self.root).encode(), 1)

    def interface(self, plug: Plug, interface: int = 0) -> str:
        """Plug a device in that is no line and no keyboard yet; gives the path of its interface."""
        above = f"/sys/devices/{_CONTROLLER}"
        if not self._is_there(above):
            self._add("usb", _CONTROLLER, None, {"devpath": "0"}, {"DEVTYPE": "usb_device"})
        ports = plug.chain.split(".")
        for n in _from_1(ports)[:-1]:
            above = self._usb_device(above, ".".join(ports[:n]), {"idVendor": "05e3", "idProduct": "0610"})
        says = {"idVendor": plug.vendor, "idProduct": plug.product, "devnum": str(plug.number)}
        texts = {"serial": plug.serial, "manufacturer": plug.manufacturer, "product": plug.name}
        above = self._usb_device(above, plug.chain, says | {k: v for k, v in texts.items() if v is not None})
        path = f"1-{plug.chain}:1.{interface}"
        if not self._is_there(f"{above}/{path}"):
            number = {"bInterfaceNumber": f"{interface:02x}"}
            self._add("usb", path, above, number, {"DEVTYPE": "usb_interface"})
        return f"{above}/{path}"

    def _usb_device(self, above: str, chain: str, says: Mapping[str, str | bytes]) -> str:
        path = f"{above}/1-{chain}"
        if not self._is_there(path):
            self._add("usb", f"1-{chain}", above, {"devpath": chain, **says}, {"DEVTYPE": "usb_device"})
        return path

    def _is_there(self, path: str) -> bool:
        return Path(f"{self.root}{path}").exists()

    def _add(
        self,
        subsystem: str,
        name: str,
        above: str | None,
        attributes: Mapping[str, str | bytes],
        properties: Mapping[str, str | bytes] | None = None,
    ) -> str:
        path = self._library.umockdev_testbed_add_devicev(
            self._testbed,
            subsystem.encode(),
            name.encode(),
            above.encode() if above is not None else None,
            _strings(attributes),
            _strings(properties or {}),
        )
        return ctypes.string_at(path).decode()


def _strings(pairs: Mapping[str, str | bytes]) -> ctypes.Array[ctypes.c_char_p]:
    octets = [text if isinstance(text, bytes) else text.encode() for pair in pairs.items() for text in pair]
    return (ctypes.c_char_p * (len(octets) + 1))(*octets, None)


if __name__ == "__main__":
    _Stage.main()
