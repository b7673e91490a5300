"""Builds an environment for this checkout: `setup.py core|dev VENV` (run by setup.sh, standard library only).

Installs the locked versions with hashes by the pip that comes with Python, and removes that pip again. Puts the
checkout on the path (so that its code, scenarios and topologies are what runs: nothing is copied), compiles the
bytecode and the rules, and writes the stamp last. Two first calls wait for one another.
"""

import fcntl
import hashlib
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {level: ROOT / "requirements" / f"{level}.txt" for level in ("core", "dev")}


UNREACHED = re.compile(
    r"connection broken by|Max retries exceeded|Failed to (?:connect|establish)|timed out", re.IGNORECASE
)
"""What pip says, among much else, where it reaches no package index."""
REASON = re.compile(r"\[Errno -?\d+\] ([A-Za-z ]+)|(\S*[Tt]imed? ?out)|(Cannot connect to proxy)")


class NoNetwork(Exception):
    """pip reaches no package index: ``NoNetwork(why)``."""


def stamp_line(level: str) -> str:
    """What the stamp says once `level` is installed: the level and the sha256 of its lock file."""
    return f"{level} {hashlib.sha256(LOCKS[level].read_bytes()).hexdigest()}\n"


def build(level: str, target: Path, lock: int) -> None:
    """Make `target` ready for `level`. Development holds all of the core, and is added to a good core."""
    python, stamp = target / "bin" / "python", target / "stamp"
    done = stamp.read_text() if stamp.exists() and python.exists() else ""
    if stamp_line(level) in done:
        return
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"dcsim: setting up {target.name} with Python {version} (once, about a minute)", flush=True)

    def call(*arguments: str | Path, check: bool = True, quiet: bool = False) -> None:
        # The child keeps the lock for as long as it writes, even if this process is killed.
        command = [python, "-I", "-m", *arguments]
        words = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if quiet else {}
        subprocess.run(command, check=check, stdin=subprocess.DEVNULL, pass_fds=(lock,), text=True, **words)

    if done != stamp_line("core"):
        stamp.unlink(missing_ok=True)
        venv.create(target, clear=True, symlinks=True, with_pip=False)
    call("ensurepip", "--default-pip", quiet=True)
    site = next(target.glob("lib/python3.*/site-packages"))
    quiet = ("-qq", "--no-input", "--disable-pip-version-check")
    locked = ("--require-hashes", "--only-binary", ":all:", "--no-compile", "--retries", "2")
    try:
        call("pip", "install", *quiet, *locked, "--requirement", LOCKS[level], quiet=True)
    except subprocess.CalledProcessError as failed:
        said: str = failed.stdout
        if UNREACHED.search(said) and "HASHES" not in said:
            why = REASON.search(said)
            raise NoNetwork(why[0].rpartition("] ")[2] if why else "no connection") from None
        print(said, end="")
        raise
    # they are as old as the interpreter, and nothing needs them once the environment is ready
    old = [name for name in ("pip", "setuptools") if f"\n{name}==" not in "\n" + LOCKS[level].read_text()]
    call("pip", "uninstall", *quiet[:-1], "--yes", *old, quiet=True)
    site.mkdir(exist_ok=True)  # pip removes a folder that it empties
    (site / "dcsim-checkout.pth").write_text(os.path.relpath(ROOT, site) + "\n")
    # Some packages ship files for other Pythons, which do not compile here: no reason to stop.
    call("compileall", "-qq", "-j", "0", site, ROOT / "dcsim", check=False)
    ahead = "from dcsim.engine.machine_code import compile_ahead; compile_ahead()"
    subprocess.run([python, "-I", "-c", ahead], check=False, stdin=subprocess.DEVNULL, pass_fds=(lock,))
    half = target / "stamp.half"
    half.write_text("".join(map(stamp_line, LOCKS if level == "dev" else [level])))
    half.replace(stamp)


def main() -> int:
    level, target = sys.argv[1], Path(sys.argv[2])
    try:
        with target.with_name(target.name + ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("dcsim: another call is setting up; waiting for it", flush=True)
                fcntl.flock(lock, fcntl.LOCK_EX)
            build(level, target, lock.fileno())
    except NoNetwork as problem:
        print(f"dcsim: no network: pip reaches no package index ({problem}); only the set-up needs one")
        return 1
    except (OSError, ValueError, subprocess.CalledProcessError) as problem:
        print(f"dcsim: the set-up failed: {problem}")
        return 1
    except KeyboardInterrupt:
        print("dcsim: the set-up was interrupted; the next call starts it again")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
