"""A picture of a topology: one rack in elevation, the network in tiers, and what feeds and cools the racks.

What there is many of is drawn a few times and counted, so a million GPUs take no more room than a thousand.
"""

from __future__ import annotations

import io
import math
import textwrap
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from dcsim.fabric import FabricKeys
from dcsim.plant import Demand
from dcsim.topology import Topology

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEEDS = ("#0072B2", "#E69F00", "#009E73", "#56B4E9", "#D55E00", "#F0E442")
"""Colours of feeds A, B, ... in turn; source: Okabe and Ito, told apart by the colour-blind; letters help in grey."""
INK, FAINT, WIRE, PAPER, FRAME = "#1A1A1A", "#5F6B75", "#A9B4BE", "#FFFFFF", "#F5F8FA"
GPU, BOX, SWITCH, NVLINK = "#2B3A48", "#E4EBF2", "#F6DCEA", "#B0508A"
FONT = "DejaVu Sans"
WIDE, EDGE, TOP, MAIN, STRIP, RACK = 1100.0, 20.0, 98.0, 474.0, 90.0, 388.0
"""Points: the sheet's width, its margin, the title's and the main part's and the strip's height, the rack's width."""

Corner = tuple[float, float]
Places = list[tuple[int, float]]


def draw(topology: Topology) -> str:
    """Return the picture as SVG text, the same bytes for the same topology; only what is described is in it."""
    import matplotlib

    parts = [each for each in topology.kinds if each not in ("gpu", "rack")]
    said = ", ".join(_many(topology.components(each), each.replace("-", " ")) for each in parts)
    said = f"Picture of {topology.name}: {_size(topology)}; with {said}."
    about = "".join(each if each.isprintable() else " " for each in topology.description.description)
    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "dcsim", "svg.fonttype": "none", "path.sketch": None}):
        none: dict[str, Any] = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure(topology).savefig(out, format="svg", metadata=none, facecolor=PAPER, bbox_inches=None)
    start, close, rest = out.getvalue().partition("<svg ")[2].partition(">")  # what is before no page can hold
    rest = rest.replace(f"family: '{FONT}'", f"family: '{FONT}', Verdana, sans-serif")
    names = f"\n <title>{escape(said)}</title>\n <desc>{escape(about)}</desc>"
    return f'<svg role="img" aria-label={quoteattr(said)} {start}{close}{names}{rest}'


def figure(topology: Topology) -> Figure:
    """Return the picture as a matplotlib figure, one unit of its axes to a point."""
    fabric, facts = topology.description.fabric, _supply(topology)
    width = WIDE if fabric else 2 * RACK if facts else 470
    canvas = _Canvas(width, TOP + MAIN + EDGE + (STRIP + EDGE if fabric and facts else 0))
    inside = width - 2 * EDGE
    canvas.text((EDGE, 26), topology.name, 20, inside, "bold")
    canvas.text((EDGE, 50), _size(topology), 13, inside, "bold")
    about = textwrap.wrap(topology.description.description, int(inside / 5.4), max_lines=2, placeholder=" …")
    for number, line in enumerate(about):
        canvas.text((EDGE, 68 + 13 * number), line, 9.5, inside, "faint")
    _rack(canvas, topology)
    at, box, step = (RACK + 10, TOP), (width - RACK - 10 - EDGE, 76.0), (0.0, 99.0)
    if fabric:
        _network(canvas, topology, fabric)
        pitch = (inside + 28) / max(len(facts), 1)
        at, box, step = (EDGE, TOP + MAIN + EDGE), (pitch - 28, STRIP), (pitch, 0.0)
    for place, lines in enumerate(facts):
        x, y = at[0] + place * step[0], at[1] + place * step[1]
        canvas.box((x, y), box, FRAME, FAINT, 1)
        canvas.block((x + 12, y + box[1] / 2), lines, box[0] - 20)
        if place + 1 < len(facts) - (topology.description.storage is not None):
            middle = (x + (step[0] + box[0]) / 2, y + box[1] / 2) if fabric else (x + box[0] / 2, y + 87)
            canvas.text(middle, "→" if fabric else "↓", 15, 28, "centre")
    return canvas.finish()


