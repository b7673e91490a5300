"""Every key that a scenario may hold, as tables: what ``dcsim list`` prints, read from the models that validate.

A description carries its default's source as ``(default 15 min: deck)``; what is not there cannot be listed, so a test
asks every key for it.
"""

import re
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, get_args

from dcsim import units
from dcsim.distributions import Distribution
from dcsim.hazards import LIFETIMES
from dcsim.hazards.presets import hazard_tables
from dcsim.power.keys import DATES
from dcsim.recovery import STRATEGIES, Recovery
from dcsim.recovery.presets import presets
from dcsim.registry import kind_of
from dcsim.scenario.schema import Node, json_schema, tidy_schema
from dcsim.scenario.uncertain import VALUES
from dcsim.shipped import shipped_files
from dcsim.topology import resolve
from dcsim.wording import written

DISTRIBUTIONS = {kind_of(form): form for form in get_args(Distribution)}
_FAMILIES = {
    model.__name__: family
    for family, kinds in (
        ("strategy", STRATEGIES),
        ("lifetime", LIFETIMES),
        ("distribution", DISTRIBUTIONS),
        ("distribution", VALUES),
    )
    for model in kinds.values()
}
_QUANTITIES = {
    "duration": units.DURATION,
    "MTBF": units.MTBF,
    "share": units.SHARE,
    "work": units.WORK,
    "size": units.SIZE,
    "power": units.POWER,
    "rate": units.RATE,
    "length": units.LENGTH,
    "tokens": units.TOKENS,
    "speed": units.TOKEN_RATE,
    "USD/kWh": units.PER_KWH,
    "USD/kW/mo": units.PER_KW_MONTH,
    "USD/W": units.PER_WATT,
    "USD": units.MONEY,
    "USD/mo": units.PER_MONTH,
    "USD/GiB/mo": units.PER_GIB_MONTH,
    "USD/Mtok": units.PER_MTOK,
}
_QUANTITY = {(dimension.canonical, bool(dimension.rates)): name for name, dimension in _QUANTITIES.items()}

_INSIDE = r"(?:[^()]|\([^()]*\))*"
_DEFAULT = re.compile(rf"\s*\(default (?P<default>[^:()]*): (?P<source>{_INSIDE})\)")
_DERIVED = re.compile(r"\s*\(default: (?P<default>[^()]*)(?P<source>)\)")
_SOURCED = re.compile(rf"\s*\((?P<default>)(?P<source>(?:deck|primer|assumed|public \([^()]*\))(?:[:;,] {_INSIDE})?)\)")


@dataclass(frozen=True)
class Key:
    """One key. ``type``: what may be written; ``default``: "" if there is none; ``source``: where that is from."""

    name: str
    type: str
    default: str
    source: str
    meaning: str
    required: bool = False


@dataclass(frozen=True)
class KeyTable:
    """The keys of one table of a scenario file; ``title``: how it is written there; ``example``: the model's own."""

    title: str
    about: str
    keys: tuple[Key, ...]
    example: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reference:
    """What one topic lists."""

    topic: str
    tables: tuple[KeyTable, ...]

    @property
    def units(self) -> dict[str, list[str]]:
        """What may stand behind the numbers of the quantities in these tables, by the name of their type."""
        types = "\n".join(key.type for table in self.tables for key in table.keys)
        return {name: list(dimension.listed) for name, dimension in quantities(types).items()}

    def to_json(self) -> dict[str, Any]:
        """Return the topic as plain data."""
        return {"topic": self.topic, "units": self.units, "tables": [asdict(table) for table in self.tables]}


def quantities(types: str | None = None) -> dict[str, units.Dimension]:
    """Return the quantities that are named in the types of keys, or all of them, by name."""
    return {
        name: dimension
        for name, dimension in _QUANTITIES.items()
        if types is None or re.search(rf"(?<![\w/]){name}s?(?![\w/])", types)
    }


def reference(topic: str) -> Reference:
    """Return the tables of one of ``TOPICS``; KeyError for anything else."""
    return Reference(topic, tuple(_TOPICS[topic](_whole_schema())))


def _whole_schema() -> Node:
    """Return the models' keys and what only files know: ``extends``, a topology's ``base``, an MTBF of optics."""
    models, files = tidy_schema(), json_schema()
    inner = {
        name: {**node, "properties": {**files["$defs"][name]["properties"]}} for name, node in models["$defs"].items()
    }
    return {**models, "properties": files["properties"], "$defs": inner}


# --- topics -----------------------------------------------------------------------------------------------------------


