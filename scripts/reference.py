"""Writes docs/reference.md (run by scripts/reference): what ``dcsim list`` prints, as pages with links and examples."""

import json
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dcsim import units
from dcsim.fabric import shipped_optics
from dcsim.recovery.presets import presets
from dcsim.scenario.reference import Key, KeyTable, quantities, reference
from dcsim.shipped import shipped_files

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "reference.md"
LONGEST_EXAMPLE = 24
"""Lines."""
FIRST = ("scenarios/pretrain-5184", "topologies/gb300-nvl72")
"""Files that examples are taken from where others show no more keys."""
MOST_UNITS = 6
"""Units that are listed in the row of a key; of a quantity with more the first ones are."""

TOPICS = {
    "keys": ("Scenario", "scenarios", "What stands in a scenario file, table by table."),
    "strategies": (
        "Recovery",
        "scenarios",
        "What happens after a strike: `[jobs.recovery]` names a `kind`, or a `preset` that brings one. Every kind "
        "takes the keys of the first table; its own table has what it adds, or takes otherwise.",
    ),
    "hazards": (
        "Hazards",
        "scenarios",
        'What fails, how often, what it does and how it is repaired. `mtbf = "25000 h"` is the mean of an exponential '
        "life; a table with a `kind` is another law.",
    ),
    "distributions": (
        "Distributions",
        "scenarios",
        "What may stand where a duration is drawn (`detect`, `repair`, `time` of a stage, `date` of a phase), and what "
        "an `[[uncertain]]` value may be.",
    ),
    "presets": (
        "Presets",
        "scenarios",
        'Named settings of strategies and hazards: `preset = "torchpass"` in `[jobs.recovery]`, or `preset = "rsc-1"` '
        'in `[[hazards]]`, sets what is listed as value; keys of the table itself go first. `preset = "llama3"` stands '
        'for all hazards of its table, `preset = "llama3/gpu"` for one. An MTBF is computed from the failures that '
        "were counted. A preset without `repair` needs one beside it, except where the hardware stays (effect kill).",
    ),
    "topologies": (
        "Topologies",
        "topologies",
        "What a file in `topologies/`, one of your own or a table `[cluster.topology]` may hold. Those that come with "
        "dcsim first.",
    ),
}
"""Topic of ``dcsim list`` -> heading, whose files have examples of it, and a sentence."""
DRAWN = ("hazards.repair", "hazards.detect", "hazards.repair.time", "energisation.date")
"""Keys that may be distributions."""
FAMILIES = {"strategy": "Recovery", "lifetime": "Hazards", "distribution": "Distributions"}

INTRODUCTION = """\
<!-- Written by scripts/reference from the models in dcsim/. Do not edit: a test compares it with what they say. -->
# Reference: every key of a scenario and of a topology

`dcsim list keys` (`strategies`, `hazards`, `distributions`, `presets`, `topologies`) prints the same on a terminal,
`dcsim schema` as JSON Schema for editors; `dcsim check FILE` says what is wrong with a file. What the keys do to a run
is in [model.md](model.md).
"""

WRITING = """\
## How values are written

A quantity is text: a number, then a unit of this table, as in `"15 min"` or `"2.1e6 GPU-h"`. A bare number is an error,
and so is a unit that is not in the table. Durations may also be written as Slurm does, `"1-12:30:00"`
(days-hours:minutes:seconds); inside the program they are whole milliseconds. 1 mo = 720 h, 1 y = 8,760 h; nothing may
be negative.

An MTBF may also be written as a rate of failures of one component: `"0.001 /h"`, `"0.001 per h"` or `"0.001 1/h"` is an
MTBF of 1,000 h, `"500 FIT"` (failures in 10^9 h) one of 2,000,000 h. An annual failure rate is written `"9 %/y"`. It is
a rate and not a probability: 0.09 failures a year, so the MTBF is 8,760 h / 0.09 = 97,333.3 h (public: Backblaze Drive
Stats, failures per drive-year). The MTBF is rounded to the nearest millisecond; the resolved scenario holds that time.

{units}

A whole number or a number is written bare (`gpus = 5184`): the column *unit* has a dash then, and the meaning says what
is counted. Text is written in quotes, also a word that is one of several (`effect = "kill"`). A list is `[1, 2]`; a
list of tables has one `[[name]]` header for each of them. A strategy, a lifetime or a distribution is a table with a
`kind`: see {families}.

*Default* is what holds where a key is left out; with a dash nothing does, and the meaning says what that is.
**required**: there is none. *Source* is where the default is from: *deck* (SemiAnalysis, "From Fab to Token", QCon AI
Boston, April 2026), *primer* (an AI infrastructure and datacenter primer, May 2026), *public* with its name, or
*assumed*: ours.

A key that is not listed is an error that names the nearest one. `--set a.b=c` on the command line changes one key, with
entries of lists by their names: `--set jobs.pretrain.gpus=2048`. A file may complete another one of its folder
(`extends`): tables are merged, lists are replaced."""


