"""`dcsim merge`: the shards of a run put together."""

from collections.abc import Sequence
from pathlib import Path

import click

from dcsim.cli.options import example, writable
from dcsim.cli.screen import out


@click.command(
    "merge",
    epilog=example(
        "dcsim merge outputs",
        "dcsim merge outputs/gold-tier-1a2b3c4d-1.shard-*-of-8",
        "dcsim merge machine-a/outputs machine-b/outputs -o outputs",
    ),
)
@click.argument("given", metavar="RUN…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=None, callback=writable, metavar="DIR",
    help="Where the whole run is written (default: beside its first shard).",
)  # fmt: skip
def merge_command(given: Sequence[Path], output: Path | None) -> None:
    """Join the shards of a run (dcsim run --shard): the result has the same bytes as a run on one machine.

    RUN is the folder of a shard, or a folder that holds shards, of one run or of several. All shards are verified
    before anything is written; a whole run that is there already is replaced. `dcsim run … --resume` then reports it
    without simulating anything.
    """
    from dcsim.decide.run_table import keep_table
    from dcsim.montecarlo.merge import merge
    from dcsim.montecarlo.run_reader import read_sample

    for merged in merge(list(dict.fromkeys(given)), output):
        keep_table(read_sample(merged.folder), merged.folder)
        out(f"{merged.folder}/: {merged.replications:,} replications of {merged.shards} shards")
