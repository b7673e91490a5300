"""`dcsim topology`: what comes with dcsim, what fails together, graphs and drawings, and networks from elsewhere."""

import json
import os
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dcsim.cli.options import JSON, example, print_result
from dcsim.wording import did_you_mean

if TYPE_CHECKING:
    from dcsim.plant import Outage
    from dcsim.report.page import Page
    from dcsim.topology import Topology, TopologyDescription
    from dcsim.topology.slurm import SwitchTree

MOST_GRAPH_NODES = 200_000
"""Largest expanded graph; source: assumed, some 200 MB in memory."""
RACKS = 8
"""Racks that are shown where nobody says how many; source: assumed, one row."""
MOST_ADDRESS = 200
FORMATS = {".json": "node-link", ".graphml": "graphml", ".svg": "svg"}
SOURCES = ("slurm-conf", "slurm-yaml", "lingjun")

TOPOLOGY = click.argument("name", metavar="TOPOLOGY")
OUTPUT = click.option(
    "-o", "--output", "file", type=click.Path(path_type=Path), metavar="FILE", required=True, help="What to write."
)  # fmt: skip


class Topologies(click.Group):
    """The verbs of `dcsim topology`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb that is called, or name the nearest one."""
        if args[0] not in self.commands and not args[0].startswith("-"):
            ctx.fail(
                f'no such verb "{args[0]}"; allowed: {", ".join(self.commands)}{did_you_mean(args[0], self.commands)}'
            )
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order a new user meets them."""
        return list(self.commands)


@click.group(
    "topology",
    cls=Topologies,
    invoke_without_command=True,
    subcommand_metavar="VERB …",
    epilog=example(
        "dcsim topology show gb300-nvl72 --gpus 576",
        "dcsim topology show gb300-nvl72 --fail rack/3/node/2",
        "dcsim topology build gb300-nvl72 --gpus 576 -o plant.svg",
        "dcsim topology import topology.conf -o mine.toml --gpus-per-node 8",
    ),
)
@click.pass_context
def topology_command(ctx: click.Context) -> None:
    """Look at plants: what they are made of, what fails together; write graphs, drawings and topology files."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@topology_command.command(
    "list", short_help="What comes with dcsim.", epilog=example("dcsim topology list", "dcsim topology list --json")
)
@JSON
def list_topologies(as_json: bool) -> None:
    """Print the topologies that come with dcsim: GPUs per node and rack, and what is described."""
    from dcsim.decide.estimate import SCHEMA
    from dcsim.report.plant import described
    from dcsim.shipped import shipped_files
    from dcsim.topology import resolve

    found = {name: resolve(name) for name in shipped_files("topologies")}
    if as_json:
        topologies = {
            name: {
                "description": each.description,
                "gpus_per_node": each.node.gpus,
                "gpus_per_rack": each.node.gpus * each.rack.nodes,
                "described": described(each),
            }
            for name, each in found.items()
        }
        click.echo(json.dumps({"schema": SCHEMA, "topologies": topologies}, indent=2))
        return
    page = click.get_current_context().make_formatter()
    lines = {}
    for name, each in found.items():
        node, rack = each.node.gpus, each.node.gpus * each.rack.nodes
        tables = ", ".join(described(each)) or "nodes and racks only"
        lines[name] = f"{node} GPUs per node, {rack} per rack; {tables}. {each.description}"
    page.write_dl(list(lines.items()), col_max=40)
    click.echo(page.getvalue().rstrip())


@topology_command.command(
    "show",
    short_help="From site to GPU, and what fails together.",
    epilog=example(
        "dcsim topology show gb300-nvl72",
        "dcsim topology show hgx-h100 --gpus 1024 --fail rack/3 --fail node/7",
        "dcsim topology show ./mine.toml --json",
    ),
)
@TOPOLOGY
@click.option("--gpus", type=int, metavar="N", help="Size (default: 8 racks, or the pods or file that hold them).")
@click.option(
    "--fail", "addresses", multiple=True, metavar="ADDRESS",
    help="Say what follows when this part is out, such as rack/3/shelf/1 (repeatable: all at once).",
)  # fmt: skip
@JSON
def show_topology(name: str, gpus: int | None, addresses: Sequence[str], as_json: bool) -> None:
    """Print a plant from site to GPU: counts, watts, data rates, optics, redundancy; or what a failure takes down.

    TOPOLOGY is the name of a shipped topology (dcsim topology list) or the path of a file.
    """
    from dcsim.report.plant import fail_page, plant_json, plant_page

    description = _described(name)
    why = ""
    if gpus is None:
        gpus, words = default_gpus(description)
        why = f"--gpus not given: {words}"
    topology = _built(description, gpus)
    found = _outage(topology, addresses) if addresses else None

    def page() -> "Page":
        return fail_page(topology, found, addresses, why) if found else plant_page(topology, why, sys.stdout.isatty())

    def document() -> dict[str, object]:
        from dcsim.decide.estimate import SCHEMA

        return {"schema": SCHEMA, **plant_json(topology, found)}

    print_result(document, page, as_json)


