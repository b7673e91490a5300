"""The folder of a comparison: it names its runs, which lie beside it, and holds what is said of all together."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from dcsim import __version__
from dcsim.files import StoreError, is_unfinished, make_folder, names_in, on_disk, remove_unfinished
from dcsim.montecarlo.arrow_ledgers import SCHEMA
from dcsim.montecarlo.manifest import MANIFEST, read_manifest, write_both
from dcsim.montecarlo.run_folder import slug

MEMBERS = "comparison"


def write_group(folders: Sequence[Path], command: Sequence[str] = ()) -> Path:
    """Return the folder of a comparison of runs, beside the first of them; it is made if it is not there.

    Its name follows from the runs alone. Raises StoreError where it cannot be written.
    """
    names = [folder.name for folder in folders]
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()
    title = slug(" ".join(name.rpartition("-")[0].rpartition("-")[0] for name in names))
    group = folders[0].parent / f"compare-{title}-{digest[:8]}"
    make_folder(group)
    with on_disk(group):
        there = [name for name in names_in(group) if not is_unfinished(name)]
        if there and MEMBERS not in read_manifest(group):
            raise StoreError(group, "is not a comparison of dcsim; move it away")
        remove_unfinished(group)
    content = {"program": "dcsim", "schema": SCHEMA, "dcsim": __version__, MEMBERS: names, "command": list(command)}
    write_both(group, content)
    return group


def members(folder: Path) -> list[Path] | None:
    """Return the runs that a comparison's folder names; None for the folder of a run.

    Raises StoreError for a folder that is neither, and for a run that is no longer there.
    """
    found = read_manifest(folder)
    if MEMBERS not in found:
        return None
    if (found.get("schema"), found.get("dcsim")) != (SCHEMA, __version__):
        told = f"is of dcsim {found.get('dcsim')} with schema {found.get('schema')!r}, not {__version__} with {SCHEMA}"
        raise StoreError(folder, f"{told}; compare again")
    names = found[MEMBERS]
    if not isinstance(names, list) or not names or not all(map(_is_name, names)):
        raise StoreError(folder / MANIFEST, "damaged; compare again")
    runs = [folder.resolve().parent / name for name in names]
    gone = [run.name for run in runs if not run.is_dir()]
    if gone:
        raise StoreError(folder, f"compares runs that are not beside it any more: {', '.join(gone)}")
    return runs


def group_command(folder: Path) -> tuple[str, ...] | None:
    """Return the command that is noted in a comparison's folder; None for the folder of a run. Raises StoreError."""
    found = read_manifest(folder)
    return tuple(map(str, found.get("command", ()))) if MEMBERS in found else None


def _is_name(name: object) -> bool:
    """Whether something is the name of a folder beside this one, and no way to another place."""
    return isinstance(name, str) and Path(name).name == name and name != ".." and name.isprintable()