def _strategies(schema: Node) -> Iterator[KeyTable]:
    """The keys that all kinds share, then what each kind has of its own or takes otherwise."""
    common: dict[str, Key] = {}
    for model in STRATEGIES.values():
        for key in _keys(schema["$defs"][model.__name__]):
            base = Recovery.model_fields.get(key.name)
            if base is not None and base.description == model.model_fields[key.name].description:
                common.setdefault(key.name, key)
    order = [common[name] for name in Recovery.model_fields]
    yield KeyTable("[jobs.recovery]", "Keys of every kind.", tuple(order))
    for kind, model in STRATEGIES.items():
        ignored = sorted(model.unused | ({"coverage"} if model.rolls_back else set()))
        own, *inner = _tables(schema, model.__name__, "jobs.recovery", title=f'kind = "{kind}"')
        about = f"{own.about} Ignores {', '.join(ignored)}." if ignored else own.about
        yield replace(own, about=about, keys=tuple(key for key in own.keys if key != common.get(key.name)))
        yield from inner


def _hazards(schema: Node) -> Iterator[KeyTable]:
    yield from _tables(schema, "Hazard", "hazards", listed=True)
    for kind, model in LIFETIMES.items():
        yield from _tables(schema, model.__name__, "hazards.mtbf", title=f'mtbf.kind = "{kind}"')


def _distributions(schema: Node) -> Iterator[KeyTable]:
    for kind, model in DISTRIBUTIONS.items():
        yield from _tables(schema, model.__name__, "", title=f'kind = "{kind}"')
    for kind, value in VALUES.items():
        yield from _tables(schema, value.__name__, "", title=f'uncertain.value.kind = "{kind}"')


def _topologies(schema: Node) -> Iterator[KeyTable]:
    for name in shipped_files("topologies"):
        found = resolve(name)
        sizes = f"{found.node.gpus} GPUs per node, {found.rack.nodes} nodes per rack"
        yield KeyTable(name, f"{found.description}. {sizes}, NVLink domain: {found.nvlink.domain}.", ())
    yield from _tables(schema, "TopologyDescription", "", title="A topology file of your own")


def _presets(schema: Node) -> Iterator[KeyTable]:
    """The values of each preset, and dates by their names; a list of tables is told table by table."""
    for name, preset in presets().items():
        node = schema["$defs"][STRATEGIES[preset.kind].__name__]
        title, known, inner = f'preset = "{name}"', {key.name: key for key in _keys(node)}, []
        values = {}
        for key, value in preset.keys.items():
            values[key] = value
            if isinstance(value, list):
                values[key] = f"{len(value)} tables"
                ((model, _),) = _inside(node["properties"][key])
                parts = {part.name: part for part in _keys(schema["$defs"][model])}
                for number, (entry, sources) in enumerate(zip(value, preset.inner[key], strict=True), start=1):
                    about = f"Table {number} of {len(value)} in its list of {key}."
                    inner.append(KeyTable(f"{title}, {key} {number}", about, _given(parts, entry, sources)))
        yield KeyTable(title, f"{preset.about} Kind: {preset.kind}.", _given(known, values, preset.sources))
        yield from inner
    known = {key.name: key for key in _keys(schema["$defs"]["Hazard"])}
    for name, table in hazard_tables().items():
        rows: list[Key] = []
        for part in table.parts:
            values = {key: written(value) for key, value in part.keys.items() if key != "name"}
            if len(table.parts) == 1:
                rows += _given(known, values, part.sources)
            else:
                source = "; ".join(dict.fromkeys(part.sources.values()))
                rows.append(Key(str(part.keys["name"]), "hazard", written(values), source, part.about))
        one = f' One of them: preset = "{table.parts[0].name}".' if len(table.parts) > 1 else ""
        yield KeyTable(f'[[hazards]] preset = "{name}"', table.about + one, tuple(rows))
    ends = {key.name: key for key in _keys(schema["$defs"]["Uniform"])}
    for name, wait in DATES.items():
        its = {"low": wait.low, "high": wait.high}
        about = f"How long one waits for {wait.about}. Kind: uniform, assumed."
        yield KeyTable(f'energisation.date = "{name}"', about, _given(ends, its, dict.fromkeys(its, wait.source)))


def _given(known: Mapping[str, Key], values: Mapping[str, Any], sources: Mapping[str, str]) -> tuple[Key, ...]:
    """Return keys with values, and where these are from, in the place of their defaults."""
    return tuple(
        replace(known[key], default=str(value), source=sources[key], required=False) for key, value in values.items()
    )


def _others(schema: Node) -> Iterator[KeyTable]:
    """The tables of a scenario that no other topic lists."""
    schema = {**schema, "$defs": schema["$defs"] | {"": schema}}
    yield from _tables(schema, "", "", title="Top level", leave_out={"Hazard", "TopologyDescription"})


_TOPICS: dict[str, Callable[[Node], Iterator[KeyTable]]] = {
    "strategies": _strategies,
    "hazards": _hazards,
    "topologies": _topologies,
    "distributions": _distributions,
    "presets": _presets,
    "keys": _others,
}
TOPICS = tuple(_TOPICS)
"""What can be listed; ``keys``: the tables of a scenario that are no kind of anything."""