@topology_command.command(
    "build",
    short_help="Write a graph or a picture.",
    epilog=example(
        "dcsim topology build gb300-nvl72 --gpus 576 -o plant.svg",
        "dcsim topology build gb300-nvl72 --gpus 576 --expand -o plant.graphml",
    ),
)
@TOPOLOGY
@click.option("--gpus", type=int, metavar="N", required=True, help="Size: whole nodes.")
@OUTPUT
@click.option("--format", "kind", type=click.Choice(list(FORMATS.values())), help="Default: as FILE is called.")
@click.option("--expand", is_flag=True, help="One graph node per component, not per kind.")
def build_topology(name: str, gpus: int, file: Path, kind: str | None, expand: bool) -> None:
    """Write a cluster's dependence graph (.json: networkx node-link, .graphml) or its picture (.svg).

    An edge leads from what holds or serves to what depends on it. FILE is replaced if it exists.
    """
    kind = kind or FORMATS.get(file.suffix.lower())
    if kind is None:
        endings = ", ".join(FORMATS)
        raise click.BadParameter(f"{file} ends in none of {endings}; say --format.", param_hint="--output")
    if kind == "svg" and expand:
        raise click.BadParameter("a picture has no graph to expand; leave it out.", param_hint="--expand")
    topology = _built(_described(name), gpus)
    if expand and (size := expanded_nodes(topology)) > MOST_GRAPH_NODES:
        why = f"{size:,} graph nodes for {gpus:,} GPUs; at most {MOST_GRAPH_NODES:,} are written."
        raise click.BadParameter(why, param_hint="--expand")
    _write(file, _content(topology, kind, expand))
    what = "picture" if kind == "svg" else "expanded graph" if expand else "graph"
    click.echo(f"{file}: the {what} of {topology.name} with {gpus:,} GPUs ({kind})")


@topology_command.command(
    "import",
    short_help="A topology file from Slurm's or Lingjun's.",
    epilog=example(
        "dcsim topology import /etc/slurm/topology.conf -o mine.toml --gpus-per-node 8",
        'dcsim topology import topology.yaml -o mine.toml --gpus-per-node 4 --port "800 Gb/s"',
    ),
)
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", "file", type=click.Path(path_type=Path), metavar="MY.toml", required=True,
    help="The topology file to write. Never overwrites.",
)  # fmt: skip
@click.option("--gpus-per-node", type=click.IntRange(1, 1024), metavar="N", required=True, help="GPUs of one node.")
@click.option("--nics", type=click.IntRange(1, 1024), metavar="N", help="NICs of one node (default: one per GPU).")
@click.option("--port", metavar="RATE", help='Data rate of one NIC (default: "400 Gb/s").')
@click.option("--homes", type=click.IntRange(1, 8), metavar="N", help="Leaves that each NIC is on (default: 1).")
@click.option("--nodes-per-rack", type=click.IntRange(1, 10_000), metavar="N", help="Nodes of one rack (default: 4).")
@click.option("--name", metavar="NAME", help="Name of the topology (default: as MY.toml is called).")
@click.option("--from", "kind", type=click.Choice(SOURCES), help="What FILE is (default: by its name or content).")
@click.option("--topology", "chosen", metavar="NAME", help="Which topology of a topology.yaml (default: its default).")
def import_topology(
    source: Path, file: Path, gpus_per_node: int, nics: int | None, port: str | None, homes: int | None,
    nodes_per_rack: int | None, name: str | None, kind: str | None, chosen: str | None,
) -> None:  # fmt: skip
    """Write a topology file from Slurm's topology.conf or topology.yaml, or from the map of the Lingjun trace.

    What FILE does not say is assumed, and marked so in MY.toml; comments in it say which host is which node.
    """
    from dcsim.report.plant import many
    from dcsim.topology.imported import to_toml

    if port is not None:
        _checked_rate(port)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem).strip("._-")[:60] or "imported" if name is None else name
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}", name):
        raise click.BadParameter(
            f'"{name}"; must be up to 60 letters, digits, "." "_" "-", a letter or digit first.', param_hint="--name"
        )
    if file.suffix != ".toml":
        raise click.BadParameter(f"{file} must end in .toml, so that other verbs read it.", param_hint="--output")
    if os.path.lexists(file):
        raise click.BadParameter(f"{file} exists and is not overwritten.", param_hint="--output")
    tree = _read(source, kind, chosen)
    with _lines_of(str(source)):
        text = to_toml(
            tree, gpus_per_node, name=name, source=source.name, nics=nics, port=port, homes=homes,
            nodes_per_rack=nodes_per_rack,
        )  # fmt: skip
    _write(file, text.encode())
    nodes = sum(len(leaf.nodes) for leaf in tree.leaves)
    found = (
        f"{many(len(tree.leaves), 'leaf')}, {many(nodes, 'node')}, {many(nodes * gpus_per_node, 'GPU')} from {source}"
    )
    click.echo(f"{file}: {found}; {text.count('# assumed')} values are assumed and marked so.")
    click.echo(f"Next: dcsim topology show {shlex.quote(str(file))}")


