"""Writes the lock files by uv, says what changed, and checks them for advisories (run by scripts/lock)."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

LOCKS = Path("requirements")
COMPILE = (
    *("uv", "pip", "compile", "pyproject.toml", "--quiet", "--no-config", "--native-tls", "--upgrade", "--universal"),
    *("--python-version", "3.11", "--fork-strategy", "fewest", "--only-binary", ":all:", "--generate-hashes"),
    *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
)
AUDIT = ("uv", "tool", "run", "--quiet", "--no-config", "--native-tls", "pip-audit", "--format", "json")
SERVICES = ("pypi", "osv")
"""Lists of advisories that pip-audit asks, the first that answers."""


def locked(lock: str) -> dict[str, str]:
    """Return name -> version of a lock file's text; versions of several platforms are joined."""
    found: dict[str, str] = {}
    for name, version in re.findall(r"^([a-z0-9-]+)==([^\s;]+)", lock, re.MULTILINE):
        found[name] = f"{found[name]}, {version}" if name in found else version
    return found


def changes(before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
    """Yield a line for each package whose version changed, that came or that went."""
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, "(none)"), after.get(name, "(none)")
        if old != new:
            yield f"{name}  {old} -> {new}"


def renew(further: Sequence[str]) -> None:
    """Write both lock files and print what changed in them."""
    dev, core = LOCKS / "dev.txt", LOCKS / "core.txt"
    before = {lock: locked(lock.read_text()) if lock.exists() else {} for lock in (dev, core)}
    LOCKS.mkdir(exist_ok=True)
    extras = ("--extra", "dev", "--extra", "ray")
    subprocess.run([*COMPILE, *further, *extras, "--output-file", dev], check=True, stdout=subprocess.DEVNULL)
    # the core takes its versions from the larger set, so that an environment for development serves it as well
    subprocess.run(
        [*COMPILE, *further, "--constraint", dev, "--output-file", core], check=True, stdout=subprocess.DEVNULL
    )
    for lock in (dev, core):
        print(f"{lock}:", *(list(changes(before[lock], locked(lock.read_text()))) or ["no change"]), sep="\n  ")


def audit() -> int:
    """Print what advisories say of the locked versions; 1 if there is one, 0 also where no list can be reached.

    pip-audit finds "no known vulnerabilities" in packages that a list does not know. Those are not taken for checked.
    """
    given = ("--requirement", LOCKS / "dev.txt", "--require-hashes", "--disable-pip")
    for service in SERVICES:
        done = subprocess.run(
            [*AUDIT, "--vulnerability-service", service, *given], capture_output=True, text=True, check=False
        )
        try:
            answers = json.loads(done.stdout)["dependencies"]
        except ValueError:  # the service, or pip-audit itself, cannot be reached
            continue
        checked = [each for each in answers if "skip_reason" not in each]
        if checked:
            break
    else:
        print("advisories: not checked, for no list of them can be reached from here")
        return 0
    if unknown := [each["name"] for each in answers if "skip_reason" in each]:
        print(f"advisories: the list does not know {', '.join(unknown)}")
    bad = [(each, advisory) for each in checked for advisory in each["vulns"]]
    for each, advisory in bad:
        fixed = ", ".join(advisory["fix_versions"]) or "no version"
        print(f"advisories: {each['name']} {each['version']}: {advisory['id']}, fixed in {fixed}")
    if not bad:
        print(f"advisories: none for {len(checked)} packages")
    return 1 if bad else 0


def main() -> int:
    """Renew the locks unless asked only to check them, and check them."""
    if sys.argv[1:] != ["--check"]:
        try:
            renew(sys.argv[1:])
        except subprocess.CalledProcessError as failed:  # uv has said why
            return failed.returncode
    return audit()


if __name__ == "__main__":
    sys.exit(main())
