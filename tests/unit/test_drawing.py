"""The picture of a topology: what it says is what the description says, it stays small, and no text hides another."""

import re
import time
from itertools import combinations
from xml.etree import ElementTree

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from dcsim.plant import Demand
from dcsim.report.drawing import draw, figure
from dcsim.topology import Topology, TopologyDescription, resolve
from dcsim.topology.build import build

SVG = "{http://www.w3.org/2000/svg}"
BARE = {
    "name": "bare",
    "description": "Three tables, no more",
    "node": {"gpus": 8},
    "rack": {"nodes": 4},
    "nvlink": {"domain": "node"},
}
WHOLE = {
    "name": "whole",
    "description": "Everything & <script>alert('x')</script> $x$ \u4e2d \x00",
    "node": {"gpus": 4, "power": "5.4 kW"},
    "rack": {"nodes": 18, "power": "20 kW", "row": 8},
    "nvlink": {"domain": "rack", "switches": 9, "needed": 7},
    "fabric": {
        "nics": 4,
        "port": "400 Gb/s",
        "rails": 4,
        "homes": 2,
        "leaf": {"nodes": 144, "uplinks": 72, "power": "1.5 kW"},
        "spine": {"count": 36, "segments": 4, "uplinks": 8, "power": "2.5 kW", "optics": "co-packaged"},
        "core": {"ports": 128, "planes": 4, "power": "3.5 kW"},
    },
    "power": {
        "shelves": 8,
        "psus": 6,
        "psu": "5.5 kW",
        "feeds": 2,
        "hall_racks": 32,
        "feed": "4 MW",
        "busways": True,
        "site": {"feeds": 2, "feed": "300 MW", "generators": 5, "generator": "60 MW"},
    },
    "cooling": {"cdus": 2, "needed": 1},
    "storage": {"gateways": 16, "bandwidth": "50 GB/s"},
}
SERVERS = BARE | {
    "node": {"gpus": 8, "power": "10.2 kW"},
    "nvlink": {"domain": "node", "switches": 4},
    "power": {"per": "node", "shelves": 6, "psu": "3.3 kW", "feeds": 2},
}
CROWDED = {
    "name": "W" * 60,
    "description": "a long story " * 60,
    "node": {"gpus": 64, "power": "123.4 kW"},
    "rack": {"nodes": 999, "row": 999, "power": "777.7 kW"},
    "nvlink": {"domain": "rack", "switches": 500, "needed": 499},
    "fabric": {
        "nics": 512,
        "port": "1600 Gb/s",
        "homes": 8,
        "rails": 512,
        "leaf": {"nodes": 1999, "uplinks": 3998, "power": "12.3 kW"},
        "spine": {"count": 1999, "segments": 7, "uplinks": 1001, "power": "12.3 kW"},
        "core": {"ports": 3, "power": "12.3 kW"},
    },
    "power": {
        "shelves": 999,
        "psus": 99,
        "psu": "5.55 kW",
        "feeds": 99,
        "hall_racks": 3,
        "feed": "1 MW",
        "busways": True,
    }
    | {"site": {"feeds": 999, "feed": "3.333 MW", "generators": 999, "generator": "6.666 MW"}},
    "cooling": {"cdus": 999, "needed": 998},
    "storage": {"gateways": 99999, "bandwidth": "5.555 TB/s"},
}


def made(description: dict, gpus: int) -> Topology:
    """Lay out a description."""
    return build(TopologyDescription.model_validate(description), gpus)


PLANTS = {
    "bare": made(BARE, 64),
    "one node": made(BARE, 8),
    "whole": made(WHOLE, 72 * 1400),
    "part of a rack": made(WHOLE, 20),
    "last rack partial": made(WHOLE, 72 * 9 + 8),
    "no network": made({key: value for key, value in WHOLE.items() if key != "fabric"}, 7200),
    "cooling only": made(BARE | {"cooling": {"cdus": 2, "needed": 1}}, 64),
    "storage only": made(BARE | {"storage": {"gateways": 1, "bandwidth": "1 GB/s"}}, 64),
    "one segment": made(BARE | {"fabric": {"nics": 1, "port": "1 Gb/s", "leaf": {"nodes": 64}}}, 64),
    "servers": made(SERVERS, 1024),
    "crowded": made(CROWDED, 64 * 100_000),
    "gb300": build(resolve("gb300-nvl72"), 5184),
    "h100": build(resolve("hgx-h100"), 1024),
    "h100, many": build(resolve("hgx-h100"), 8 * 12_500),
}


