"""`dcsim topology`: what comes with dcsim, what fails together, graphs and drawings, and networks from elsewhere."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dcsim.cli.options import JSON, example, print_result
from dcsim.cli.screen import out, out_json, out_page
from dcsim.cli.topology_import import import_topology, lines_of, write_file
from dcsim.problems import not_one_of

if TYPE_CHECKING:
    from dcsim.plant import Outage
    from dcsim.report.document import Page
    from dcsim.topology import Topology, TopologyDescription

MOST_GRAPH_NODES = 200_000
"""Largest expanded graph; source: assumed, some 200 MB in memory."""
RACKS = 8
"""Racks that are shown where nobody says how many; source: assumed, one row."""
MOST_ADDRESS = 200
FORMATS = {".json": "node-link", ".graphml": "graphml", ".svg": "svg"}

TOPOLOGY = click.argument("name", metavar="TOPOLOGY")
OUTPUT = click.option(
    "-o", "--output", "file", type=click.Path(path_type=Path), metavar="FILE", required=True, help="The file to write."
)  # fmt: skip


class Topologies(click.Group):
    """The verbs of `dcsim topology`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb that is called, or name the nearest one."""
        if args[0] not in self.commands and not args[0].startswith("-"):
            ctx.fail(not_one_of(self.commands, args[0], f'no such verb "{args[0]}"'))
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
    """Show what a cluster is made of and what fails together; write graphs, pictures and topology files."""
    if ctx.invoked_subcommand is None:
        out_page(ctx.get_help())


@topology_command.command(
    "list",
    short_help="List the topologies that come with dcsim.",
    epilog=example("dcsim topology list", "dcsim topology list --json"),
)
@JSON
def list_topologies(as_json: bool) -> None:
    """List the topologies that come with dcsim: GPUs per node and per rack, and what each of them describes."""
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
        out_json({"schema": SCHEMA, "topologies": topologies})
        return
    page = click.get_current_context().make_formatter()
    lines = {}
    for name, each in found.items():
        node, rack = each.node.gpus, each.node.gpus * each.rack.nodes
        tables = ", ".join(described(each)) or "nodes and racks only"
        lines[name] = f"{node} GPUs per node, {rack} per rack; {tables}. {each.description}"
    page.write_dl(list(lines.items()), col_max=40)
    out_page(page.getvalue().rstrip())


@topology_command.command(
    "show",
    short_help="Show a topology from site to GPU, or what a failure takes down.",
    epilog=example(
        "dcsim topology show gb300-nvl72",
        "dcsim topology show hgx-h100 --gpus 1024 --fail rack/3 --fail node/7",
        "dcsim topology show ./mine.toml --json",
    ),
)
@TOPOLOGY
@click.option(
    "--gpus",
    type=int,
    metavar="N",
    help="Size (default: 8 racks, rounded up to whole pods; all nodes if the file lists them).",
)
@click.option(
    "--fail", "addresses", multiple=True, metavar="ADDRESS",
    help="Show what goes down or slows down without this part, such as rack/3/shelf/1. "
    "Repeat it for parts that are out at the same time.",
)  # fmt: skip
@JSON
def show_topology(name: str, gpus: int | None, addresses: Sequence[str], as_json: bool) -> None:
    """Show a cluster from site to GPU: counts, watts, data rates, optics and redundancy; with --fail, what fails.

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
    short_help="Write the graph or the picture of a cluster.",
    epilog=example(
        "dcsim topology build gb300-nvl72 --gpus 576 -o plant.svg",
        "dcsim topology build gb300-nvl72 --gpus 576 --expand -o plant.graphml",
    ),
)
@TOPOLOGY
@click.option("--gpus", type=int, metavar="N", required=True, help="Size: whole nodes.")
@OUTPUT
@click.option(
    "--format", "kind", type=click.Choice(list(FORMATS.values())), help="Format (default: by the ending of FILE)."
)
@click.option("--expand", is_flag=True, help="Write one graph node per component instead of one per kind.")
def build_topology(name: str, gpus: int, file: Path, kind: str | None, expand: bool) -> None:
    """Write a cluster's dependence graph (.json: networkx node-link, .graphml) or its picture (.svg).

    An edge leads from a part to the parts that it holds or serves. FILE is replaced if it exists.
    """
    kind = kind or FORMATS.get(file.suffix.lower())
    if kind is None:
        endings = ", ".join(FORMATS)
        raise click.BadParameter(f"{file} ends in none of {endings}; say --format.", param_hint="--output")
    if kind == "svg" and expand:
        raise click.BadParameter("a picture has no graph to expand; leave --expand out.", param_hint="--expand")
    topology = _built(_described(name), gpus)
    if expand and (size := expanded_nodes(topology)) > MOST_GRAPH_NODES:
        why = f"{size:,} graph nodes for {gpus:,} GPUs; at most {MOST_GRAPH_NODES:,} are written."
        raise click.BadParameter(why, param_hint="--expand")
    write_file(file, _content(topology, kind, expand))
    what = "picture" if kind == "svg" else "expanded graph" if expand else "graph"
    out(f"{file}: the {what} of {topology.name} with {gpus:,} GPUs ({kind})")


topology_command.add_command(import_topology)


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


def _described(name: str) -> "TopologyDescription":
    from dcsim.topology import resolve

    if "/" in name or name.endswith(".toml"):
        return resolve(name)  # its lines begin with the file's name
    with lines_of("TOPOLOGY"):
        return resolve(name)


def _built(description: "TopologyDescription", gpus: int) -> "Topology":
    from dcsim.topology.build import build

    with lines_of("--gpus"):
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
            with lines_of(f"--fail {address}"):
                found.append(topology.find(address))
        except TopologyError as error:
            problems += error.problems
    if problems:
        raise TopologyError(problems)
    return outage(topology, list(dict.fromkeys(found)))


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
