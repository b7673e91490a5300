"""Where every mark of a picture stands: charts as SVG, pictures of topologies as a list of shapes and lines of text.

A change that is meant to move a mark writes the files anew with ``python -m tests.golden.test_pictures``; look at the
charts in a browser before they are kept.
"""

from pathlib import Path

import pytest

from dcsim.report.charts import svg
from dcsim.report.document import Areas, Bars, Chart, Histograms, Picture, Stacks, Waterfall
from dcsim.report.drawing import figure
from dcsim.report.page import Table
from dcsim.topology import Topology, TopologyDescription, resolve
from dcsim.topology.build import build

FOLDER = Path(__file__).parent / "pictures"
CHARTS: dict[str, Chart] = {
    "bars": Bars(("Gold", "Silver", "Own"), (4.25, 6.2, 0.0), ((4.24, 4.26), (5.9, 6.9), None), "USD", marked=0),
    "stacks": Stacks(
        ("Gold", "Silver"), (("work done again", (1.0, 7.79)), ("repair", (0.0, 2.5)), ("other", (0.5, -0.25))), "%"
    ),
    "waterfall": Waterfall(
        ("formula", 20.91), (("detection", 15.67), ("spares", -2.5)), ("simulated", 34.09), "%", "pp", 2
    ),
    "histograms": Histograms(
        ("Gold", "Silver"),
        ((1, 5, 2), (3, 3)),
        ((5.0, 5.1, 5.2, 5.3), (6.0, 6.5, 7.0)),
        ((("P5", 5.05), ("P95", 5.25)), (("P50", 6.5),)),
        "%",
    ),
    "areas": Areas(
        (
            ("Typical", (0.0, 10.0, 20.0), (("repair", (3.0, 5.0)), ("others", (1.0, 0.0)))),
            ("Worst", (5.0, 10.0, 20.0), (("repair", (40.0, 0.0)), ("others", (0.0, 7.0)))),
        ),
        "day",
        "GPUs",
    ),
}
NODE: dict[str, object] = {
    "name": "servers",
    "description": "Made for a test",
    "node": {"gpus": 8},
    "rack": {"nodes": 4},
    "nvlink": {"domain": "node"},
}
TOPOLOGIES: dict[str, dict[str, object]] = {
    "rack-scale": {
        "name": "rack-scale",
        "description": "Everything that can be described",
        "node": {"gpus": 4, "power": "5.4 kW"},
        "rack": {"nodes": 18, "power": "20 kW", "row": 8},
        "nvlink": {"domain": "rack", "switches": 9, "needed": 7},
        "fabric": {
            "nics": 4,
            "port": "400 Gb/s",
            "rails": 4,
            "homes": 2,
            "leaf": {"nodes": 144, "uplinks": 72, "power": "1.5 kW"},
            "spine": {"count": 36, "segments": 4, "uplinks": 8, "power": "2.5 kW"},
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
    },
    "cores of one plane": NODE
    | {
        "name": "cores",
        "fabric": {
            "nics": 1,
            "port": "400 Gb/s",
            "leaf": {"nodes": 4, "uplinks": 2},
            "spine": {"count": 2, "segments": 2, "uplinks": 2},
            "core": {"ports": 8},
        },
    },
    "many shelves": NODE | {"power": {"shelves": 14, "psus": 13, "psu": "1 kW", "feeds": 7}},
    "many switches": NODE | {"name": "trays", "rack": {"nodes": 30}, "nvlink": {"domain": "rack", "switches": 13}},
    "servers": NODE
    | {
        "node": {"gpus": 8, "power": "10.2 kW"},
        "nvlink": {"domain": "node", "switches": 4},
        "power": {"per": "node", "shelves": 6, "psu": "3.3 kW", "feeds": 2},
    },
    "small servers": NODE
    | {"rack": {"nodes": 20}, "power": {"per": "node", "shelves": 2, "psu": "3.3 kW", "feeds": 2}},
    "one rail": NODE | {"fabric": {"nics": 1, "port": "1 Gb/s", "leaf": {"nodes": 16}}},
    "one rail of two homes": NODE | {"fabric": {"nics": 1, "port": "1 Gb/s", "homes": 2, "leaf": {"nodes": 16}}},
}
GPUS = {"rack-scale": 72 * 1400 + 8, "hgx-h100": 1024, "many switches": 240}


def laid_out(name: str) -> Topology:
    """Return a topology of the table, or a shipped one."""
    gpus = GPUS.get(name, 96)
    if name in TOPOLOGIES:
        return build(TopologyDescription.model_validate(TOPOLOGIES[name]), gpus)
    return build(resolve(name), gpus)


def shapes(name: str) -> str:
    """Return every path and every line of text in a picture of a topology, with its corners in points."""
    axes = figure(laid_out(name)).axes[0]
    lines = [f"{axes.figure.get_figwidth() * 72:.0f} x {axes.figure.get_figheight() * 72:.0f}"]
    for patch in axes.patches:
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in patch.get_path().vertices)
        style = f"{patch.get_facecolor()} {patch.get_edgecolor()} {patch.get_linewidth():g} {patch.get_linestyle()}"
        lines.append(f"layer {patch.get_zorder():g} {style}: {corners}")
    for text in axes.texts:
        x, y = text.get_position()
        style = f"{text.get_fontsize():.2f} {text.get_weight()} {text.get_ha()} {text.get_color()}"
        lines.append(f"{x:.1f},{y:.1f} {style}: {text.get_text()}")
    return "\n".join(lines).replace("np.float64", "") + "\n"


def chart(name: str) -> str:
    """Return a chart as a file that a browser shows."""
    element = svg(Picture(name, name, CHARTS[name], Table("", (), ())))
    return element.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace("><", ">\n<") + "\n"


@pytest.mark.parametrize("name", CHARTS)
def test_every_mark_of_a_chart_stands_where_it_stood(name: str) -> None:
    """Boxes, lines and letters of one small chart of each kind."""
    assert chart(name).splitlines() == (FOLDER / f"{name}.svg").read_text().splitlines()


@pytest.mark.parametrize("name", [*TOPOLOGIES, "hgx-h100"])
def test_every_mark_of_a_topology_stands_where_it_stood(name: str) -> None:
    """Boxes, wires and lines of text; which font is there moves none of them."""
    assert shapes(name).splitlines() == (FOLDER / f"{name}.txt").read_text().splitlines()


if __name__ == "__main__":  # writes them anew
    FOLDER.mkdir(exist_ok=True)
    for each in CHARTS:
        (FOLDER / f"{each}.svg").write_text(chart(each))
    for each in (*TOPOLOGIES, "hgx-h100"):
        (FOLDER / f"{each}.txt").write_text(shapes(each))
