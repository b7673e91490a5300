"""`dcsim topology import`: a topology file from a network that another program describes; reading and writing files."""

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dcsim.cli.options import Word, example
from dcsim.cli.screen import out
from dcsim.wording import visible

if TYPE_CHECKING:
    from dcsim.topology.switch_tree import SwitchTree

SOURCES = ("slurm-conf", "slurm-yaml", "ibnetdiscover", "kubernetes", "topograph", "lingjun", "graph")
MOST_BYTES = 1 << 26
"""Largest file that is imported [B]; source: assumed, what kubectl prints of some 3,000 nodes."""


@click.command(
    "import",
    short_help="Write a topology file from what Slurm, ibnetdiscover, Kubernetes or topograph say of a network.",
    epilog=example(
        "dcsim topology import /etc/slurm/topology.conf -o mine.toml --gpus-per-node 8",
        'dcsim topology import topology.yaml -o mine.toml --gpus-per-node 4 --port "800 Gb/s"',
        "dcsim topology import ibnetdiscover.out -o mine.toml --gpus-per-node 8 --nodes 'gpu[001-512]'",
        "dcsim topology import kueue.yaml nodes.json -o mine.toml --gpus-per-node 8",
    ),
)
@click.argument("sources", metavar="FILE…", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "-o", "--output", "file", type=click.Path(path_type=Path), metavar="MY.toml", required=True,
    help="The topology file to write. Never overwrites.",
)  # fmt: skip
@click.option(
    "--gpus-per-node",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="GPUs of one node; required, but for a graph of dcsim.",
)
@click.option(
    "--nodes", metavar="HOSTS",
    help="Which hosts are nodes with GPUs, such as 'gpu[001-512]' (default: of ibnetdiscover those under more than "
    "half as many leaves as most are, of Kubernetes those with GPUs).",
)  # fmt: skip
@click.option(
    "--nics",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="NICs of one node (default: as FILE says, else one per GPU).",
)
@click.option("--port", metavar="RATE", help='Data rate of one NIC (default: as FILE says, else "400 Gb/s").')
@click.option("--homes", type=click.IntRange(1, 8), metavar="N", help="Leaves that each NIC is on (default: 1).")
@click.option(
    "--nodes-per-rack",
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="Nodes of one rack (default: 4; with blocks: one block).",
)
@click.option("--name", metavar="NAME", help="Name of the topology (default: MY; of a graph: its own).")
@click.option(
    "--from", "kind", type=Word(SOURCES), metavar="WHAT",
    help=f"What FILE is (default: by its content or name): {', '.join(SOURCES)}.",
)  # fmt: skip
@click.option(
    "--topology",
    "chosen",
    metavar="NAME",
    help="Which topology of a topology.yaml (default: cluster_default, else the first), or of Kueue's.",
)
def import_topology(
    sources: tuple[Path, ...], file: Path, gpus_per_node: int | None, nodes: str | None, nics: int | None,
    port: str | None, homes: int | None, nodes_per_rack: int | None, name: str | None, kind: str | None,
    chosen: str | None,
) -> None:  # fmt: skip
    """Write a topology file from what another program says of a network.

    FILE is Slurm's topology.conf or topology.yaml; what ibnetdiscover prints; nodes of Kubernetes with their labels
    (kubectl get nodes -o json), with a Topology of Kueue beside them where the labels are not those of topograph or a
    cloud; a model or the instances of topograph; a graph of dcsim topology build; or the map of the Lingjun trace.

    A node in several leaves is taken to be on rails: without one leaf it goes on over the others. What FILE does not
    say is assumed, and marked so in MY.toml; comments in it say which host is which node.
    """
    if port is not None:
        _checked_rate(port)
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}", name):
        raise click.BadParameter(
            f'"{name}"; must be up to 60 letters, digits, "." "_" "-", a letter or digit first.', param_hint="--name"
        )
    if file.suffix != ".toml":
        raise click.BadParameter(f"{file} must end in .toml, so that other verbs read it.", param_hint="--output")
    if os.path.lexists(file):
        raise click.BadParameter(f"{file} exists and is not overwritten.", param_hint="--output")
    texts = [_text(source) for source in sources]
    kinds = [_kind(source, text, kind) for source, text in zip(sources, texts, strict=True)]
    _fit_together(sources, kinds, chosen, nodes)
    if kinds == ["graph"]:
        asked = {"--nics": nics, "--port": port, "--homes": homes, "--nodes-per-rack": nodes_per_rack}
        unused = [option for option, value in asked.items() if value is not None]
        _import_graph(sources[0], texts[0], file, name, gpus_per_node, unused)
        return
    if gpus_per_node is None:
        raise click.MissingParameter(param_type="option", param_hint="'--gpus-per-node'")
    name = name or re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem).strip("._-")[:60] or "imported"
    from dcsim.topology.imported import to_toml

    told = " and ".join(map(str, sources))
    tree = _tree(sources, texts, kinds, chosen, nodes)
    with lines_of(told):
        text = to_toml(
            tree, gpus_per_node, name=name, source=" and ".join(source.name for source in sources), nics=nics,
            port=port, homes=homes, nodes_per_rack=nodes_per_rack,
        )  # fmt: skip
    write_file(file, text.encode())
    _say(tree, gpus_per_node, text, file, told)


