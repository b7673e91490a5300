"""Errors of GPUs: Xid lines of kernel logs, and DCGM's gauges over time; several errors of one event are one incident.

NVIDIA's driver writes "NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, name=python, GPU has fallen off the bus."; older ones
leave out pid and name, and still older ones "PCI:" ("Xid Errors", docs.nvidia.com/deploy/xid-errors, edition of R384).
The driver of NVSwitches writes "SXid (PCI:0000:c1:00.0): 12028, Non-fatal, Link 32 ..." (Fabric Manager User Guide).
"""

import csv
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from dcsim.records.gathered import NAN, Asked, Gathering, Records
from dcsim.records.lines import Clock, Line, logged
from dcsim.records.tables import Broken
from dcsim.wording import counted

CLASSES = ("none", "unclassified", "application", "switch", "reset GPU", "reboot node", "replace")
"""What an error asks for, the lightest first; "switch": a fatal error of an NVSwitch. An incident has its heaviest."""
NONE, UNCLASSIFIED = 0, 1
MOST_SHOWN = 8
"""Codes and components that a sentence names; source: assumed."""

_XID = re.compile(r"NVRM: Xid \((?:PCI:)?(?P<pci>[0-9a-fA-F:.]{1,24})[^)]{0,80}\): (?P<code>\d{1,4})(?!\d)(?P<rest>.*)")
_SXID = re.compile(r"SXid \((?:PCI:)?(?P<pci>[0-9a-fA-F:.]{1,24})\): (?P<code>\d{1,6})(?!\d)(?P<rest>.*)")
_RECOVERY = {
    "node reboot required": "reboot node",
    "gpu reset required": "reset GPU",
    "drain and reset": "reset GPU",
    "drain p2p": "reset GPU",
    "(none)": "none",
}
"""What Xid 154 says in words, and the class that it is."""


@cache
def catalogue() -> dict[int, tuple[str, int]]:
    """Return NVIDIA's name and the class (index into CLASSES) of each Xid; see xid.csv for the source."""
    with Path(__file__).with_name("xid.csv").open(encoding="utf-8") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return {int(row["code"]): (row["mnemonic"], CLASSES.index(row["class"])) for row in rows}


def class_of(code: int, text: str = "") -> int:
    """Return the class of an Xid, an index into CLASSES. ``text``: what follows the code, for Xid 154."""
    if code == 154:
        lower = text.lower()
        # "changed from 0x1 (GPU Reset Required) to 0x2 (Node Reboot Required)": what it changed to comes last.
        last = max(_RECOVERY, key=lower.rfind)
        return CLASSES.index(_RECOVERY[last]) if last in lower else NONE
    return catalogue().get(code, ("", UNCLASSIFIED))[1]


