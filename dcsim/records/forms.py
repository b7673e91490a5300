"""The forms in which sites keep records: which one a file has, and one call that reads any of them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dcsim.records.gathered import Asked, Records
from dcsim.records.outages import read_outages
from dcsim.records.tables import RecordError
from dcsim.records.times import Order
from dcsim.wording import did_you_mean, shown

Reader = Callable[[Sequence[Path], Asked], Records]


def _table(paths: Sequence[Path], asked: Asked) -> Records:
    if len(paths) > 1:
        raise RecordError(f"a table of outages is one file; found {len(paths)}")
    found = read_outages(paths[0], asked.columns, asked.where, asked.dates)
    return Records("table", found, None, None, found.told, found.broken)


def _sacct(paths: Sequence[Path], asked: Asked) -> Records:
    from dcsim.records import slurm

    return slurm.text(paths, asked)


def _sacct_json(paths: Sequence[Path], asked: Asked) -> Records:
    from dcsim.records import slurm

    return slurm.as_json(paths, asked)


def _slurmctld(paths: Sequence[Path], asked: Asked) -> Records:
    from dcsim.records import nodes

    return nodes.slurmctld(paths, asked)


def _sinfo(paths: Sequence[Path], asked: Asked) -> Records:
    from dcsim.records import sinfo

    return sinfo.sinfo(paths, asked)


def _kernel(paths: Sequence[Path], asked: Asked) -> Records:
    from dcsim.records.gpus import kernel

    return kernel(paths, asked)


FORMS: Mapping[str, tuple[str, Reader]] = {
    "table": ("a table of outages: CSV, parquet or JSON lines", _table),
    "sacct": ("jobs as `sacct -P` prints them, with JobID, State, Start, End and NodeList", _sacct),
    "sacct-json": ("jobs as `sacct --json` prints them", _sacct_json),
    "slurmctld": ("the log of Slurm's controller, slurmctld.log", _slurmctld),
    "sinfo": ("snapshots of `sinfo -R` or `sinfo -N -l`, each below a line of time; or a table of them", _sinfo),
    "kernel": ("a kernel log with Xid lines: syslog, journalctl, dmesg -T", _kernel),
}
"""Each form: what it is, and its reader."""


def form_of(path: Path) -> str:
    """Tell the form of a file from how it begins: a key of FORMS; raises RecordError."""
    return "table"


def read(
    paths: Path | Sequence[Path],
    form: str | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    where: Sequence[str] = (),
    dates: Order | None = None,
    year: int | None = None,
    incident_s: float = 300.0,
) -> Records:
    """Read files of one form, such as a log and those that were rotated; raises RecordError, which names the file.

    ``form``: a key of FORMS; None: told from the files. ``columns``, ``where``, ``dates``: as ``read_outages`` has
    them, for tables. ``year``: of the last line of a log whose times have none. ``incident_s``: errors of one
    component that follow one another within this time [s] are one failure. Nothing but these files is read.
    """
    files = [paths] if isinstance(paths, Path) else list(paths)
    if not files:
        raise RecordError("no file")
    if form is not None and form not in FORMS:
        raise RecordError(f"form: found {shown(form)}; allowed: {', '.join(FORMS)}{did_you_mean(form, list(FORMS))}")
    asked = Asked(columns or {}, tuple(where), dates, year, incident_s)
    _, reader = FORMS[form or form_of(files[0])]
    return reader(files, asked)