class Example(NamedTuple):
    """Lines of a shipped file that show a table; ``shows``: how many of its keys."""

    shows: int
    text: str
    file: str


# --- examples from shipped files --------------------------------------------------------------------------------------


def excerpts(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield (dotted path of a table, its lines with its header); inline tables with the header of what holds them."""
    blocks: list[tuple[str, list[str]]] = [("", [])]
    for line in path.read_text(encoding="utf-8").splitlines():
        if header := re.match(r"\[\[?([\w.-]+)\]\]?", line):
            blocks.append((header[1], []))
        if blocks[-1][1] or (line.strip() and not line.startswith("#")):
            blocks[-1][1].append(line)
    for number, (name, lines) in enumerate(blocks):
        while lines and (not lines[-1].strip() or lines[-1].startswith("#")):
            lines.pop()
        yield name, lines
        inner = list(lines)
        for below, more in blocks[number + 1 :]:
            if not name or not below.startswith(f"{name}."):
                break
            inner += more
        while inner and (not inner[-1].strip() or inner[-1].startswith("#")):
            inner.pop()
        if inner != lines:
            yield name, inner
        for line in lines:
            if opened := re.match(r"(\w+) = \{.*\}", line):
                yield f"{name}.{opened[1]}".lstrip("."), [*lines[: bool(name)], line]


def at(node: Any, path: str) -> Iterator[dict[str, Any]]:
    """Yield the tables at a dotted path, through lists."""
    if isinstance(node, list):
        for each in node:
            yield from at(each, path)
    elif isinstance(node, dict):
        key, _, rest = path.partition(".")
        if not path:
            yield node
        elif key in node:
            yield from at(node[key], rest)


def places(table: KeyTable, topic: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return where a table stands in a file, and what it must say to be of this kind."""
    title = table.title.partition(",")[0]
    if found := re.fullmatch(r"\[\[?([\w.-]+)\]\]?", title):
        return (found[1],), {}
    if found := re.fullmatch(r'\[\[hazards\]\] preset = "(.*)"', title):
        return ("hazards",), {"preset": found[1]}
    if found := re.fullmatch(r'(?:([\w.]+)\.)?(kind|preset) = "(.*)"', title):
        where = {"strategies": ("jobs.recovery",), "presets": ("jobs.recovery",), "distributions": DRAWN}
        lives = ("hazards.mtbf", "hazards.mtbf.parts.life")
        inside = {"mtbf": lives, "uncertain.value": ("uncertain.value",)}.get(found[1]) or where[topic]
        return inside, {found[2]: found[3]}
    return ("",), {}


def example(table: KeyTable, topic: str) -> str:
    """Return an example as Markdown: the lines of a shipped file that show most of a table, or the model's own."""
    paths, wanted = places(table, topic)
    found: list[Example] = []
    for file in shipped_files(TOPICS[topic][1]).values():  # type: ignore[arg-type]
        for path, lines in excerpts(file):
            if path not in paths or not lines or len(lines) > LONGEST_EXAMPLE:
                continue
            for value in at(tomllib.loads("\n".join(lines)), path):
                if wanted.items() <= ({"kind": kind_of(value)} | value).items():
                    shown = sum(key.name in value for key in table.keys)
                    found.append(Example(shown, "\n".join(lines), file.relative_to(ROOT).as_posix()))
    if found:
        best = max(found, key=lambda each: (each.shows, each.file.startswith(FIRST), -len(each.text)))
        return f"From [{best.file}](../{best.file}):\n\n```toml\n{best.text}\n```"
    if not table.example:
        return ""
    header = table.title.partition(",")[0] if table.title.startswith("[") else f"[{paths[0]}]"
    order = ["kind", *(key.name for key in table.keys)]
    own = [f"{key} = {json.dumps(table.example[key])}" for key in order if key in table.example]
    return "\n".join(["Example:\n", "```toml", header, *own, "```"])


def kind_of(value: dict[str, Any]) -> str:
    """Return the kind that a preset stands for, or ""."""
    preset = presets().get(value.get("preset", ""))
    return preset.kind if preset else ""


# --- Markdown ---------------------------------------------------------------------------------------------------------


def cell(text: str) -> str:
    """Return text as the content of a table's cell."""
    return re.sub(r"([|<*_`\[\]])", r"\\\1", text) or "–"


def code(text: str) -> str:
    """Return a value or key as code in a cell."""
    return f"`{text}`".replace("|", "\\|")


def anchor(heading: str) -> str:
    """Return the fragment by which code-hosting pages address a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def unit_of(key: Key) -> str:
    """Return the units that a key's quantities may have."""
    found = []
    for name, dimension in quantities(key.type).items():
        known = list(dimension.units)
        if known != [name]:
            found.append(", ".join(known[:MOST_UNITS]) + (", …" if len(known) > MOST_UNITS else ""))
        else:
            found.append(name)
    return "; ".join(found)


def type_of(key: Key) -> str:
    """Return a key's type; families and quantities as links."""
    words = cell(key.type)
    for family, heading in FAMILIES.items():
        words = re.sub(rf"\b{family}\b", f"[{family}](#{anchor(heading)})", words)
    return words


def table_of(table: KeyTable, topic: str) -> Iterator[str]:
    """Yield the lines of one table of keys."""
    given = topic == "presets"
    heads = ["key", "type", "unit", "value" if given else "default", "source", "meaning"]
    yield row(heads)
    yield row(["---"] * len(heads))
    for key in table.keys:
        default = "**required**" if key.required else code(key.default) if key.default else "–"
        if " " in key.default and not re.match(r"[\d.]", key.default):
            default = cell(key.default)  # words, not a value
        yield row([code(key.name), type_of(key), cell(unit_of(key)), default, cell(key.source), cell(key.meaning)])


def heading_of(table: KeyTable) -> str:
    """Return a table's heading: as it is written in a file."""
    return f"`{table.title}`" if re.search(r'[\["]', table.title) else table.title


def section(topic: str) -> Iterator[str]:
    """Yield the lines of one topic."""
    heading, _, about = TOPICS[topic]
    yield from (f"## {heading}", "", about, "")
    tables = reference(topic).tables
    shipped = shipped_files("topologies") if topic == "topologies" else {}
    for name, path in shipped.items():
        told = next(table for table in tables if table.title == name)
        yield f"- [`{name}`](../{path.relative_to(ROOT).as_posix()}): {told.about}"
    if shipped:
        yield ""
    for table in tables:
        if table.title in shipped:
            continue
        yield from (f"### {heading_of(table)}", "", cell_free(table.about), "")
        if table.keys:
            yield from (*table_of(table, topic), "")
        shown = example(table, topic)
        if shown:
            yield from (shown, "")


def cell_free(text: str) -> str:
    """Return a sentence in which nothing is taken for Markdown."""
    return re.sub(r"([<*_\[\]])", r"\\\1", text)


def optics() -> Iterator[str]:
    """Yield the kinds of optics that come with dcsim, each value with its source."""
    yield from ("### Kinds of optics", "", "What `optics` may name without an `[[optics]]` table of its own.", "")
    yield row(["kind", "key", "value", "source"])
    yield row(["---"] * 4)
    text = (ROOT / "dcsim/fabric/optics.toml").read_text(encoding="utf-8")
    kind = ""
    for line in text.splitlines():
        if header := re.fullmatch(r"\[([\w-]+)\]", line):
            kind = header[1]
        elif value := re.fullmatch(r'(\w+) = "(.*?)"\s*# (.*)', line):
            yield row([code(kind), code(value[1]), code(value[2]), cell(value[3])])
    yield ""


def unit_table() -> Iterator[str]:
    """Yield the table of all units."""
    yield row(["quantity", "units", "example"])
    yield row(["---"] * 3)
    named = {**quantities(), "USD of a GPU-hour": units.PER_GPU_HOUR}
    for name, each in named.items():
        yield row([name, ", ".join(code(unit) for unit in each.listed), code(f'"{each.example}"')])


def contents(lines: Sequence[str]) -> Iterator[str]:
    """Yield links to every heading."""
    seen: dict[str, int] = {}
    inner: list[str] = []
    for line in lines:
        if not (found := re.match(r"(##+) (.*)", line)):
            continue
        text = found[2]
        target = anchor(text)
        seen[target] = seen.get(target, -1) + 1
        target += f"-{seen[target]}" if seen[target] else ""
        if found[1] == "##":
            if inner:
                yield f"  {' · '.join(inner)}"
                inner = []
            yield f"- [{text}](#{target})"
        else:
            inner.append(f"[{text}](#{target})")
    if inner:
        yield f"  {' · '.join(inner)}"


def page() -> str:
    """Return docs/reference.md."""
    families = ", ".join(f"[{heading}](#{anchor(heading)})" for heading in FAMILIES.values())
    body = [*WRITING.format(units="\n".join(unit_table()), families=families).splitlines(), ""]
    for topic in TOPICS:
        body += section(topic)
    body += optics()
    assert set(shipped_optics()) == {line.split("`")[1] for line in optics() if line.startswith("| `")}
    return "\n".join([INTRODUCTION, *contents(body), "", *body]).rstrip("\n") + "\n"


def main(arguments: Sequence[str]) -> int:
    if arguments not in ([], ["--check"]):
        print("scripts/reference: takes --check or nothing", file=sys.stderr)
        return 2
    text = page()
    if not arguments:
        TARGET.write_text(text, encoding="utf-8")
    elif not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != text:
        print("docs/reference.md is not what the models say: run scripts/reference", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
