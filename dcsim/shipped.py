"""The scenarios and topologies that come with dcsim, in a checkout and in an installed wheel alike."""

from pathlib import Path
from typing import Literal


def shipped_root(kind: Literal["scenarios", "topologies"]) -> Path:
    """The folder that holds the shipped files of one kind.

    A checkout has it beside the package and goes first, so that an edit is seen at once; a wheel carries it
    inside the package.
    """
    package = Path(__file__).parent
    in_checkout = (package.parent / "pyproject.toml").is_file()
    return (package.parent if in_checkout else package) / kind


def shipped_files(kind: Literal["scenarios", "topologies"]) -> dict[str, Path]:
    """All shipped files of one kind, sorted by name: `pretrain-5184/gold`, `gb300-nvl72`."""
    root = shipped_root(kind)
    return {path.relative_to(root).with_suffix("").as_posix(): path for path in sorted(root.rglob("*.toml"))}
