"""What became of the scenarios: from what the guest told to lines, and to JUnit's XML."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tests.vm.image import MachineError
from tests.vm.machine import Machine

_REBOOTS = "test_reboot_is_asked_for"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one scenario; `measured` are its numbers, the `aim` among them, by their names."""

    file: str
    name: str
    passed: bool
    seconds: float
    measured: dict[str, Any] = field(default_factory=dict)
    problem: str = ""

    def __str__(self) -> str:
        """One line, and why if it failed."""
        words = self.name.removeprefix("test_").replace("_", " ")
        numbers = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in self.measured.items())
        line = (
            f"{'passed' if self.passed else 'FAILED'}  {self.file}: {words}: {numbers} ({self.seconds:.0f} s)"
        )
        return f"{line}\n{self.problem}" if self.problem else line


def read_results(file: str, machine: Machine, arguments: Sequence[str]) -> Iterator[Result]:
    """Play a file of scenarios; what was to be played and was not, is a failure."""
    expected: list[str] = []
    passed: list[str] = []
    collected = False
    console = machine.out / "console.log"
    try:
        for said in machine.play(file, arguments):
            match said:
                case {"collected": list(names)}:
                    expected, collected = names, True
                case {"ended": str(name), "outcome": str(outcome)}:
                    if name in expected:
                        expected.remove(name)
                    if outcome == "passed":
                        passed.append(name)
                    yield Result(
                        file,
                        name,
                        outcome == "passed",
                        said["seconds"],
                        said["properties"],
                        "\n".join(filter(None, (said["problem"], said["log"]))),
                    )
                case {"garbled": str(line)}:
                    yield Result(file, "the serial line", False, 0, problem=line)
        problem = "the machine ended before they were played"
    except MachineError as error:
        problem = str(error)
        if not expected:
            yield Result(file, "the machine", False, 0, problem=problem)
    else:
        if not collected:
            yield Result(file, "the machine", False, 0, problem=f"it told nothing; see {console}")
    for name in expected:
        yield Result(file, name, False, 0, problem=f"{problem}; see {console}")
    if _REBOOTS in passed and not machine.has_restarted():
        yield Result(file, "the machine restarts", False, 0, problem="it was asked to, and did not")


def write_junit(path: Path, results: Iterable[Result]) -> None:
    """As JUnit's XML, for whoever reads that, and with the same name as JSON."""
    told = list(results)
    suite = ElementTree.Element(
        "testsuite",
        name="tests.vm",
        tests=str(len(told)),
        failures=str(sum(not each.passed for each in told)),
    )
    for each in told:
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"tests.vm.{each.file}", name=each.name, time=str(each.seconds)
        )
        properties = ElementTree.SubElement(case, "properties")
        for name, value in each.measured.items():
            ElementTree.SubElement(properties, "property", name=name, value=str(value))
        if not each.passed:
            ElementTree.SubElement(case, "failure").text = each.problem
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
    numbers = [
        {"file": each.file, "name": each.name, "passed": each.passed, **each.measured} for each in told
    ]
    path.with_suffix(".json").write_text(json.dumps(numbers, indent=2) + "\n")