# --- tables -----------------------------------------------------------------------------------------------------------


def _tables(
    schema: Node, name: str, path: str, title: str = "", listed: bool = False, leave_out: Container[str] = ()
) -> Iterator[KeyTable]:
    """Yield the table of one model, then those inside it, each once; kinds of a family are left to their own topic."""
    found: dict[str, tuple[list[str], Node]] = {}

    def reach(name: str, path: str, title: str) -> None:
        if name in found:
            found[name][0].append(title)
            return
        node = schema["$defs"][name]
        found[name] = [title], node
        for key, value in node["properties"].items():
            for inner, in_list in _inside(value):
                if inner not in _FAMILIES and inner not in leave_out:
                    there = f"{path}.{key}" if path else key
                    reach(inner, there, _title(there, in_list))

    reach(name, path, title or _title(path, listed))
    for titles, node in found.values():
        example: Node = next(iter(node.get("examples", ())), {})
        yield KeyTable(", ".join(dict.fromkeys(titles)), _about(node), tuple(_keys(node)), example)


def _title(path: str, listed: bool) -> str:
    return f"[[{path}]]" if listed else f"[{path}]"


def _inside(node: Node, listed: bool = False) -> Iterator[tuple[str, bool]]:
    """Yield the models that a value may be, and whether as entries of a list."""
    if "$ref" in node:
        yield _name(node), listed
    for form in (*node.get("oneOf", ()), *node.get("anyOf", ())):
        yield from _inside(form, listed)
    if "items" in node:
        yield from _inside(node["items"], True)


def _name(node: Node) -> str:
    return str(node["$ref"].rpartition("/")[2])


def _about(node: Node) -> str:
    """Return the first paragraph of a model's docstring, on one line."""
    paragraph = node.get("description", "").partition("\n\n")[0]
    return " ".join(paragraph.replace("``", "").split())


def _keys(node: Node) -> Iterator[Key]:
    """Yield the keys of a model, those that must be given first; not ``kind``, which its table is named after."""
    required = node.get("required", ())
    keys = [name for name in node["properties"] if name != "kind"]
    for name in sorted(keys, key=lambda name: name not in required):
        value = node["properties"][name]
        default, source, meaning = explained(value.get("description", ""))
        given = value.get("default")
        if isinstance(given, bool):
            default = str(given).lower()
        elif isinstance(given, int | float) or (isinstance(given, str) and given):
            default = str(given)
        yield Key(name, _type(value), default, source, meaning, name in required)


def explained(description: str) -> tuple[str, str, str]:
    """Split a description into the default as it is told, its source and the meaning."""
    for pattern in (_DEFAULT, _DERIVED, _SOURCED):
        if match := pattern.search(description):
            return match["default"], match["source"], description[: match.start()] + description[match.end() :]
    return "", "", description


def _type(node: Node) -> str:
    """Say what may be written: text, numbers with their bounds, quantities by name, kinds by family."""
    if "x-names" in node:
        return str(node["x-names"])
    if "x-unit" in node:
        return _QUANTITY[node["x-unit"], "x-inverse" in node]
    if "$ref" in node:
        return _FAMILIES.get(_name(node), "table")
    forms = [*node.get("oneOf", ()), *node.get("anyOf", ())]
    if forms:
        return " | ".join(dict.fromkeys(part for form in forms for part in _type(form).split(" | ")))
    if "enum" in node:
        return " | ".join(node["enum"])
    kind = node["type"]
    if kind == "array" and "prefixItems" in node:
        return f"list of {len(node['prefixItems'])} {_plural(_type(node['prefixItems'][0]))}"
    if kind == "array":
        return f"list of {_plural(_type(node['items']))}"
    if kind in ("integer", "number"):
        return ("whole number" if kind == "integer" else "number") + _bounds(node)
    return {"string": "text", "boolean": "true | false", "object": "table of text"}[str(kind)]


def _plural(kind: str) -> str:
    """Return a type in the plural: a number's bounds stand behind it."""
    word, bounds = re.fullmatch(r"(.*?)( >=? .*)?", kind).groups("")  # type: ignore[union-attr]
    return f"{word}s{bounds}"


def _bounds(node: Node) -> str:
    low = node.get("minimum", node.get("exclusiveMinimum"))
    bounds = [] if low is None else [f"{'>' if 'exclusiveMinimum' in node else '>='} {_number(low)}"]
    if "maximum" in node:
        bounds.append(f"<= {_number(node['maximum'])}")
    return " " + ", ".join(bounds) if bounds else ""


def _number(value: float) -> str:
    return f"{value:,.10g}" if abs(value) < 1e10 else f"{value:.3g}"
