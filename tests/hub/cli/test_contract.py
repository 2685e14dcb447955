"""`carehub contract`: the document, the schemas, and that every reference in them leads somewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema_rs import meta

from hub.contract.document import EVENTS
from tests.rigs.hub_process import carehub_here


def printed(*arguments: str) -> Any:
    ended = carehub_here("contract", *arguments)
    assert (ended.code, ended.errors) == (0, "")
    return json.loads(ended.output)


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (said for key, said in node.items() if key == "$ref")
        for each in node.values():
            yield from references(each)
    elif isinstance(node, list):
        for each in node:
            yield from references(each)


def found(document: Any, reference: str) -> Any:
    node = document
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return node


def test_it_prints_an_asyncapi_document_whose_references_all_lead_somewhere() -> None:
    document = printed()
    assert document["asyncapi"] == "3.0.0"
    led = {reference: found(document, reference) for reference in references(document)}
    assert len(led) > 50
    assert document["channels"]["alert"]["address"] == "careport/v1/{site}/{hub}/alert"
    actions = {name: operation["action"] for name, operation in document["operations"].items()}
    received = [name for name, action in actions.items() if action == "receive"]
    assert received == ["receive-acknowledgement", "receive-update"]
    retained = [
        name for name, operation in document["operations"].items() if operation["bindings"]["mqtt"]["retain"]
    ]
    assert retained == ["send-status"]


def test_each_schema_of_its_directory_stands_by_itself(tmp_path: Path) -> None:
    ended = carehub_here("contract", "--directory", tmp_path / "new")
    assert ended.code == 0
    files = {path.stem: path for path in (tmp_path / "new" / "schemas").iterdir()}
    assert files.keys() == {told.schema for told in EVENTS}
    for path in files.values():
        schema = json.loads(path.read_text())
        meta.validate(schema)
        assert all(found(schema, reference) for reference in references(schema))
    assert json.loads((tmp_path / "new" / "asyncapi.json").read_text()) == printed()


def test_it_prints_one_schema() -> None:
    assert printed("--schema", "status.v1")["$id"].endswith("/schemas/status.v1.json")


def test_a_schema_that_there_is_not_is_answered_with_those_that_there_are() -> None:
    ended = carehub_here("contract", "--schema", "nonsense")
    assert ended.code == 1
    assert "alert.raised.v1" in ended.errors


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "schemas").write_text("a file")
    ended = carehub_here("contract", "--directory", tmp_path)
    assert ended.code == 1
    assert str(tmp_path) in ended.errors