def _fit_together(sources: Sequence[Path], kinds: Sequence[str], chosen: str | None, nodes: str | None) -> None:
    """Check that there are several files only of Kubernetes, and options only where they say something."""
    kind, source = kinds[0], sources[0]
    if len(sources) > 1 and set(kinds) != {"kubernetes"}:
        told = ", ".join(f"{source} is {kind}" for source, kind in zip(sources, kinds, strict=True))
        raise click.BadParameter(f"several files must all be objects of Kubernetes; {told}.", param_hint="FILE")
    if chosen is not None and kind not in ("slurm-yaml", "kubernetes"):
        why = f"only a topology.yaml and Kueue have several; {source} is {kind}."
        raise click.BadParameter(why, param_hint="--topology")
    if nodes is not None and kind not in ("ibnetdiscover", "kubernetes"):
        why = f"only ibnetdiscover and Kubernetes also list hosts without GPUs; {source} is {kind}."
        raise click.BadParameter(why, param_hint="--nodes")


def _tree(
    sources: Sequence[Path], texts: Sequence[str], kinds: Sequence[str], chosen: str | None, nodes: str | None
) -> "SwitchTree":
    from dcsim.hostlist import HostlistError, expand
    from dcsim.topology import MAX_GPUS
    from dcsim.topology.imported import read_tree
    from dcsim.topology.levels import read_kubernetes

    try:
        taken = None if nodes is None else expand(nodes, MAX_GPUS)
    except HostlistError as error:
        raise click.BadParameter(f"found {nodes}; {error}.", param_hint="--nodes") from None
    with lines_of(" and ".join(map(str, sources))):
        if len(texts) > 1:
            return read_kubernetes(texts, chosen, taken)
        return read_tree(texts[0], kinds[0], chosen, taken)


def _import_graph(
    source: Path, text: str, file: Path, name: str | None, gpus_per_node: int | None, unused: Sequence[str]
) -> None:
    """Write the topology file of which a graph is; ``unused``: options of which the graph has what they ask for."""
    import tomli_w

    from dcsim.topology.graph import read_graph

    with lines_of(str(source)):
        topology = read_graph(text)
    if unused:
        why = f"{source} is a graph of dcsim, which says it itself; leave it out."
        raise click.BadParameter(why, param_hint=" ".join(unused))
    if gpus_per_node not in (None, topology.gpus_per_node):
        why = f"found {gpus_per_node}; {source} says {topology.gpus_per_node}."
        raise click.BadParameter(why, param_hint="--gpus-per-node")
    said = topology.description.model_dump(mode="json", exclude_none=True)
    head = f"# Imported from the graph {' '.join(visible(source.name).split())} of {topology.gpus} GPUs.\n"
    write_file(file, (head + tomli_w.dumps({**said, "name": name or topology.name})).encode())
    out(f"{file}: {topology.name}, of which {source} is the graph with {topology.gpus:,} GPUs")
    out(f"Next: dcsim topology show {shlex.quote(str(file))} --gpus {topology.gpus}")