def said(topology: Topology) -> list[str]:
    """Return every line of text in the picture."""
    return ["".join(each.itertext()) for each in ElementTree.fromstring(draw(topology)).iter(f"{SVG}text")]


@pytest.mark.parametrize("name", PLANTS)
def test_the_picture_is_one_document_of_the_same_bytes(name):
    """It is well-formed, says in words what it shows, runs and loads nothing, and is the same every time."""
    text = draw(PLANTS[name])
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert PLANTS[name].name in root.find(f"{SVG}title").text
    assert root.get("aria-label") == root.find(f"{SVG}title").text
    assert root.get("role") == "img"
    assert draw(PLANTS[name]) == text
    assert not list(root.iter(f"{SVG}script"))
    assert not list(root.iter(f"{SVG}image"))
    assert not re.search(r"\bnan\b|\binf\b", text)


@pytest.mark.parametrize("name", PLANTS)
def test_no_text_touches_another_or_leaves_the_sheet(name):
    """Whatever the counts, every line of text has its own place."""
    drawn = figure(PLANTS[name])
    canvas = FigureCanvasAgg(drawn)
    canvas.draw()
    boxes = [(each.get_text(), each.get_window_extent(canvas.get_renderer())) for each in drawn.axes[0].texts]
    width, height = canvas.get_width_height()
    for text, box in boxes:
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, text  # noqa: PT018
    for (one, a), (other, b) in combinations(boxes, 2):
        apart = a.x1 <= b.x0 + 0.5 or b.x1 <= a.x0 + 0.5 or a.y1 <= b.y0 + 2.5 or b.y1 <= a.y0 + 2.5
        assert apart, (one, other)


def test_a_million_gpus_are_as_small_and_quick_as_a_thousand():
    """Counts, not boxes, grow with the cluster."""
    few, many = made(WHOLE, 72 * 14), made(WHOLE, 72 * 13_889)
    draw(few)
    start = time.perf_counter()
    text = draw(many)
    assert time.perf_counter() - start < 5
    assert len(text) < 1.5 * len(draw(made(WHOLE, 10_080))) < 150_000
    assert len(text) < 150_000
    assert len(draw(PLANTS["crowded"])) < 150_000


def test_every_count_is_that_of_the_topology():
    """What is printed of the whole plant is the arithmetic of its description."""
    plant = PLANTS["whole"]
    d, lines, count = plant.description, said(plant), plant.components
    racks = plant.nodes * d.node.power + plant.racks * d.rack.power
    in_pod = plant.gpus_per("pod") // plant.gpus_per("segment")
    leaf_down, leaf_up = 144 * 4 / 4 * 200, 72 * 200
    spine_down, spine_up = in_pod * d.fabric.leaves * 72 / 36 * 200, 8 * 200
    expected = [
        f"{plant.gpus:,} GPUs · {plant.racks:,} racks · {racks / 1e6:.4g} MW in the racks at full load",
        f"One rack of {plant.racks:,}",
        f"{plant.gpus_per_rack} GPUs · {(18 * d.node.power + d.rack.power) / 1e3:.4g} kW",
        f"{d.power.shelves} power shelves",
        "6 PSUs each, of 5.5 kW",
        f"together {8 * 6 * 5.5:.4g} kW",
        "18 compute trays",
        "4 GPUs each, 5.4 kW",
        f"together {18 * 5.4:.4g} kW",
        "9 NVLink switch trays",
        "7 of them needed",
        "one NVLink domain: 72 GPUs",
        "rest of the rack 20 kW",
        "feed A: 24 PSUs",
        "feed B: 24 PSUs",
        "Network: 4 NICs of 400 Gb/s per compute tray",
        f"One segment of {count('segment'):,}: 144 compute trays, 576 GPUs, 8 leaves of 1.5 kW",
        "8 links of 200 Gb/s per compute tray · dac",
        f"{count('access-link'):,} links in all · home 1 solid, others dashed",
        "72 uplinks of 200 Gb/s per leaf · pluggable",
        f"{count('leaf-uplink'):,} links in all · {leaf_down / leaf_up:g}:1 oversubscribed",
        f"One pod of {count('pod'):,}: {in_pod} segments, {plant.gpus_per('pod'):,} GPUs",
        "36 spines",
        "2.5 kW each",
        f"× {in_pod} segments",
        f"{count('segment'):,} in all",
        "8 uplinks of 200 Gb/s per spine · co-packaged",
        f"{count('spine-uplink'):,} links in all · {spine_down / spine_up:g}:1 oversubscribed",
        f"{count('core'):,} cores",
        f"4 planes of {count('core') // 4:,}",
        "3.5 kW each",
        f"× {count('pod'):,} pods",
        f"{count('spine'):,} spines in all",
        f"Site: {2 * 300 + 5 * 60} MW",
        "2 utility feeds of 300 MW",
        "5 generators of 60 MW",
        f"full load takes {Demand(plant).site_w / 1e6:.4g} MW",
        "(all IT, PUE 1.25)",
        f"{count('hall'):,} halls",
        "32 racks each",
        "2 feeds each",
        "one feed carries 4 MW",
        f"{count('row'):,} rows",
        "8 racks each",
        "2 CDUs each, 1 needed",
        "2 busways each",
        f"{plant.racks:,} racks",
        "18 compute trays each",
        f"{count('psu'):,} PSUs in all",
        "16 storage gateways",
        "50 GB/s each",
        "together 800 GB/s",
    ]
    assert [line for line in expected if line not in lines] == []
    unnamed = {"A", "B", "…", "→", "tray", "spine", "whole", "in each pod", "per pod", f"plane of {count('core') // 4}"}
    unnamed |= {f"{word} {number}" for word in ("rail", "home") for number in range(1, 5)}
    others = [line for line in lines if line not in expected and line not in unnamed]
    assert len(others) == 1
    assert others[0].startswith("Everything &")
    label = ElementTree.fromstring(draw(plant)).get("aria-label")
    assert f"{count('leaf'):,} leaves" in label
    assert f"{count('feed'):,} feeds" in label