@dataclass
class Errors:
    """Errors of GPUs in any order. ``whose``: where they count as one incident when they come together."""

    at: "array[float]" = field(default_factory=lambda: array("d"))
    whose: "array[int]" = field(default_factory=lambda: array("q"))
    classes: "array[int]" = field(default_factory=lambda: array("b"))
    names: dict[str, int] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)

    def add(self, at: float, whose: str, kind: int, code: str, part: str = "") -> None:
        """Note an error. ``kind``: index into CLASSES; ``code``, ``part``: what is counted by name."""
        self.at.append(at)
        self.whose.append(self.names.setdefault(whose, len(self.names)))
        self.classes.append(kind)
        self.codes[code] = self.codes.get(code, 0) + 1
        if part and kind != NONE:
            self.parts[part] = self.parts.get(part, 0) + 1

    def incidents(self, apart_s: float) -> Iterator[tuple[float, str, int, int]]:
        """Yield when each incident began, whose it is, its class, and how many errors it has.

        Errors of one component that follow one another within ``apart_s`` [s] are one incident.
        """
        names = tuple(self.names)
        order = sorted(range(len(self.at)), key=lambda row: (self.whose[row], self.at[row]))
        first, count, heaviest = -1, 0, NONE
        for place, row in enumerate(order):
            if count == 0:
                first = row
            count += 1
            heaviest = max(heaviest, self.classes[row])
            after = order[place + 1] if place + 1 < len(order) else -1
            if after < 0 or self.whose[after] != self.whose[row] or self.at[after] - self.at[row] > apart_s:
                yield self.at[first], names[self.whose[first]], heaviest, count
                count, heaviest = 0, NONE

    def into(self, found: Gathering, apart_s: float) -> list[str]:
        """Put all incidents that stop something into ``found``; return what is to be said of them."""
        told, quiet, total = [], 0, 0
        for at, whose, kind, _ in self.incidents(apart_s):
            total += 1
            if kind == NONE:
                quiet += 1
            else:
                found.add(at, NAN, whose, CLASSES[kind])
        told.append(
            f"{counted(len(self.at), 'error')} in {counted(total, 'incident')}: those of one component within "
            f"{apart_s:g} s are one"
        )
        if quiet:
            told.append(f"incidents that stop nothing, such as a row remapped (Xid 63), are left out: {quiet:,}")
        for what, counts in (("by code", self.codes), ("most errors", self.parts)):
            shown = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_SHOWN]
            if shown:
                told.append(f"{what}: " + ", ".join(f"{name} {count:,}" for name, count in shown))
        return told


def address(pci: str) -> str:
    """Return a PCI address as 0000:3b:00, however it is written."""
    parts = pci.lower().partition(".")[0].split(":")
    return ":".join([(parts[-3] if len(parts) > 2 else "")[-4:].rjust(4, "0"), *parts[-2:]])


def kernel(paths: Sequence[Path], asked: Asked) -> Records:
    """Read kernel logs of one host or many; the components are hosts, because logs do not tell how many GPUs each has.

    Every host with a line is in service. How long a repair took is not told.
    """
    broken, found, errors = Broken(), Gathering(), Errors()
    clocks: list[Clock] = []
    last: dict[int, Line] = {}
    for line in logged(paths, asked.year, broken, clocks):
        found.rows += 1
        found.units.add(line.host)
        own = len(clocks)
        edge = own not in last
        hit = _XID.search(line.text) or ("SXid" in line.text and _SXID.search(line.text)) or None
        if hit or edge:
            try:
                moment = line.moment()
            except ValueError as error:
                broken.add(line.place, _why(error), line.text[:60])
                continue
            found.see(moment)
            if hit:
                _note(errors, hit, line, moment)
            elif "NVRM: Xid" in line.text:
                broken.add(line.place, "an Xid of another form", line.text[:80])
        elif "NVRM: Xid" in line.text:
            broken.add(line.place, "an Xid of another form", line.text[:80])
        last[own] = line
    for line in last.values():
        try:
            found.see(line.moment())
        except ValueError:
            continue  # the record ends with the last error then
    lines, hosts = counted(found.rows, "line"), counted(len(found.units), "host")
    told = [f"a kernel log: {lines} of {hosts}, each in service all the time"]
    told += [each for clock in clocks[:1] for each in clock.told()]
    told += errors.into(found, asked.incident_s)
    told.append("classes are NVIDIA's: what its Xid catalogue asks for; repair times are not told")
    return Records("kernel", found.outages(told, broken, ends_told=False), None, None, tuple(told), broken)


def _note(errors: Errors, hit: re.Match[str], line: Line, moment: float) -> None:
    code, where = int(hit["code"]), f"{line.host}/{address(hit['pci'])}"
    if hit.re is _XID:
        errors.add(moment, line.host, class_of(code, hit["rest"]), f"Xid {code}", where)
    else:
        fatal = re.match(r",\s*fatal", hit["rest"], re.IGNORECASE)
        errors.add(moment, line.host, CLASSES.index("switch") if fatal else NONE, f"SXid {code}", where)


def _why(error: ValueError) -> str:
    return "a time with a zone among others without, or the reverse" if "zone" in str(error) else "no such time"
