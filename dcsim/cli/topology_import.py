"""`dcsim topology import`: a topology file from a network that another program describes; reading and writing files."""

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dcsim.cli.options import example
from dcsim.cli.screen import out

if TYPE_CHECKING:
    from dcsim.topology.switch_tree import SwitchTree

SOURCES = ("slurm-conf", "slurm-yaml", "lingjun")


@click.command(
    "import",
    short_help="Write a topology file from a file of Slurm's or of Lingjun's.",
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
@click.option(
    "--nodes-per-rack",
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="Nodes of one rack (default: 4; with blocks: one block).",
)
@click.option("--name", metavar="NAME", help="Name of the topology (default: MY).")
@click.option("--from", "kind", type=click.Choice(SOURCES), help="What FILE is (default: by its content or name).")
@click.option(
    "--topology",
    "chosen",
    metavar="NAME",
    help="Which topology of a topology.yaml (default: cluster_default, else the first).",
)
def import_topology(
    source: Path, file: Path, gpus_per_node: int, nics: int | None, port: str | None, homes: int | None,
    nodes_per_rack: int | None, name: str | None, kind: str | None, chosen: str | None,
) -> None:  # fmt: skip
    """Write a topology file from Slurm's topology.conf or topology.yaml, or from the map of the Lingjun trace.

    A node in several leaves is taken to be on rails: without one leaf it goes on over the others. What FILE does not
    say is assumed, and marked so in MY.toml; comments in it say which host is which node.
    """
    from dcsim.report.plant import many
    from dcsim.topology.imported import to_toml
    from dcsim.topology.switch_tree import MOST_NAMED, same_nodes

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
    with lines_of(str(source)):
        text = to_toml(
            tree, gpus_per_node, name=name, source=source.name, nics=nics, port=port, homes=homes,
            nodes_per_rack=nodes_per_rack,
        )  # fmt: skip
    write_file(file, text.encode())
    groups = same_nodes(tree.leaves)
    nodes, over = sum(len(group[0].nodes) for group in groups), len(groups[0])
    leaves = many(len(tree.leaves), "leaf") + (f" in groups of {over} with the same nodes (rails)" if over > 1 else "")
    found = f"{leaves}, {many(nodes, 'node')}, {many(nodes * gpus_per_node, 'GPU')} from {source}"
    out(f"{file}: {found}; {text.count('# assumed')} values are assumed and marked so.")
    if tree.empty:
        shown = tree.empty[:MOST_NAMED]
        rest = len(tree.empty) - len(shown)
        names = ", ".join(shown) + (f" and {rest:,} more" if rest else "")
        out(f"Left out, as no nodes are below {'it' if len(tree.empty) == 1 else 'them'}: {names}.")
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


def _read(source: Path, kind: str | None, chosen: str | None) -> "SwitchTree":
    from dcsim.textfile import NoTextError, read_text
    from dcsim.topology import TopologyError
    from dcsim.topology.foreign import READABLE, foreign
    from dcsim.topology.imported import kind_of, read_tree

    with lines_of(str(source)):
        try:
            text = read_text(source)
        except NoTextError as error:
            raise TopologyError([f"{f'line {error.line}: ' if error.line else ''}{error.why}"]) from None
        if what := foreign(source.name, text):
            raise TopologyError([f"found {what}; can be read: {READABLE}"])
        kind = kind or kind_of(source.name, text)
        if kind is None:
            why = "neither its name nor its content says what it is"
            raise TopologyError([f"{why}; can be read: {READABLE}; say which: --from {', '.join(SOURCES)}"])
        if chosen is not None and kind != "slurm-yaml":
            raise click.BadParameter(f"only a topology.yaml has several; {source} is {kind}.", param_hint="--topology")
        return read_tree(text, kind, chosen)


def write_file(file: Path, content: bytes) -> None:
    """Write all of a file or nothing; a pipe or a device is written to as it is."""
    from dcsim.files import StoreError, output

    try:
        with output(file) as opened:
            opened.write(content)
    except StoreError as error:
        raise click.BadParameter(f"{error}.", param_hint="--output") from None
