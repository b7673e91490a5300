"""The network map of Alibaba's Lingjun trace of 2023 as a tree of switches."""

from __future__ import annotations

import csv
import re

from dcsim.problems import located, not_one_of, wrong
from dcsim.topology.description import TopologyError
from dcsim.topology.switch_tree import LeafSwitch, SwitchTree, check_rails
from dcsim.wording import shown

COLUMNS = ("ip", "DSW", "PSW", "ASW")
"""A host (its address, hashed), and the core, pod and access switch above it."""


def read_lingjun(text: str) -> SwitchTree:
    """Read the text of the CSV ``ip,DSW,PSW,ASW``: host below access (ASW), pod (PSW) and core switch (DSW).

    In the map of 2023 an ASW's name is unique only below its PSW: 48 names stand for 119 switches, and 42 of
    them occur below two or all three of the PSWs. So every switch is called by its whole path, as "G6/P10/S14",
    and its parents are "G6/P10" and "G6". The three PSWs are all below the one DSW. Every one of the 847 hosts
    occurs once, with one ASW, and an ASW has 2 to 8 hosts. A host with a row for each of several ASWs is on rails;
    the same row again is an error. Hosts and switches keep the file's order. Raises TopologyError with every problem
    as "line 3: ...".
    """
    problems: list[str] = []
    hosts: dict[tuple[str, str, str], list[str]] = {}
    line_of: dict[tuple[str, str], int] = {}
    reader = csv.reader(text.splitlines(), strict=True)
    try:
        header = next(reader, [])
        problems += _wrong_header(header)
        for row in reader if not problems else ():
            where = f"line {reader.line_num}"
            if not row:
                continue
            if len(row) != len(header):
                problems.append(f"{where}: found {len(row)} values; must be {len(header)}: {','.join(header)}")
                continue
            cells = dict(zip(header, row, strict=True))
            odd = {column: value for column, value in cells.items() if not re.fullmatch(r"[^\s/]+", value)}
            if odd:
                must = 'must be a name without spaces and "/"'
                problems += [located(f"{where}: {column}", wrong(value, must)) for column, value in odd.items()]
                continue
            host, path = cells["ip"], (cells["DSW"], cells["PSW"], cells["ASW"])
            leaf = "/".join(path)
            if (leaf, host) in line_of:
                first = f"first on line {line_of[leaf, host]}; allowed: once per ASW"
                problems.append(f"{where}: ip: found {shown(host)} again, {first}")
                continue
            line_of[leaf, host] = reader.line_num
            hosts.setdefault(path, []).append(host)
    except csv.Error as error:
        problems.append(f"line {reader.line_num}: found no CSV: {error}")
    if not problems and not hosts:
        problems.append("found no hosts; must have at least one leaf")
    if problems:
        raise TopologyError(problems)
    leaves = tuple(
        LeafSwitch(f"{dsw}/{psw}/{asw}", (f"{dsw}/{psw}", dsw), tuple(below))
        for (dsw, psw, asw), below in hosts.items()
    )
    check_rails(leaves, lambda leaf, host: f"line {line_of[leaf, host]}: ip")
    return SwitchTree("lingjun", leaves)


def _wrong_header(header: list[str]) -> list[str]:
    unknown = [column for column in header if column not in COLUMNS]
    if unknown:
        return [located("line 1", not_one_of(COLUMNS, name, f"found column {shown(name)}")) for name in unknown]
    if sorted(header) != sorted(COLUMNS):
        return [f"line 1: found columns {shown(','.join(header))}; must be {', '.join(COLUMNS)}, each once"]
    return []
