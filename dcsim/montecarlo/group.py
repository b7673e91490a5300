"""The folder of a comparison: it names its runs, which lie beside it, and holds what is said of all together."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from dcsim import __version__
from dcsim.montecarlo.kept import read_manifest
from dcsim.montecarlo.parts import StoreError, on_disk, write_whole
from dcsim.montecarlo.store import MANIFEST, slug
from dcsim.montecarlo.table import SCHEMA

MEMBERS = "comparison"


def write_group(folders: Sequence[Path], command: Sequence[str] = ()) -> Path:
    """Return the folder of a comparison of runs, beside the first of them; it is made if it is not there.

    Its name follows from the runs alone. Raises StoreError where it cannot be written.
    """
    names = [folder.name for folder in folders]
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()
    title = slug(" ".join(name.rpartition("-")[0].rpartition("-")[0] for name in names))
    group = folders[0].parent / f"compare-{title}-{digest[:8]}"
    with on_disk(group):
        group.mkdir(parents=True, exist_ok=True)
        if any(group.iterdir()) and MEMBERS not in read_manifest(group):
            raise StoreError(group, "is not a comparison of dcsim; move it away")
    content = {"program": "dcsim", "schema": SCHEMA, "dcsim": __version__, MEMBERS: names, "command": list(command)}
    write_whole(group / MANIFEST, (json.dumps(content, indent=2) + "\n").encode())
    return group


def members(folder: Path) -> list[Path] | None:
    """Return the runs that a comparison's folder names; None for the folder of a run.

    Raises StoreError for a folder that is neither, and for a run that is no longer there.
    """
    found = read_manifest(folder)
    if MEMBERS not in found:
        return None
    names = found[MEMBERS]
    if not isinstance(names, list) or not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise StoreError(folder / MANIFEST, "damaged; compare again")
    runs = [folder.resolve().parent / name for name in names]
    gone = [run.name for run in runs if not run.is_dir()]
    if gone:
        raise StoreError(folder, f"compares runs that are not beside it any more: {', '.join(gone)}")
    return runs
