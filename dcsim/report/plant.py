"""What a topology is made of, what holds when a part of it fails and what does not, ready to show."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np

from dcsim.parts import PARTS, parts_of
from dcsim.plant import Demand, Outage, PlantState
from dcsim.plant.outage import outage
from dcsim.power import PowerKeys
from dcsim.report.document import Page
from dcsim.report.figures import Cell, Figure, bandwidth, brief, number, per_cent, rate, watts
from dcsim.report.page import Passage, Row, Table, and_list, printable
from dcsim.topology import Topology, TopologyDescription
from dcsim.units import MS_PER_MONTH

DESCRIBED = ("fabric", "power", "cooling", "storage")
"""Tables that a topology file may leave out."""
INSIDE = {"hall": (), "row": ("hall",), "rack": ("row", "hall"), "pod": (), "segment": ("pod",)}
"""What a part that is counted over the cluster is shown in: the first of these that there is, else the site."""
MOST_LISTED = 20
"""Lines of parts that are down or slow before the rest is only counted; source: assumed."""


def described(description: TopologyDescription) -> list[str]:
    """Return the optional tables that a description has."""
    return [table for table in DESCRIBED if getattr(description, table) is not None]


# --- numbers ------------------------------------------------------------------------------------------------------


def many(count: int, word: str) -> str:
    """Write a count with its word."""
    ending = {"leaf": "leaves", "shelf": "shelves", "switch": "switches"}
    last = word.replace("-", " ").split(" ")[-1]
    more = word.removesuffix(last) + ending.get(last, last + "s")
    return f"{count:,} {word if count == 1 else more}"


# --- the parts ----------------------------------------------------------------------------------------------------


def plant_page(topology: Topology, why: str = "", guides: bool = False) -> Page:
    """Show every kind of part with its counts, watts and data rates, what of it is redundant, and its optics.

    ``why``: where the number of GPUs is from. ``guides``: draw the lines of the tree.
    """
    description = topology.description
    size = f"{topology.name}: {many(topology.gpus, 'GPU')} in {many(topology.nodes, 'node')}"
    answer = (f"{size} and {many(topology.racks, 'rack')}{f' ({why})' if why else ''}.",)
    missing = [table for table in DESCRIBED if table not in described(description)]
    notes = (printable(description.description, 400), *_already(topology))
    if missing:
        notes += (f"Not described, so always enough and never in the way: {and_list(missing)}.",)
    parts: list[Table | Passage] = [_tree(topology, guides)]
    if items := tuple(_redundancy(topology)):
        parts.append(Passage("Redundancy at full load", items))
    if items := tuple(_conversion(topology)):
        parts.append(Passage("From the meter to the racks at full load", items))
    if items := tuple(_if_one_fails(topology)):
        parts.append(Passage("If one part fails (the first of its kind)", items))
    if rows := tuple(_optics(topology)):
        columns = ("optics", "links", "per port", "in all", "failures a month")
        parts.append(Table("Optics: two ports per link, expected failures in 720 h", columns, rows, corner="links"))
    return Page(answer, tuple(parts), notes)


def _holder(topology: Topology, kind: str) -> str:
    """Return the part that a kind is shown in."""
    inside = next((upper for upper in INSIDE.get(kind, ()) if upper in topology.kinds), None)
    return inside or ("network" if kind in ("pod", "segment", "core") else topology.kinds[kind].parent)


def _tree(topology: Topology, guides: bool) -> Table:
    demand, description = Demand(topology), topology.description
    pue = replace(brief(description.power.pue), before="PUE ") if description.power and demand.it_w else ""
    rows = [Row("site", (number(1, 0), "", pue, _takes(demand.site_w)), strong=True)]

    def branch(part: str, stem: str) -> None:
        inside = [kind for kind in reversed(topology.kinds) if _holder(topology, kind) == part]
        inside += ["network"] if part == "cluster" and description.fabric else []
        for kind in inside:
            last = kind == inside[-1]
            cells = ("", "", "", _takes(demand.switches_w)) if kind == "network" else _cells(topology, demand, kind)
            rows.append(Row(f"{stem}{('└ ' if last else '├ ') if guides else '  '}{kind}", cells))
            branch(kind, stem + ("│ " if guides and not last else "  "))

    branch("cluster", "")
    return Table("From site to GPU", ("count", "per parent", "each", "in all"), tuple(rows), corner="part")


def _cells(topology: Topology, demand: Demand, kind: str) -> tuple[Cell, ...]:
    """Return how many, how many in one part, what one takes, gives or carries, and what all of them do."""
    count, upper = topology.components(kind), _holder(topology, kind)
    if upper in ("cluster", "network"):
        per: Cell = number(count, 0)
    else:
        per = _held(topology, kind, upper) if kind in (*INSIDE, "node") else number(topology.kinds[kind].per, 0)
    place = {"cluster": "site", "network": "site", "nvlink-domain": "domain"}.get(upper, upper)
    each, whole = _worth(topology, demand, kind)
    per = per.with_words(f" per {place}") if isinstance(per, Figure) else f"{per} per {place}"
    return number(count, 0), per, each, whole


def _held(topology: Topology, lower: str, upper: str) -> Cell:
    """Return how many of one kind a part of another holds: the fewest and the most where they differ."""
    counts = np.bincount(topology.part_of(upper, topology.bounds(lower)[:-1]), minlength=topology.components(upper))
    low, high = int(counts.min()), int(counts.max())
    return number(high, 0) if low == high else f"{low:,}-{high:,}"


def _takes(value: float) -> Cell:
    return replace(watts(value), before="takes ") if value else ""


def _worth(topology: Topology, demand: Demand, kind: str) -> tuple[Cell, Cell]:
    """Return what one part takes, gives or carries, and what all of its kind do."""
    d, worth = topology.description, dict[str, tuple[str, float | None, Callable[[float], Figure]]]()
    worth["node"] = ("takes ", d.node.power, watts)
    worth["rack"] = ("takes ", d.rack.nodes * d.node.power + d.rack.power, watts)
    if power := d.power:
        given = {"psu": power.psu, "shelf": power.psus * power.psu, "feed": power.feed}
        given |= {"site-feed": power.site.feed, "generator": power.site.generator} if power.site else {}
        worth |= {part: ("gives ", value, watts) for part, value in given.items()}
    if fabric := d.fabric:
        switches = {"leaf": fabric.leaf, "spine": fabric.spine, "core": fabric.core}
        worth |= {part: ("takes ", switch.power, watts) for part, switch in switches.items() if switch}
        links = {"access-link": fabric.port / fabric.homes, "leaf-uplink": fabric.uplink_rate}
        worth |= {part: ("", value, rate) for part, value in (links | {"spine-uplink": fabric.core_rate}).items()}
    if d.storage:
        worth["gateway"] = ("", d.storage.bandwidth, bandwidth)
    if kind == "segment":
        held = _held(topology, "node", kind)
        return held.with_words(" nodes") if isinstance(held, Figure) else f"{held} nodes", ""
    word, value, write = worth.get(kind, ("", None, watts))
    if not value:
        return "", ""
    whole = float(demand.racks_w.sum()) if kind == "rack" else value * topology.components(kind)
    return replace(write(value), before=word), write(whole)


def _optics(topology: Topology) -> Iterator[Row]:
    """Yield one row per kind of link."""
    fabric, known = topology.description.fabric, topology.description.known_optics
    for link, kind in fabric.kinds_of_optics.items() if fabric else ():
        if link in topology.kinds:
            count, optics = topology.components(link), known[kind]
            failures, each = number(count * MS_PER_MONTH / optics.mtbf, 2), brief(optics.power).with_words(" W")
            yield Row(link, (kind, number(count, 0), each, watts(2 * count * optics.power), failures))


# --- redundancy ---------------------------------------------------------------------------------------------------


def _redundancy(topology: Topology) -> Iterator[tuple[str, str]]:
    """Yield (what, a sentence) of supply against demand, from NVLink to the storage gateways."""
    d = topology.description
    if d.nvlink.switches:
        needed = f"{many(d.nvlink.switches, 'switch')} per {d.nvlink.domain}, {d.nvlink.least:,} needed"
        yield "NVLink", f"{needed}: {_spare(d.nvlink.switches - d.nvlink.least)}"
    if d.power:
        yield from _power(topology)
    if d.cooling:
        needed = f"{many(d.cooling.cdus, 'CDU')} per row, {d.cooling.needed:,} needed"
        yield "cooling", f"{needed}: {_spare(d.cooling.cdus - d.cooling.needed)}"
    if d.fabric:
        yield from _tiers(topology)
    if d.storage:
        count, each = d.storage.gateways, d.storage.bandwidth
        told = f"{many(count, 'gateway')} x {bandwidth(each)} = {bandwidth(count * each)}"
        share = f"{bandwidth(count * each / topology.gpus)} per GPU"
        yield "storage", f"{told}, {share}; without one {bandwidth((count - 1) * each)}"


def _spare(count: int) -> str:
    return f"N+{count:,}" if count else "N, none to spare"


def _power(topology: Topology) -> Iterator[tuple[str, str]]:
    """Yield what shelves, feeds and the site give against what is asked of them."""
    d, demand = topology.description, Demand(topology)
    power = d.power
    assert power is not None
    shelf, asked = power.psus * power.psu, float(demand.units_w.max())
    psus = f" of {many(power.psus, 'PSU')}" if power.psus > 1 else ""
    given = f"{many(power.shelves, 'shelf')}{psus} x {watts(shelf)} = {watts(power.shelves * shelf)}"
    if not asked:
        yield f"{power.per} power", f"{given}; what a {power.per} takes is not described"
    elif asked > power.shelves * shelf:
        share = _short(power.shelves * shelf / asked, power.trips_below)
        yield f"{power.per} power", f"{given} for {watts(asked)}: {share}"
    else:
        of_feed = -(-power.shelves // power.feeds)  # feed 0 has the most shelves
        left, word = (power.shelves - of_feed) * shelf, "N+N" if power.feeds == 2 else "redundancy"
        told = f"{given} for {watts(asked)}: {_spare(power.shelves - int(np.ceil(asked / shelf - 1e-9)))}"
        if power.feeds == 1:
            told += ", one feed"
        elif left >= asked:
            told += f"; {word} holds with a feed lost: {watts(left)}"
        else:
            told += f"; with a feed lost {watts(left)}, {_short(left / asked, power.trips_below)}"
        yield f"{power.per} power", told
    halls = topology.part_of("hall", topology.bounds("rack")[:-1])
    asked = float(np.bincount(halls, weights=demand.racks_w).max())
    if power.feed:
        yield "hall power", _pool([("feed", power.feeds, power.feed)], asked, str(watts(asked)), power.trips_below)
    if site := power.site:
        sources = [("site feed", site.feeds, site.feed or 0.0), ("generator", site.generators, site.generator or 0.0)]
        asked = demand.site_w
        wanted = f"{watts(demand.it_w)} x {_factor(power)} = {watts(asked)}"
        yield "site power", _pool([each for each in sources if each[1]], asked, wanted, power.trips_below)


def _factor(power: PowerKeys) -> str:
    """Say by what the IT's power is multiplied."""
    told = f"PUE {power.pue:g}"
    return told if power.conversion is None else f"({told} + {brief(power.conversion.lost, 3)} lost in conversion)"


