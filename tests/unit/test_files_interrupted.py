"""Ctrl-C at every call of the operating system that writes a file: before it, and as soon as it is done."""

from contextlib import suppress

import pytest

from dcsim import files
from dcsim.files import Disk, write_whole


class InterruptedDisk(Disk):
    """Is interrupted at call number ``at``, from 1: before it does anything, or ``after`` it did."""

    def __init__(self, at: int, after: bool) -> None:
        self.at, self.after, self.calls = at, after, 0

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if name in ("at", "after", "calls") or not callable(found):
            return found

        def call(*arguments, **options):
            self.calls += 1
            if self.calls != self.at:
                return found(*arguments, **options)
            if self.after:
                with suppress(OSError):
                    found(*arguments, **options)
            raise KeyboardInterrupt

        return call


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("before", [None, b"old"])
def test_ctrl_c_leaves_one_file_or_the_other_and_nothing_else(tmp_path, monkeypatch, before, after):
    """A file is as it was or as it was to be, and no half of one lies beside it."""
    path = tmp_path / "file"
    calls = InterruptedDisk(0, after)
    monkeypatch.setattr(files, "disk", calls)
    write_whole(path, b"new")
    assert calls.calls >= 6
    for at in range(1, calls.calls + 1):
        path.unlink()
        if before is not None:
            path.write_bytes(before)
        monkeypatch.setattr(files, "disk", InterruptedDisk(at, after))
        with pytest.raises(KeyboardInterrupt):
            write_whole(path, b"new")
        assert [each.name for each in tmp_path.iterdir() if each != path] == []
        assert (path.read_bytes() if path.exists() else None) in (before, b"new")
        path.touch()
