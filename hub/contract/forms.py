"""JSON Schema (draft 7, which AsyncAPI 3.0 has without further words) in few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Schema = dict[str, Any]

COMPONENTS = "#/components/schemas/"
"""Where an AsyncAPI document has its schemas: how one refers to another here."""

DATE_TIME: Schema = {
    "type": "string",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$",
}
TEXT: Schema = {"type": "string", "minLength": 1}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}


def const(value: object) -> Schema:
    """This and nothing else."""
    return {"const": value}


def one_of(*values: object) -> Schema:
    """One of these values."""
    return {"enum": list(values)}


def pattern(expression: str) -> Schema:
    """Text of a form."""
    return {"type": "string", "pattern": expression}


def ref(name: str) -> Schema:
    """Another schema of the contract."""
    return {"$ref": f"{COMPONENTS}{name}"}


def items(each: Schema, least: int = 1, most: int | None = None) -> Schema:
    """A list of one kind."""
    return {"type": "array", "items": each, "minItems": least, **({} if most is None else {"maxItems": most})}


def whole(required: Mapping[str, object], optional: Mapping[str, object] | None = None) -> Schema:
    """An object with these keys and no other. What is no schema is a constant."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": {
            key: said if isinstance(said, dict) and _is_schema(said) else const(said)
            for key, said in {**required, **(optional or {})}.items()
        },
    }


def any_of(*schemas: Schema) -> Schema:
    """As one of these says at the least."""
    return schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}


def standalone(name: str, schemas: Mapping[str, Schema], base: str) -> Schema:
    """One schema with all that it refers to, as a document of its own."""
    needed: dict[str, Schema] = {}
    _collect(schemas[name], schemas, needed)
    made: Schema = {"$schema": "http://json-schema.org/draft-07/schema#", "$id": f"{base}/{name}.json"}
    made |= _rewritten(schemas[name])
    if needed:
        made["definitions"] = {key: _rewritten(needed[key]) for key in sorted(needed)}
    return made


_KEYWORDS = frozenset({"type", "const", "enum", "anyOf", "allOf", "$ref", "not", "contains"})


def _is_schema(said: Mapping[str, object]) -> bool:
    return not _KEYWORDS.isdisjoint(said)


def _collect(node: object, schemas: Mapping[str, Schema], found: dict[str, Schema]) -> None:
    if isinstance(node, Mapping):
        target = node.get("$ref")
        if isinstance(target, str):
            name = target.removeprefix(COMPONENTS)
            if name not in found:
                found[name] = schemas[name]
                _collect(schemas[name], schemas, found)
        for each in node.values():
            _collect(each, schemas, found)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for each in node:
            _collect(each, schemas, found)


def _rewritten(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            key: f"#/definitions/{said.removeprefix(COMPONENTS)}" if key == "$ref" else _rewritten(said)
            for key, said in node.items()
        }
    return [_rewritten(each) for each in node] if isinstance(node, list) else node