def _pool(sources: Sequence[tuple[str, int, float]], asked: float, wanted: str, trips: float) -> str:
    """Say what a few sources give together and without one of each kind."""
    given = sum(count * each for _, count, each in sources)
    told = " + ".join(f"{many(count, word)} x {watts(each)}" for word, count, each in sources)
    told += f" = {watts(given)}" if len(sources) > 1 or sources[0][1] > 1 else ""
    if not asked:
        return f"{told}; what the racks take is not described"
    told += f" for {wanted}"
    if given < asked:
        return f"{told}: {_short(given / asked, trips)}"
    for word, _, each in sources:
        left = given - each
        told += f"; without one {word} {watts(left)}, "
        told += "holds" if left >= asked else _short(left / asked, trips)
    return told


def _short(share: float, trips: float) -> str:
    """Say what too little power does."""
    if share <= 0 or share < trips:
        return f"{per_cent(share, 0)} % of what is asked: trips (below {per_cent(trips, 0)} %)"
    return f"{per_cent(share, 0)} % of what is asked: slows down"


def _tiers(topology: Topology) -> Iterator[tuple[str, str]]:
    """Yield how much goes into a switch of each tier from below, and how much out of it upwards."""
    fabric = topology.description.fabric
    assert fabric is not None
    port, nodes = fabric.port / fabric.homes, topology.gpus_per("segment") // topology.gpus_per_node
    nics = f"{many(fabric.nics, 'NIC')} x {rate(fabric.port)}"
    homes = "one leaf" if fabric.homes == 1 else f"{fabric.homes} leaves ({rate(port)} each)"
    yield "NICs", f"{nics} = {rate(fabric.nics * fabric.port)} per node; each NIC on {homes}"
    if not fabric.spine:
        return
    links = nodes * (fabric.nics // fabric.rails)
    yield "leaf tier", _tier(links, port, fabric.leaf.uplinks, fabric.uplink_rate)
    if "core" in topology.kinds:
        starts = topology.part_of("pod", topology.bounds("segment")[:-1])
        links = int(np.bincount(starts).max()) * fabric.leaves * fabric.leaf.uplinks // fabric.spine.count
        yield "spine tier", _tier(links, fabric.uplink_rate, fabric.spine.uplinks, fabric.core_rate)


def _tier(links: int, each: float, uplinks: int, up: float) -> str:
    down = f"{many(links, 'link')} x {rate(each)} = {rate(links * each)} down"
    share = links * each / (uplinks * up)
    told = "oversubscribed" if share > 1 + 1e-9 else "not oversubscribed"
    return f"{down}, {uplinks:,} x {rate(up)} = {rate(uplinks * up)} up: {share:.3g}:1, {told}"


def _conversion(topology: Topology) -> Iterator[tuple[str, str]]:
    """Yield what each stage of conversion loses, and all of them together."""
    power, asked = topology.description.power, Demand(topology)
    its = power.conversion if power else None
    if its is None:
        return
    left = asked.it_w / its.efficiency
    for stage, efficiency in its.efficiencies.items():
        lost = left * (1 - efficiency)
        left -= lost
        told = f"{brief(100 * efficiency, 5)} % go through, {watts(lost)} are lost"
        if stage == "wiring":
            told += f"; {brief(100 * its.wiring_share, 3)} % of what the same conductor loses at 54 V"
        yield stage, told
    told = f"{watts(asked.it_w * its.lost)} are lost for {watts(asked.it_w)} of IT"
    yield f"all ({its.chain})", f"{brief(100 * its.efficiency, 4)} % arrive: {told}"


# --- failures -----------------------------------------------------------------------------------------------------


def fail_page(topology: Topology, found: Outage, asked: Sequence[str], why: str = "") -> Page:
    """Show what follows from parts, ``asked`` for by address, that are out."""
    size = f"{topology.name} with {many(topology.gpus, 'GPU')}{f' ({why})' if why else ''}"
    answer = f"{size}, {and_list(list(dict.fromkeys(asked)))} out: "
    effects = _down(found, topology.gpus_per_node)
    effects += [f"{many(len(found.degraded), 'part')} degraded"] if found.degraded else []
    parts: list[Table | Passage] = []
    if found.down:
        rows = [Row(part, cells) for part, cells in _ranges(topology, found)]
        more = (f"and {len(rows) - MOST_LISTED:,} more (--json has all)",) if len(rows) > MOST_LISTED else ()
        columns = ("nodes", "GPUs", "GPU numbers")
        parts.append(Table("Down", columns, tuple(rows[:MOST_LISTED]), corner="part", notes=more))
    if found.degraded:
        items = list(_slower(found))
        more_items = [("...", f"and {len(items) - MOST_LISTED:,} more (--json has all)")][: len(items) > MOST_LISTED]
        parts.append(Passage("Degraded", (*items[:MOST_LISTED], *more_items)))
    return Page((answer + (and_list(effects) or "nothing: redundancy holds") + ".",), tuple(parts), _already(topology))


def _ranges(topology: Topology, found: Outage) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    """Yield every range of nodes that is down, as racks where it is whole racks."""
    per, per_rack = topology.gpus_per_node, topology.description.rack.nodes
    for low, end in found.down:
        if low % per_rack == 0 and (end % per_rack == 0 or end == topology.nodes):
            ends = [f"rack/{low // per_rack}", f"rack/{(end - 1) // per_rack}"]
        else:
            ends = [f"rack/{node // per_rack}/node/{node % per_rack}" for node in (low, end - 1)]
        cells = (number(end - low, 0), number((end - low) * per, 0), f"{low * per}-{end * per - 1}")
        yield " to ".join(dict.fromkeys(ends)), cells


def _slower(found: Outage) -> Iterator[tuple[str, str]]:
    """Yield (parts, what they keep); parts in a row that keep as much of the same are one line."""
    place = {part: int(part.rpartition("/")[2]) if "/" in part else 0 for part, _, _ in found.degraded}
    numbered = enumerate(found.degraded)

    def alike(item: tuple[int, tuple[str, str, float]]) -> tuple[str, str, float, int]:
        number, (part, what, share) = item
        return part.rpartition("/")[0], what, round(share, 9), place[part] - number

    for (_, what, share, _), group in groupby(numbered, alike):
        names = [part for _, (part, _, _) in group]
        digits = next((digits for digits in range(1, 6) if round(100 * share, digits) < 100), 6)
        yield " to ".join(dict.fromkeys((names[0], names[-1]))), f"{what}: {per_cent(share, digits)} % left"


def _down(found: Outage, per_node: int) -> list[str]:
    """Say how many go down, if any do."""
    return [f"{many(found.gpus_down, 'GPU')} in {many(found.gpus_down // per_node, 'node')} down"] if found.down else []


def _if_one_fails(topology: Topology) -> Iterator[tuple[str, str]]:
    """Yield what follows when the first part of each kind is out, alone."""
    usual, watts_known = set(outage(topology, ()).degraded), Demand(topology).racks_w.any()
    for kind in PARTS:
        if kind not in topology.kinds:
            continue
        found = outage(topology, [(kind, 0)])
        told = _down(found, topology.gpus_per_node)
        lost = tuple(each for each in found.degraded if each not in usual)
        told += [f"{part}, {what}" for part, what in _slower(Outage((), (), 0, lost))][:MOST_LISTED]
        fed = kind in parts_of("power")
        holds = "nothing: redundancy holds" if watts_known or not fed else "nothing: nodes and racks take 0 W"
        yield kind, "; ".join(told) or holds


def _already(topology: Topology) -> tuple[str, ...]:
    """Say what has too little although nothing has failed, or asks for nothing."""
    state = PlantState(topology)
    told: tuple[str, ...] = () if state.demand.racks_w.any() else ("What nodes and racks take is not described: 0 W.",)
    if down := int(np.count_nonzero(state.down)):
        told += (f"With nothing failed {many(down, 'node')} already trip: power or cooling is far below demand.",)
    elif state.short:
        items = "; ".join(f"{part}, {what}" for part, what in _slower(outage(topology, ())))
        told += (f"With nothing failed, supply is below demand already: {printable(items, 200)}.",)
    return told


# --- documents ----------------------------------------------------------------------------------------------------


def plant_json(topology: Topology, found: Outage | None = None) -> dict[str, Any]:
    """Return counts and powers [W] of all parts, their optics, and what follows from failed ones."""
    demand, known, fabric = Demand(topology), topology.description.known_optics, topology.description.fabric
    watts_of = {"racks": float(demand.racks_w.sum()), "network": demand.switches_w}
    document: dict[str, Any] = {
        "name": topology.name,
        "gpus": topology.gpus,
        "components": {kind: topology.components(kind) for kind in topology.kinds},
        "watts": watts_of | {"it": demand.it_w, "site": demand.site_w},
        "optics": {},
    }
    for link, kind in (fabric.kinds_of_optics if fabric else {}).items():
        if link in topology.kinds:
            count, optics = topology.components(link), known[kind]
            of = {"kind": kind, "links": count, "watts": 2 * count * optics.power}
            document["optics"][link] = of | {"failures_per_month": count * MS_PER_MONTH / optics.mtbf}
    if topology.description.power and (chain := topology.description.power.conversion):
        document["conversion"] = {"chain": chain.chain, "stages": dict(chain.efficiencies)}
        document["conversion"] |= {"efficiency": chain.efficiency, "watts": demand.it_w * chain.lost}
    if found is not None:
        degraded = [{"part": part, "what": what, "share": share} for part, what, share in found.degraded]
        down = [list(each) for each in found.down]
        fail = {"failed": list(found.failed), "gpus_down": found.gpus_down, "down": down, "degraded": degraded}
        document["fail"] = fail
    return document