def _say(tree: "SwitchTree", gpus_per_node: int, text: str, file: Path, told: str) -> None:
    """Say what was found, what was left out and what comes next."""
    from dcsim.report.plant import many
    from dcsim.topology.switch_tree import listed, same_nodes

    groups = same_nodes(tree.leaves)
    nodes, over = sum(len(group[0].nodes) for group in groups), len(groups[0])
    leaves = many(len(tree.leaves), "leaf") + (f" in groups of {over} with the same nodes (rails)" if over > 1 else "")
    found = f"{leaves}, {many(nodes, 'node')}, {many(nodes * gpus_per_node, 'GPU')} from {told}"
    out(f"{file}: {found}; {text.count('# assumed')} values are assumed and marked so.")
    if tree.empty:
        out(f"Left out, as no nodes are below {'it' if len(tree.empty) == 1 else 'them'}: {listed(tree.empty)}.")
    for note in tree.notes:
        out(note)
    out(f"Next: dcsim topology show {shlex.quote(str(file))}")


@contextmanager
def lines_of(what: str) -> Iterator[None]:
    """Put what is wrong before every line that says why."""
    from dcsim.topology import TopologyError

    try:
        yield
    except TopologyError as error:
        raise TopologyError([f"{what}: {line}" for line in error.problems]) from None


def _checked_rate(text: str) -> None:
    from pydantic_core import PydanticCustomError

    from dcsim.units import RATE, parse

    try:
        parse(text, RATE)
    except PydanticCustomError as error:
        raise click.BadParameter(f"{error.message()}.", param_hint="--port") from None


def _text(source: Path) -> str:
    from dcsim.textfile import NoTextError, read_text
    from dcsim.topology import TopologyError

    with lines_of(str(source)):
        try:
            return read_text(source, MOST_BYTES)
        except NoTextError as error:
            where, near = f"line {error.line}: " if error.line else "", "" if os.path.lexists(source) else _near(source)
            raise TopologyError([f"{where}{error.why}{near}"]) from None


def _near(source: Path) -> str:
    """Say which file may be meant by one that is not there, or that it is the name of a shipped topology."""
    from dcsim.files import names_in
    from dcsim.shipped import shipped_files
    from dcsim.wording import nearest, offered

    if str(source) in shipped_files("topologies"):
        return f"; a topology of this name comes with dcsim: dcsim topology show {source}"
    try:
        return offered([str(source.parent / name) for name in nearest(source.name, names_in(source.parent))])
    except (OSError, ValueError):
        return ""


def _kind(source: Path, text: str, said: str | None) -> str:
    """Say what a file is, by what the user said of it or by itself; TopologyError for what cannot be read."""
    from dcsim.topology import TopologyError
    from dcsim.topology.foreign import READABLE, foreign
    from dcsim.topology.imported import kind_by_content, kind_of

    if found := kind_by_content(text):
        return said or found
    with lines_of(str(source)):
        if what := foreign(source.name, text):
            raise TopologyError([f"found {what}; can be read: {READABLE}"])
        if kind := said or kind_of(source.name, text):
            return kind
        why = "neither its name nor its content says what it is"
        raise TopologyError([f"{why}; can be read: {READABLE}; say which: --from {', '.join(SOURCES)}"])


def write_file(file: Path, content: bytes) -> None:
    """Write all of a file or nothing; a pipe or a device is written to as it is."""
    from dcsim.files import StoreError, output

    try:
        with output(file) as opened:
            opened.write(content)
    except StoreError as error:
        raise click.BadParameter(f"{error}.", param_hint="--output") from None