def _many(count: int, word: str) -> str:
    word = {"gpu": "GPU", "psu": "PSU", "cdu": "CDU"}.get(word, word)
    several = f"{word[:-1]}ves" if word.endswith("f") else f"{word}es" if word.endswith("switch") else f"{word}s"
    return f"{count:,} {word if count == 1 else several}"


def _one(word: str, count: int) -> str:
    return f"One {word} of {count:,}" if count > 1 else f"The one {word}"


def _scaled(value: float, *units: str) -> str:
    power = min(int(math.log10(max(value, 1)) // 3), len(units) - 1)
    return f"{value / 1000**power:.4g} {units[power]}"


def _watts(watts: float) -> str:
    return _scaled(watts, "W", "kW", "MW", "GW")


def _rate(gigabytes: float) -> str:
    return _scaled(gigabytes * 8e3, "Mb/s", "Gb/s", "Tb/s")


def _feed(index: int) -> str:
    return chr(ord("A") + index) if index < 26 else str(index + 1)


def _size(topology: Topology) -> str:
    watts = topology.nodes * topology.description.node.power + topology.racks * topology.description.rack.power
    parts = [_many(topology.gpus, "GPU"), _many(topology.racks, "rack"), f"{_watts(watts)} in the racks at full load"]
    return " · ".join(parts if watts else parts[:2])


def _node(topology: Topology) -> str:
    return "compute tray" if topology.nvlink_domain == "rack" else "server"


def _sample(count: int, most: int) -> list[int | None]:
    """Return the indices to draw of this many: all, or the first few, None for a gap, and the last."""
    return [*range(count)] if count <= most else [*range(most - 2), None, count - 1]


def _rack(canvas: _Canvas, topology: Topology) -> None:
    """Draw one rack in elevation, what is in it said at its side."""
    d, power = topology.description, topology.description.power
    nodes = min(d.rack.nodes, topology.nodes)
    psus, feeds, own = (power.psus, power.feeds, power.per == "node") if power else (1, 1, False)
    whole = topology.nvlink_domain == "rack"
    watts = nodes * d.node.power + d.rack.power
    total = [_many(nodes * d.node.gpus, "GPU")] + [_watts(watts)] * (watts > 0)
    canvas.text((EDGE, TOP + 8), _one("rack", topology.racks), 12, 182, "bold")
    canvas.text((229, TOP + 8), " · ".join(total), 11, RACK - 229)
    shelf, tray = _sample(power.shelves if power and not own else 0, 12), _sample(nodes, 24)
    switch = _sample(d.nvlink.switches if whole else 0, 12)
    upper, half = (len(shelf) + 1) // 2, (len(tray) + 1) // 2
    parts = (("shelf", shelf[:upper]), ("tray", tray[:half]), ("switch", switch), ("tray", tray[half:]))
    stack = [(kind, each) for kind, some in (*parts, ("shelf", shelf[upper:])) for each in some]
    left, right, top, high = EDGE + 18, 202.0, TOP + 26, min((MAIN - 34) / len(stack), 80)
    canvas.box((left - 5, top - 5), (right - left + 10, high * len(stack) + 8), PAPER, INK, 1.6, layer=0)
    at: dict[str, list[float]] = defaultdict(list)
    for place, (kind, index) in enumerate(stack):
        y = top + place * high
        middle, tall = y + high / 2 - 1, high >= 26 and own
        at[kind].append(middle)
        if index is None:
            canvas.text(((left + right) / 2, middle), "…", min(high, 12), 20, "centre")
            continue
        canvas.box((left, y), (right - left, high - 2), *((SWITCH, NVLINK) if kind == "switch" else (BOX, WIRE)))
        side = min(high / 2 - 6, 10) if tall else min(high - 6, 5.5 if own else 9.0)
        if kind == "shelf":
            canvas.text((left + 6, middle), _feed(index % feeds), min(8.5, high - 3), 18, "bold")
            canvas.marks((left + 28, middle), side, psus, 12, [FEEDS[index % feeds % len(FEEDS)]])
        elif kind == "tray":
            y = middle - tall * high / 5
            x = canvas.marks((left + 6, y), side, d.node.gpus, 8, [GPU])
            x = canvas.marks((x + 6, y), side, 0 if whole else d.nvlink.switches, 4, [NVLINK])
            if power and own:
                hues = [FEEDS[feed % len(FEEDS)] for feed in range(feeds)]
                start = (left + 6, middle + high / 5) if tall else (x + 6, y)
                canvas.marks(start, side, power.shelves * psus, 6, hues, psus)
    if whole:
        low, up = max(at["tray"] + at["switch"]), min(at["tray"])
        ends = [((EDGE, low), (EDGE, up)), ((EDGE, low), (left - 5, low)), ((EDGE, up), (left - 5, up))]
        canvas.wire(ends, NVLINK, 2.5)
    y, spots, limit, labels = top, [], TOP + MAIN, _rack_labels(topology, nodes, at)
    for wanted, _, lines in labels:  # down, past the one before; then up again, off the floor
        spots.append(max(wanted, y + 7 * len(lines)))
        y = spots[-1] + 7 * len(lines) + 6
    for wanted, (_, colour, lines) in zip(reversed(spots), reversed(labels), strict=True):
        y = min(wanted, limit - 7 * len(lines))
        limit = y - 7 * len(lines) - 6
        canvas.block((229, y), lines, RACK - 229)
        if colour:
            canvas.box((215, y - 7 * (len(lines) - 1) - 4), (8, 8), colour, colour)


def _rack_labels(topology: Topology, nodes: int, at: dict[str, list[float]]) -> list[tuple[float, str, list[str]]]:
    """Return (height of what is meant, colour of its mark or "", lines) from top to bottom."""
    d, power, word = topology.description, topology.description.power, _node(topology)
    tray, shelf, switch, whole = at["tray"], at["shelf"], at["switch"] or at["tray"], d.nvlink.domain == "rack"
    each = f", {_watts(d.node.power)}" if d.node.power else ""
    lines = [_many(nodes, word), f"{_many(d.node.gpus, 'GPU')} each{each}"]
    lines += [f"together {_watts(nodes * d.node.power)}"] if d.node.power else []
    found = [(tray[(len(tray) - 1) // 4], GPU, lines)]
    count, least = d.nvlink.switches, d.nvlink.least
    lines = [_many(count, "NVLink switch tray") if whole else f"{_many(count, 'NVLink switch')} each"] * (count > 0)
    lines += [f"{least:,} of them needed"] * (least < count)
    lines += [f"one NVLink domain: {_many((nodes if whole else 1) * d.node.gpus, 'GPU')}"]
    found.append((switch[len(switch) // 2], NVLINK if whole or count else "", lines))
    found += [(tray[-1], "", [f"rest of the rack {_watts(d.rack.power)}"])] * (d.rack.power > 0)
    if power:
        given = _watts(power.shelves * power.psus * power.psu)
        lines = [_many(power.shelves, "power shelf"), f"{_many(power.psus, 'PSU')} each, of {_watts(power.psu)}"]
        lines = lines if shelf else [f"{_many(power.shelves * power.psus, 'PSU')} of {_watts(power.psu)} each"]
        found.insert(0 if shelf else 3, (min(shelf or tray[-1:]), "", [*lines, f"together {given}"]))
        for feed in range(min(power.feeds, 4)):
            hang = _many(len(range(feed, power.shelves, power.feeds)) * power.psus, "PSU")
            found.append((max(shelf + tray), FEEDS[feed], [f"feed {_feed(feed)}: {hang}{'' if shelf else ' each'}"]))
        found += [(max(shelf + tray), "", [f"… {power.feeds:,} feeds in all"])] * (power.feeds > 4)
    return found


def _network(canvas: _Canvas, topology: Topology, fabric: FabricKeys) -> None:
    """Draw one segment, the spines of its pod and the cores; other segments and pods are only counted."""
    spine, core, word = fabric.spine, fabric.core if "core" in topology.kinds else None, _node(topology)
    segments, pods = topology.components("segment"), topology.components("pod") if spine else 1
    gpus, pod_gpus = topology.span("segment", 0)[1], topology.span("pod" if spine else "segment", 0)[1]
    nodes, in_pod = gpus // topology.gpus_per_node, int(topology.part_of("segment", np.array([pod_gpus - 1]))[0]) + 1
    left, far, bottom = RACK + 12, 906.0 if core else WIDE - EDGE, TOP + MAIN
    near, inner = far - 162 if spine else far, left + 14
    rows = [bottom - 74 - tier * min((MAIN - 128) / (1 + bool(spine) + bool(core)), 200) for tier in range(4)]
    middle, room = (inner + near) / 2, near - inner - 30
    head = f"Network: {_many(fabric.nics, 'NIC')} of {_rate(fabric.port)} per {word}"
    canvas.text((left, TOP + 8), head, 12, WIDE - EDGE - left, "bold")
    canvas.box((left + 8, rows[1] - 24), (near - left - 8, bottom - rows[1]), PAPER, FAINT, 1, layer=-0.9)
    what = f"{_many(nodes, word)}, {_many(gpus, 'GPU')}, {_many(fabric.leaves, 'leaf')}"
    what += f" of {_watts(fabric.leaf.power)}" if fabric.leaf.power else ""
    canvas.text((inner, bottom - 37), f"{_one('segment', segments)}: {what}", 10, near - inner - 8, "bold")
    at_nodes = _row(canvas, _sample(nodes, 5), rows[0], (inner, near - 8), lambda _: [word.split()[-1]])
    at_leaves = _row(canvas, _sample(fabric.leaves, 8), rows[1], (inner, near - 8), lambda leaf: _leaf(fabric, leaf))
    for (leaf, x), (_, low) in product(at_leaves, at_nodes):
        canvas.wire([((x, rows[1]), (low, rows[0]))], WIRE, 0.8, dash="--" if leaf % fabric.homes else "-")
    port = fabric.port / fabric.homes
    first = f"{_many(fabric.nics * fabric.homes, 'link')} of {_rate(port)} per {word} · {fabric.optics}"
    second = _links(topology, "access-link") + (" · home 1 solid, others dashed" if fabric.homes > 1 else "")
    canvas.block((middle, (rows[0] + rows[1]) / 2), [first, second], room, 10, "centre paper")
    if not spine:
        return
    canvas.box((left, rows[2] - 24), (far - left, bottom - rows[2] + 24), FRAME, FAINT, 1, layer=-1)
    pod = f"{_one('pod', pods)}: {_many(in_pod, 'segment')}, {_many(pod_gpus, 'GPU')}"
    canvas.text((inner, bottom - 12), pod, 10, far - inner - 10, "bold")
    at_spines = _row(canvas, _sample(spine.count, 7), rows[2], (inner, near - 8), lambda _: ["spine"])
    canvas.wire([((x, rows[1]), (up, rows[2])) for (_, x), (_, up) in product(at_leaves, at_spines)], WIRE, 0.8)
    down, up = nodes * fabric.nics / fabric.rails * port, fabric.leaf.uplinks * fabric.uplink_rate
    first = f"{_many(fabric.leaf.uplinks, 'uplink')} of {_rate(fabric.uplink_rate)} per leaf · {fabric.leaf.optics}"
    second = _links(topology, "leaf-uplink", down, up)
    canvas.block((middle, (rows[1] + rows[2]) / 2 - 2), [first, second], room, 10, "centre paper")
    lines = [_many(spine.count, "spine"), "in each pod"] + [f"{_watts(spine.power)} each"] * (spine.power > 0)
    canvas.block((near + 12, rows[2]), lines, far - near - 20)
    if in_pod > 1:
        differ = any(not isinstance(each, int) and len(set(each)) > 1 for each in (fabric.leaf.nodes, spine.segments))
        lines = [f"× {_many(in_pod, 'segment')}", "here; sizes differ" if differ else "per pod"]
        lines += [f"{segments:,} in all"] * (pods > 1)
        _pile(canvas, (near + 14, far - 12), (rows[1] - 12, bottom - 30), lines, at_spines[-3:], rows[2])
    if not core:
        return
    cores, planes = topology.components("core"), core.planes
    sample, name = (_sample(planes, 6), "plane of {:,}") if planes > 1 else (_sample(cores, 7), "core")
    at_cores = _row(canvas, sample, rows[3], (inner, far - 8), lambda _: [name.format(cores // planes)])
    pairs = [pair for pair in product(at_spines, at_cores) if planes == 1 or pair[0][0] % planes == pair[1][0]]
    canvas.wire([((x, rows[2]), (up, rows[3])) for (_, x), (_, up) in pairs], WIRE, 1.2)
    down, up = in_pod * fabric.leaves * up / spine.count, spine.uplinks * fabric.core_rate
    first = f"{_many(spine.uplinks, 'uplink')} of {_rate(fabric.core_rate)} per spine · {spine.optics}"
    second = _links(topology, "spine-uplink", down, up)
    canvas.block((middle, (rows[2] + rows[3]) / 2 - 2), [first, second], room, 10, "centre paper")
    lines = [_many(cores, "core")] + [f"{planes:,} planes of {cores // planes:,}"] * (planes > 1)
    lines += [f"{_watts(core.power)} each"] * (core.power > 0)
    canvas.block((far + 14, rows[3]), lines, WIDE - far - 34)
    lines = [f"× {_many(pods, 'pod')}", f"{_many(topology.components('spine'), 'spine')} in all"]
    _pile(canvas, (far + 18, WIDE - EDGE - 8), (rows[2] - 12, bottom - 8), lines, at_cores[-3:], rows[3])


def _leaf(fabric: FabricKeys, leaf: int) -> list[str]:
    names = [f"rail {leaf // fabric.homes + 1}"] * (fabric.rails > 1)
    return names + [f"home {leaf % fabric.homes + 1}"] * (fabric.homes > 1) or ["leaf"]


def _links(topology: Topology, kind: str, down: float = 0, up: float = 0) -> str:
    ratio = f" · {down / up:.3g}:1 oversubscribed" if down > 1.0005 * up else " · not oversubscribed"
    return f"{_many(topology.components(kind), 'link')} in all{ratio if up else ''}"


def _row(
    canvas: _Canvas, sample: list[int | None], y: float, ends: Corner, label: Callable[[int], list[str]]
) -> Places:
    """Draw a tier of boxes and return (index, middle) of each."""
    pitch, found = (ends[1] - ends[0]) / len(sample), []
    for place, each in enumerate(sample):
        x, wide = ends[0] + (place + 0.5) * pitch, min(pitch - 6, 84)
        if each is None:
            canvas.text((x, y), "…", 14, pitch, "centre")
            continue
        canvas.box((x - wide / 2, y - 15), (wide, 30), BOX, FAINT, layer=2)
        canvas.block((x, y), label(each), wide - 4, 8.5, "centre")
        found.append((each, x))
    return found


def _pile(canvas: _Canvas, sides: Corner, ends: Corner, lines: list[str], to: Places, up: float) -> None:
    """Draw a pile of sheets that stands for parts like the one drawn, joined to the tier above."""
    (left, right), (top, bottom) = sides, ends
    canvas.wire([(((left + right) / 2, top), (x, up)) for _, x in to], WIRE, 0.8)
    size = (right - left - 10, bottom - top - 10)
    for back in (10, 5, 0):
        canvas.box((left + back, top + 10 - back), size, PAPER, FAINT, 0.8, layer=1.5 - back / 100)
    canvas.block(((left + right) / 2 - 5, (top + bottom) / 2 + 5), lines, right - left - 18, 10.5, "centre")


def _supply(topology: Topology) -> list[list[str]]:
    """Return what stands between the site and the racks, and the gateways: a title and lines for each."""
    d, found = topology.description, list[list[str]]()
    power, cooling, storage = d.power, d.cooling, d.storage
    if power and power.site:
        site, takes = power.site, Demand(topology).site_w
        given = site.feeds * (site.feed or 0) + site.generators * (site.generator or 0)
        lines = [f"{_many(site.feeds, 'utility feed')} of {_watts(site.feed)}"] if site.feed else []
        lines += [f"{_many(site.generators, 'generator')} of {_watts(site.generator)}"] if site.generator else []
        lines += [f"full load takes {_watts(takes)}", f"(all IT, PUE {power.meter_factor:g})"] if takes else []
        found.append([f"Site: {_watts(given)}", *lines])
    if power:
        racks = min(power.hall_racks or topology.racks, topology.racks)
        lines = [f"{_many(racks, 'rack')} each", f"{_many(power.feeds, 'feed')} each"]
        lines += [f"one feed carries {_watts(power.feed)}"] if power.feed else []
        found.append([_many(topology.components("hall"), "hall"), *lines])
    if power or cooling:
        lines = [f"{_many(min(d.rack.row, topology.racks), 'rack')} each"]
        lines += [f"{_many(cooling.cdus, 'CDU')} each, {cooling.needed:,} needed"] if cooling else []
        lines += [f"{_many(power.feeds, 'busway')} each"] if power and power.busways else []
        found.append([_many(topology.components("row"), "row"), *lines])
        lines = [f"{_many(min(d.rack.nodes, topology.nodes), _node(topology))} each"]
        rest = topology.nodes % d.rack.nodes
        lines += [f"the last one has {rest:,}"] * (rest > 0 and topology.racks > 1)
        lines += [f"{_many(topology.components('psu'), 'PSU')} in all"] if power else []
        found.append([_many(topology.racks, "rack"), *lines])
    if storage:
        one, units = storage.bandwidth * 1e3, ("MB/s", "GB/s", "TB/s")
        each, total = _scaled(one, *units), _scaled(storage.gateways * one, *units)
        found.append([_many(storage.gateways, "storage gateway"), f"{each} each", f"together {total}"])
    return found


class _Canvas:
    """A sheet of points, y downwards; shapes of one style and layer are one path, so hundreds stay small."""

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.figure import Figure
        from matplotlib.font_manager import findfont, get_font

        self.figure = Figure(figsize=(width / 72, height / 72), facecolor=PAPER)
        self.axes = self.figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        self.axes.set_axis_off()
        self.known = frozenset(get_font(findfont(FONT)).get_charmap())
        self.shapes: dict[tuple[Any, ...], list[list[Corner]]] = defaultdict(list)

    def box(self, at: Corner, size: Corner, fill: str, edge: str, line: float = 0.7, layer: float = 1.6) -> None:
        (x, y), (w, h) = at, size
        self.shapes[layer, fill, edge, line, "-"].append([(x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)])

    def wire(self, ends: list[tuple[Corner, Corner]], colour: str, line: float, dash: str = "-") -> None:
        self.shapes[1.0, "none", colour, line, dash] += [[*pair] for pair in ends]

    def marks(self, at: Corner, side: float, count: int, most: int, hues: Sequence[str], run: int = 1) -> float:
        """Draw a row of small squares, ``run`` of each hue in turn, and return where it ends."""
        x, y = at
        for each in _sample(count, most):
            if each is None:
                self.text((x + side / 2, y), "…", 9, side + 2, "centre")
            else:
                hue = hues[each // run % len(hues)]
                self.box((x, y - side / 2), (side, side), hue, hue, 0.3, layer=3)
            x += side + 2
        return x

    def text(self, at: Corner, text: str, size: float, width: float, style: str = "") -> float:
        """Write a line around a height, smaller where it would be wider than ``width``; return its width."""
        from matplotlib.font_manager import FontProperties
        from matplotlib.textpath import text_to_path

        text = "".join(each if ord(each) in self.known else "?" for each in text)
        font = FontProperties(family=FONT, size=size, weight="bold" if "bold" in style else "normal")
        wide = float(text_to_path.get_text_width_height_descent(text, font, False)[0])
        font.set_size(size * min(width / max(wide, 1), 1))
        place: dict[str, Any] = {"ha": "center" if "centre" in style else "left", "zorder": 9, "parse_math": False}
        colour = FAINT if "faint" in style else INK
        self.axes.text(at[0], at[1] + 0.36 * font.get_size(), text, color=colour, fontproperties=font, **place)
        return min(wide, width)

    def block(self, at: Corner, lines: list[str], width: float, size: float = 10, style: str = "") -> None:
        """Write lines around a height, the first of several in bold; style "paper": on a patch, over the wires."""
        step, wide = size * 1.36, 0.0
        for number, line in enumerate(lines):
            y = at[1] + step * (number - (len(lines) - 1) / 2)
            wide = max(wide, self.text((at[0], y), line, size, width, style + " bold" * (number == 0 < len(lines) - 1)))
        if "paper" in style:
            size_of = (wide + 12, step * len(lines) + 6)
            self.box((at[0] - size_of[0] / 2, at[1] - size_of[1] / 2), size_of, PAPER, WIRE, 0.6, layer=4)

    def finish(self) -> Figure:
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path

        for (layer, fill, edge, line, dash), shapes in sorted(self.shapes.items()):
            last = Path.LINETO if fill == "none" else Path.CLOSEPOLY
            steps = [Path.MOVETO, *[Path.LINETO] * (len(shapes[0]) - 2), last]
            path = Path([corner for shape in shapes for corner in shape], steps * len(shapes))
            style: dict[str, Any] = {"facecolor": fill, "edgecolor": edge, "linewidth": line, "linestyle": dash}
            self.axes.add_patch(PathPatch(path, clip_on=False, zorder=layer, **style))
        return self.figure
