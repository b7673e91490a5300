"""Machine code of the rules: kept in a private folder, compiled anew where it is missing or damaged, pruned."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dcsim.engine import machine_code
from dcsim.engine.compiled_rules import ObjectCode
from dcsim.engine.machine_code import cache_folder, fingerprint, in_use, is_private, prune, read, use, write

CODE = ObjectCode(b"\x00code\n", ["exp", "log"])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder for the code of one version of the rules, in a cache of this test."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = cache_folder("0123456789abcdef")
    assert found == tmp_path / "cache" / "dcsim" / "0123456789abcdef"
    return found


def test_what_is_written_is_read(folder):
    """Content and needs; nothing half-written stays."""
    write(folder / "rules.code", CODE)
    assert read(folder / "rules.code") == CODE
    assert [each.name for each in folder.iterdir()] == ["rules.code"]


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "changed", "longer", "other", "folder"])
def test_damaged_code_counts_as_missing(folder, damage):
    """It is never loaded."""
    path = folder / "rules.code"
    write(path, CODE)
    whole = path.read_bytes()
    path.unlink()
    content = {
        "empty": b"",
        "cut": whole[:-1],
        "changed": whole[:-1] + b"?",
        "longer": whole + b"?",
        "other": b"something else\n" * 9,
    }
    if damage in content:
        path.write_bytes(content[damage])
    elif damage == "folder":
        path.mkdir()
    assert read(path) is None


def test_the_folder_is_private(folder):
    """Nobody else can read it, also where it was made otherwise before."""
    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    assert is_private(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_link_is_no_private_folder(tmp_path):
    """Somebody else may have set it."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    assert not is_private(tmp_path / "link")


def test_without_a_home_the_folder_is_temporary(tmp_path, monkeypatch):
    """Where the cache folder cannot be made; None where nothing can be."""
    (tmp_path / "file").touch()
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert cache_folder("0123456789abcdef") == tmp_path / f"dcsim-{os.getuid()}" / "0123456789abcdef"
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    assert cache_folder("0123456789abcdef") is None


def test_folders_of_other_versions_are_removed(folder):
    """All but the newest, those used lately, those in use, and what is something else."""
    now = time.time()
    names = {"1" * 16: 9e5, "2" * 16: 8e5, "3" * 16: 7e5, "4" * 16: 1e3, "5" * 16: 2e6, "notes": 9e6}
    for name, age in names.items():
        (folder.parent / name).mkdir()
        os.utime(folder.parent / name, (now - age, now - age))
    held = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(folder.parent / ("5" * 16))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert held.stdout.readline() == b"held\n"
        os.utime(folder.parent / ("5" * 16), (now - 2e6, now - 2e6))
        prune(folder)
    finally:
        held.communicate()
    left = {each.name for each in folder.parent.iterdir()}
    assert left == {folder.name, "4" * 16, "5" * 16, "notes"}
    assert not in_use(folder.parent / ("5" * 16))


HOLDS = """
import sys
from pathlib import Path
from dcsim.engine.machine_code import use
use(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_folder_is_in_use_while_its_process_lives(folder):
    """Also while that is this one."""
    assert not in_use(folder)
    use(folder)
    assert in_use(folder)


def test_the_fingerprint_follows_the_text(tmp_path, monkeypatch):
    """Another text of any rule, of the records or of the compiler asks for other machine code."""
    before = fingerprint.__wrapped__()
    assert re.fullmatch("[0-9a-f]{16}", before)
    assert before == fingerprint()
    whole = Path.read_bytes
    for name in ("parts.py", "records.py", "simple.py", "compiled_rules.py", "compiled_world.py"):
        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_bytes", lambda path, name=name: whole(path) + b"#" * (path.name == name))
            assert fingerprint.__wrapped__() != before, name


def test_code_is_compiled_once_and_said_so(folder, monkeypatch, caplog):
    """A line is logged before; the next process reads it; a damaged file is compiled anew."""
    compiled, loaded = [], []
    monkeypatch.setattr(machine_code, "compile_rules", lambda: compiled.append(1) or {"general": CODE, "counted": CODE})
    monkeypatch.setattr(machine_code, "load", loaded.append)
    for damage, often in ((False, 1), (False, 1), (True, 2), (False, 2)):
        if damage:
            path = cache_folder(fingerprint()) / "general.code"
            path.write_bytes(path.read_bytes()[:50])
        machine_code.compiled_now.cache_clear()
        machine_code.machine_code.__wrapped__("general")
        assert len(compiled) == often
    assert loaded == [CODE] * 4
    assert caplog.messages == 2 * ["dcsim: compiling the rules, once on this machine (about 25 s)"]
    machine_code.compiled_now.cache_clear()


def test_two_processes_compile_once(folder, tmp_path):
    """The second one waits for the first."""
    log = tmp_path / "log"
    processes = [
        subprocess.Popen([sys.executable, "-c", COMPILES, str(log)], stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert log.read_text() == "compiled\n"


COMPILES = """
import sys, time
from pathlib import Path
from dcsim.engine import machine_code
from dcsim.engine.compiled_rules import ObjectCode
def compiled():
    with Path(sys.argv[1]).open("a") as log:
        log.write("compiled\\n")
    time.sleep(1)
    return {"general": ObjectCode(b"code", []), "counted": ObjectCode(b"code", [])}
machine_code.compile_rules = compiled
machine_code.load = lambda code: code
assert machine_code.machine_code("general").content == b"code"
"""