def test_servers_have_their_own_psus():
    """Where each server has PSUs, the rack has no shelves."""
    lines = said(PLANTS["servers"])
    expected = [
        "4 servers",
        "8 GPUs each, 10.2 kW",
        "4 NVLink switches each",
        "6 PSUs of 3.3 kW each",
        "together 19.8 kW",
    ]
    assert [line for line in [*expected, "feed A: 3 PSUs each", "feed B: 3 PSUs each"] if line not in lines] == []
    assert not any("shel" in line for line in lines)
    assert "768 PSUs in all" in lines


def test_what_is_not_described_is_not_drawn():
    """A minimal topology has a rack and nothing else; nothing is said of power that nobody gave."""
    lines = said(PLANTS["bare"])
    shown = [
        "bare",
        "64 GPUs · 2 racks",
        "Three tables, no more",
        "One rack of 2",
        "32 GPUs",
        "4 servers",
        "8 GPUs each",
    ]
    assert sorted(lines) == sorted([*shown, "one NVLink domain: 8 GPUs"])
    assert "The one rack" in said(PLANTS["one node"])
    assert "1 server" in said(PLANTS["one node"])
    assert not any("core" in line or "× " in line for line in said(PLANTS["one segment"]))
    assert "× 18 segments" in said(PLANTS["gb300"])
    assert not any("core" in line for line in said(PLANTS["gb300"]))  # one pod needs none


@pytest.mark.parametrize(("nodes", "said_of_it"), [([4, 4], "per pod"), ([4, 3], "here; sizes differ"), (4, "per pod")])
def test_sizes_differ_only_where_they_do(nodes, said_of_it):
    """A list of equal sizes, as an importer writes it, is one size."""
    leaf = {"nodes": nodes, "uplinks": 2}
    fabric = {"nics": 2, "port": "1 Gb/s", "leaf": leaf, "spine": {"count": 1, "segments": [2]}}
    assert said_of_it in said(made(BARE | {"fabric": fabric}, 56))


def test_a_partial_rack_is_said():
    """The last rack, or the only one, may have fewer trays."""
    assert "the last one has 2" in said(PLANTS["last rack partial"])
    lines = said(PLANTS["part of a rack"])
    assert "20 GPUs · 47 kW" in lines
    assert "5 compute trays" in lines


def test_a_hostile_description_is_only_text():
    """Markup, mathematics and what XML or the font cannot hold do no harm."""
    text = draw(PLANTS["whole"])
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "\x00" not in text
    assert "\u4e2d" in ElementTree.fromstring(text).find(f"{SVG}desc").text
    assert any("$x$ ?" in line for line in said(PLANTS["whole"]))