# --- in -----------------------------------------------------------------------------------------------------------


def default_gpus(description: "TopologyDescription") -> tuple[int, str]:
    """Return how many GPUs to show where nobody says, and in words why: all of a network that lists its parts, else
    eight racks, rounded up to whole pods or segments."""
    from dcsim.report.plant import many
    from dcsim.topology import MAX_GPUS

    node, fabric = description.node.gpus, description.fabric
    racks, most = RACKS * description.rack.nodes, MAX_GPUS // node
    if fabric is None:
        return min(racks, most) * node, f"{RACKS} racks"
    nodes, spine = fabric.leaf.nodes, fabric.spine
    segments = spine.segments if spine else 1
    if isinstance(nodes, int) and isinstance(segments, int):
        whole = -(-racks // (nodes * segments)) if spine and fabric.core else 1
        return min(nodes * segments * whole, most) * node, many(whole, "pod" if spine else "segment")
    first = segments if isinstance(segments, int) else segments[0]
    reached = first if fabric.core is None else None if isinstance(segments, int) else sum(segments)
    found = sum(nodes[:reached]) if not isinstance(nodes, int) else nodes * (reached or first)
    return min(found, most) * node, "all that its file lists"


@contextmanager
def _lines_of(what: str) -> Iterator[None]:
    """Put what is wrong before every line that says why."""
    from dcsim.topology import TopologyError

    try:
        yield
    except TopologyError as error:
        raise TopologyError([f"{what}: {line}" for line in error.problems]) from None


def _described(name: str) -> "TopologyDescription":
    from dcsim.topology import resolve

    if "/" in name or name.endswith(".toml"):
        return resolve(name)  # its lines begin with the file's name
    with _lines_of("TOPOLOGY"):
        return resolve(name)


def _built(description: "TopologyDescription", gpus: int) -> "Topology":
    from dcsim.topology.build import build

    with _lines_of("--gpus"):
        return build(description, gpus)


def _outage(topology: "Topology", addresses: Sequence[str]) -> "Outage":
    """Find all parts and what follows from them; every wrong address is one line."""
    from dcsim.plant.outage import outage
    from dcsim.topology import TopologyError
    from dcsim.wording import shown

    found: list[tuple[str, int]] = []
    problems: list[str] = []
    for address in addresses:
        if len(address) > MOST_ADDRESS:
            problems.append(f"--fail {shown(address)}: at most {MOST_ADDRESS} characters")
            continue
        try:
            with _lines_of(f"--fail {address}"):
                found.append(topology.find(address))
        except TopologyError as error:
            problems += error.problems
    if problems:
        raise TopologyError(problems)
    return outage(topology, list(dict.fromkeys(found)))


def _checked_rate(text: str) -> None:
    from pydantic_core import PydanticCustomError

    from dcsim.units import RATE, parse

    try:
        parse(text, RATE)
    except PydanticCustomError as error:
        raise click.BadParameter(f"{error.message()}.", param_hint="--port") from None


def _read(source: Path, kind: str | None, chosen: str | None) -> "SwitchTree":
    from dcsim.textfile import NoTextError, read_text
    from dcsim.topology import TopologyError
    from dcsim.topology.imported import kind_of, read_tree

    with _lines_of(str(source)):
        try:
            text = read_text(source)
        except NoTextError as error:
            raise TopologyError([f"{f'line {error.line}: ' if error.line else ''}{error.why}"]) from None
        kind = kind or kind_of(source.name, text)
        if kind is None:
            raise TopologyError([f"neither its name nor its content says what it is; say --from {', '.join(SOURCES)}"])
        if chosen is not None and kind != "slurm-yaml":
            raise click.BadParameter(f"only a topology.yaml has several; {source} is {kind}.", param_hint="--topology")
        return read_tree(text, kind, chosen)


# --- out ----------------------------------------------------------------------------------------------------------


def expanded_nodes(topology: "Topology") -> int:
    """Return how many nodes the expanded graph has, without making it."""
    return 1 + sum(topology.components(kind) for kind in topology.kinds if kind not in ("gpu", "nvlink-domain"))


def _content(topology: "Topology", kind: str, expand: bool) -> bytes:
    if kind == "svg":
        from dcsim.report.drawing import draw

        return draw(topology).encode()
    graph = topology.graph(expand)
    if kind == "node-link":
        from dcsim.topology import node_link

        return (json.dumps(node_link(graph), indent=2, allow_nan=False) + "\n").encode()
    from io import BytesIO

    import networkx as nx

    stream = BytesIO()
    nx.write_graphml(graph, stream)
    return stream.getvalue()


def _write(file: Path, content: bytes) -> None:
    """Write all of a file or nothing."""
    from dcsim.montecarlo.parts import StoreError, write_whole

    try:
        if os.path.lexists(file) and not file.is_file():  # a device or a folder is not to be replaced
            raise click.BadParameter(f"{file} is not a regular file.", param_hint="--output")
        write_whole(file, content)
    except StoreError as error:
        raise click.BadParameter(f"{error}.", param_hint="--output") from None
