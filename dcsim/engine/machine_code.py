"""Machine code of the rules: compiled once on a machine, kept in the user's cache folder, loaded without numba.

The folder is private, because whoever can write to it decides what this user runs. A file that is damaged counts as
missing. Where nothing can be written, every process compiles anew.
"""

import ctypes
import hashlib
import json
import logging
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import dcsim.rules.happenings
from dcsim import ledger
from dcsim.engine.compiled_rules import EXPORTS, ObjectCode, compile_rules, modules
from dcsim.plant import tables as plant_tables
from dcsim.program import records, simple

MAGIC = b"dcsim machine code 1\n"
KEPT, FRESH = 2, 86_400
"""Folders that are kept, those of other versions of the rules included, and those used so many seconds ago (assumed):
several checkouts of this program take turns."""
_FOLDER = re.compile(r"[0-9a-f]{16}")
_HELD: list[Any] = []
"""What must live as long as the process: machine code."""


class Machine(NamedTuple):
    """Machine code that is loaded. ``functions``: exported rules, which take the address of a world's addresses."""

    functions: Mapping[str, Callable[[int], None]]
    broken: ctypes.c_int64
    """Not 0: a column that was to keep its value was given another one."""


@cache
def machine_code(variant: str = "general") -> Machine:
    """Return the C functions of the exported rules; they hold no GIL. ``variant``: of ``compiled_rules.VARIANTS``.

    The first call of a process loads them. The first call on a machine compiles them, says so on stderr before, and
    keeps them for others.
    """
    folder = cache_folder(fingerprint())
    if folder is None:
        return load(compiled_now()[variant])
    use(folder)
    path = folder / f"{variant}.code"
    found = read(path)
    if found is None:
        with alone(folder):
            found = read(path)  # another process may have written it while this one waited
            if found is None:
                compiled = compiled_now()
                for name, code in compiled.items():
                    write(folder / f"{name}.code", code)
                prune(folder)
                found = compiled[variant]
    return load(found)


@cache
def compiled_now() -> dict[str, ObjectCode]:
    """Compile the rules, and say so before."""
    logging.getLogger(__name__).warning("dcsim: compiling the rules, once on this machine (about 25 s)")
    return compile_rules()


def load(code: ObjectCode) -> Machine:
    """Make machine code ready to be called."""
    from llvmlite import binding  # type: ignore[import-untyped]

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    for name in code.needs:
        binding.add_symbol(name, ctypes.cast(getattr(_library(), name), ctypes.c_void_p).value)
    target = binding.Target.from_triple(binding.get_process_triple())
    machine = target.create_target_machine(cpu=binding.get_host_cpu_name(), codemodel="jitdefault", jit=True)
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
    engine.add_object_file(binding.ObjectFileRef.from_data(code.content))
    engine.finalize_object()
    _HELD.append(engine)
    kind = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
    functions = {name: kind(engine.get_function_address(f"dcsim.{name}")) for name in EXPORTS}
    return Machine(functions, ctypes.c_int64.from_address(engine.get_global_value_address("dcsim.broken")))


@cache
def _library() -> ctypes.CDLL:
    """Return the C library, mathematics included."""
    return ctypes.CDLL("msvcrt" if os.name == "nt" else None)


# --- files ----------------------------------------------------------------------------------------------------------


def read(path: Path) -> ObjectCode | None:
    """Read machine code; None if it is missing, cut short or damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    mark = len(MAGIC) + 64
    rest = content[mark:]
    if not content.startswith(MAGIC) or content[len(MAGIC) : mark] != hashlib.sha256(rest).hexdigest().encode():
        return None
    needs, _, code = rest.partition(b"\n")
    return ObjectCode(code, json.loads(needs))


def write(path: Path, code: ObjectCode) -> None:
    """Write machine code whole or not at all; where there is no room for it, nobody needs to know."""
    rest = json.dumps(code.needs).encode() + b"\n" + code.content
    half = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        half.write_bytes(MAGIC + hashlib.sha256(rest).hexdigest().encode() + rest)
        half.replace(path)
    except OSError:
        with suppress(OSError):
            half.unlink(missing_ok=True)


def cache_folder(key: str) -> Path | None:
    """Return a private folder of this user for what belongs to ``key``, made if need be; None if there can be none.

    It lies in NUMBA_CACHE_DIR, XDG_CACHE_HOME or the user's cache folder, else in the folder for temporary files.
    """
    bases = [os.environ.get(name) for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")]
    with suppress(RuntimeError):  # no home
        bases.append(str(Path.home() / ".cache"))
    chosen = next((Path(base) / "dcsim" for base in bases if base), None)
    user = os.getuid() if hasattr(os, "getuid") else "user"
    for base in (chosen, Path(tempfile.gettempdir()) / f"dcsim-{user}"):
        if base is not None and is_private(base) and is_private(base / key):
            return base / key
    return None


def is_private(folder: Path) -> bool:
    """Whether a folder, made if need be, is this user's, and nobody else can read it or write to it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if hasattr(os, "getuid"):
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                return False
            if folder.stat().st_mode & 0o077:
                folder.chmod(0o700)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def use(folder: Path) -> None:
    """Say that a folder is in use for as long as this process lives, and that it is the one that was used last."""
    with suppress(ImportError, OSError):
        import fcntl

        os.utime(folder)
        used = os.open(folder / "used", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)  # open until the process ends
        fcntl.flock(used, fcntl.LOCK_SH)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other process compiles for a folder, and keep others waiting.

    Where nothing can be locked, processes may compile at the same time; each writes its files whole.
    """
    file = None
    with suppress(ImportError, OSError):
        import fcntl

        file = (folder / "compiling").open("ab")
        fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if file is not None:
            file.close()


def prune(folder: Path) -> None:
    """Remove what belongs to other versions of the rules: all but the newest, and those in use."""
    used = {}
    for other in folder.parent.iterdir():
        with suppress(OSError):
            if other != folder and _FOLDER.fullmatch(other.name) and other.is_dir():
                used[other] = other.stat().st_mtime
    for other in sorted(used, key=lambda each: used[each], reverse=True)[KEPT - 1 :]:
        if time.time() - used[other] > FRESH and not in_use(other):
            shutil.rmtree(other, ignore_errors=True)


def in_use(folder: Path) -> bool:
    """Whether a process that lives has loaded what is in a folder."""
    try:
        import fcntl

        with (folder / "used").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (ImportError, OSError):
        return False
    return False


@cache
def fingerprint() -> str:
    """Return 16 digits that say what machine code is of: rules, records, how they are compiled, by what, for what."""
    from llvmlite import binding

    folder = Path(__file__).parent
    files = [Path(str(module.__file__)) for module in (*modules(), records, simple, ledger, plant_tables)]
    files += [folder / "compiled_rules.py", folder / "compiled_world.py"]
    what = hashlib.sha256(b"".join(path.read_bytes() for path in files))
    processor = binding.get_host_cpu_name(), sorted(binding.get_host_cpu_features().items())
    what.update(repr((sys.version_info[:2], version("numba"), binding.get_process_triple(), processor)).encode())
    return what.hexdigest()[:16]


def is_compiled() -> bool:
    """Whether numba is there and wanted."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0") and has_numba()


@cache
def has_numba() -> bool:
    """Whether numba is there."""
    return find_spec("numba") is not None


def compile_ahead() -> None:
    """Compile the rules now, or load them, so that no run has to wait for them; nothing if numba is missing."""
    if is_compiled():
        machine_code()


assert dcsim.rules.happenings  # all rules are known
