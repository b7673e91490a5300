"""The JSON Schema of a scenario file, for editors; built from the same fields that validate."""

from typing import Any

from dcsim import units
from dcsim.scenario.model import Scenario

Node = dict[str, Any]
_DIMENSIONS = {each.canonical: each for each in vars(units).values() if isinstance(each, units.Dimension)}


def json_schema() -> Node:
    """Return the schema (draft 2020-12) that an editor for TOML can use: kinds as ``oneOf``, units as patterns.

    A file that ``extends`` another may leave out what is required elsewhere.
    """
    schema = tidy_schema()
    for table in schema["$defs"].values():
        if "const" in table["properties"].get("kind", {}):
            table["required"] = ["kind", *(key for key in table.get("required", ()) if key != "kind")]
            table["properties"]["kind"].pop("default", None)
            if "preset" in table["properties"]:  # a preset brings the kind and whatever else it needs
                table["if"], table["else"] = {"required": ["preset"]}, {"required": table.pop("required")}
    hazard = schema["$defs"]["Hazard"]
    hazard["properties"]["mtbf"]["oneOf"].append({"type": "string", "enum": ["optics"]})
    hazard["if"], hazard["else"] = {"required": ["preset"]}, {"required": hazard.pop("required")}
    _allow_base(schema["$defs"])
    reached: list[Node] = []
    required = _required(schema, schema["$defs"], reached)
    for table in reached:
        table.pop("required", None)
    base = {"type": "string", "description": "file in the same folder that this one completes; its lists are replaced"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dcsim scenario",
        **schema,
        "properties": {"extends": base, **schema["properties"]},
        "if": {"required": ["extends"]},
        "else": required,
    }


def _allow_base(models: dict[str, Node]) -> None:
    """Let a topology table name a base, which brings whatever the table leaves out."""
    topology = models["TopologyDescription"]
    reached: list[Node] = []
    topology["if"], topology["else"] = {"required": ["base"]}, _required(topology, models, reached)
    for table in reached:
        table.pop("required", None)
    base = {"type": "string", "description": "name or path of a topology that the other keys of this table change"}
    topology["properties"] = {"base": base, **topology["properties"]}


def tidy_schema() -> Node:
    """Return what pydantic says about the keys of a scenario, as plain as TOML: kinds under ``$defs`` by class name."""
    schema: Node = _tidy(Scenario.model_json_schema())
    return schema


def _tidy(node: Any) -> Any:
    """Drop what TOML cannot say (null) and what no reader needs (titles); write defaults with their units."""
    if isinstance(node, list):
        return [_tidy(each) for each in node]
    if not isinstance(node, dict):
        return node
    node = {key: _tidy(value) for key, value in node.items() if not (key == "title" and isinstance(value, str))}
    node = {key: value for key, value in node.items() if value is not None}
    forms = [form for form in node.get("anyOf", ()) if form != {"type": "null"}]
    if len(forms) == 1:
        del node["anyOf"]
        node = forms[0] | node
    unit = _unit(node)
    counts = any(form.get("type") == "integer" for form in node.get("oneOf", ()))  # a count, or a share of them
    if unit is not None and isinstance(node.get("default"), int | float) and not counts:
        node["default"] = units.write(node["default"], _DIMENSIONS[unit])
    return node


def _unit(node: Node) -> str | None:
    """Return the unit of a quantity, or of the form of a key that is one."""
    found: str | None = node.get("x-unit")
    return found or next((unit for form in node.get("oneOf", ()) if (unit := _unit(form))), None)


def _required(table: Node, models: dict[str, Node], reached: list[Node]) -> Node:
    """Return what a table and the tables inside it require, as a schema of its own; note the tables ``reached``."""
    reached.append(table)
    found: Node = {"required": table["required"]} if "required" in table else {}
    for key, value in table["properties"].items():
        if "$ref" in value and (inner := _required(models[value["$ref"].rpartition("/")[2]], models, reached)):
            found.setdefault("properties", {})[key] = inner
    return found
