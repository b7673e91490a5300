"""The cluster as a networkx graph, and back: for people, drawings, algorithms. Engines read ranges instead."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dcsim.fabric import core_of
from dcsim.topology.build import Topology, build
from dcsim.topology.description import TopologyDescription, TopologyError
from dcsim.topology.switch_tree import listed
from dcsim.wording import printable

if TYPE_CHECKING:
    import networkx as nx


def graph(topology: Topology, expand: bool = False) -> nx.DiGraph[str]:
    """Dependence graph: an edge leads from what serves or holds to what depends on it.

    ``networkx.descendants(graph, x)`` depend on x. Compact (the default, a few dozen nodes at any size): each kind of
    part once. ``count`` of a part is how many the cluster has, ``count`` of an edge how many of the lower part one
    upper part holds or serves; a partial last rack is a part of its own. Expanded, for drawings and algorithms: every
    component but the GPUs is a graph node under its address, with ``kind`` and ``index``; parts that hold GPUs have
    their range [``lo``, ``hi``); about 1 kB each.
    """
    return _expanded(topology) if expand else _compact(topology)


def node_link(graph: nx.DiGraph[str]) -> dict[str, Any]:
    """Return the graph as networkx node-link data, ready for ``json.dumps``, with its edges under "edges"."""
    import networkx as nx

    data: dict[str, Any] = nx.node_link_data(graph, edges="edges")
    return data


def read_graph(text: str) -> Topology:
    """Return the topology of which ``text``, node-link JSON or GraphML, is the graph that ``graph`` made.

    The graph holds the description that it was made of, and must still be its graph. Raises TopologyError.
    """
    read = _from_graphml(text) if text.lstrip().startswith("<") else _from_node_link(text)
    description, gpus = read.graph.get("description"), read.graph.get("gpus")
    if not isinstance(description, str) or type(gpus) is not int:
        raise TopologyError(["found a graph that dcsim topology build did not write: it does not say of what it is"])
    try:
        topology = build(TopologyDescription.model_validate_json(description), gpus)
    except ValueError:
        raise TopologyError(["found a graph of which the description was changed; must be as it was written"]) from None
    made = topology.graph(any("index" in attributes for _, attributes in read.nodes(data=True)))
    nodes = dict(made.nodes(data=True)), dict(read.nodes(data=True))
    edges = ({(one, other): data for one, other, data in each.edges(data=True)} for each in (made, read))
    _same("parts", *nodes)
    _same("edges", *edges)
    return topology


def _same(what: str, made: dict[Any, Any], read: dict[Any, Any]) -> None:
    """Check that nothing was added, taken away or changed since the graph was written."""
    lacks, more = [key for key in made if key not in read], [key for key in read if key not in made]
    other = [key for key in made if key in read and made[key] != read[key]]
    found = []
    for word, keys in (("missing", lacks), ("added", more), ("changed", other)):
        names = [" -> ".join(map(str, key)) if isinstance(key, tuple) else str(key) for key in keys]
        found += [f"{what} {word}: {listed(names)}"] if keys else []
    if found:
        must = "must be as dcsim topology build wrote it: change a topology file, and build its graph"
        raise TopologyError([f"found {'; '.join(found)}; {must}"])


def _from_node_link(text: str) -> nx.DiGraph[Any]:
    import networkx as nx

    try:
        data = json.loads(text)
        found: nx.DiGraph[Any] = nx.node_link_graph(data, directed=True, multigraph=False, edges="edges")
        return found
    except RecursionError:
        raise TopologyError(["found no JSON: nested too deeply"]) from None
    except (ValueError, KeyError, TypeError, AttributeError, nx.NetworkXError) as error:
        why = f"missing {error}" if isinstance(error, KeyError) else str(error)
        raise TopologyError(
            [f'found no graph in JSON (node-link, its edges under "edges"): {printable(why, 200)}']
        ) from None


def _from_graphml(text: str) -> nx.DiGraph[Any]:
    from warnings import catch_warnings, simplefilter
    from xml.etree.ElementTree import ParseError

    import networkx as nx

    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # entities that name each other fill the memory
        raise TopologyError(["found a document type in GraphML; must be as dcsim topology build wrote it"])
    try:
        with catch_warnings():
            simplefilter("ignore")  # networkx says what it takes to be text; the comparison sees it
            found = nx.parse_graphml(text)
    except (ParseError, ValueError, KeyError, TypeError, AttributeError, nx.NetworkXError, RecursionError) as error:
        raise TopologyError([f"found no GraphML: {printable(str(error), 200)}"]) from None
    if found.is_multigraph() or not found.is_directed():
        raise TopologyError(["found a graph of other edges in GraphML; must be directed, one edge from part to part"])
    return found


def _empty(topology: Topology) -> nx.DiGraph[str]:
    import networkx as nx

    description = topology.description.model_dump_json(exclude_none=True)
    return nx.DiGraph(
        name=topology.name, nvlink_domain=topology.nvlink_domain, gpus=topology.gpus, description=description
    )


def _serving(topology: Topology) -> list[tuple[str, str, int]]:
    """Return (kind, part that it serves, how many serve one part) of every kind that holds no GPU."""
    kinds = topology.kinds
    served = {"psu": "shelf", "leaf-uplink": "leaf", "spine-uplink": "spine"}
    found = []
    for kind in kinds.values():
        if kind.name in ("gpu", "node", "nvlink-domain", "rack", "segment", "pod", "row", "hall"):
            continue
        found.append((kind.name, served.get(kind.name, kind.parent), kind.per))
    return found


def _compact(topology: Topology) -> nx.DiGraph[str]:
    full, rest = divmod(topology.gpus, topology.gpus_per_rack)
    made = _empty(topology)
    made.add_node("cluster", kind="cluster", count=1)
    for part, count, gpus in (("rack", full, topology.gpus_per_rack), ("partial rack", int(rest > 0), rest)):
        if count:
            made.add_node(part, kind="rack", count=count)
            made.add_edge("cluster", part, count=count)
            made.add_edge(part, "node", count=gpus // topology.gpus_per_node)
    made.add_node("node", kind="node", count=topology.nodes)
    made.add_node("gpu", kind="gpu", count=topology.gpus)
    made.add_edge("node", "gpu", count=topology.gpus_per_node)
    kinds = topology.kinds
    for unit in ("segment", "pod", "row", "hall"):
        if unit in kinds:
            made.add_node(unit, kind=unit, count=topology.components(unit))
    for kind, serves, per in _serving(topology):
        made.add_node(kind, kind=kind, count=topology.components(kind))
        for target in _parts(topology, serves):
            made.add_edge(kind, target, count=per)
    if "segment" in kinds:
        made.add_edge("segment", "node", count=topology.gpus_per("segment") // topology.gpus_per_node)
    if "pod" in kinds:
        made.add_edge("pod", "segment", count=-(-topology.gpus_per("pod") // topology.gpus_per("segment")))
    for unit in ("row", "hall"):
        for target in _parts(topology, "rack") if unit in kinds else ():
            racks = min(-(-topology.gpus_per(unit) // topology.gpus_per_rack), topology.racks)
            made.add_edge(unit, target, count=racks if target == "rack" else 1)
    return made


def _parts(topology: Topology, kind: str) -> list[str]:
    """Return the compact graph's names of a kind; racks may be full or partial."""
    kind = topology.nvlink_domain if kind == "nvlink-domain" else kind
    if kind != "rack":
        return [kind]
    full, rest = divmod(topology.gpus, topology.gpus_per_rack)
    return ["rack"] * (full > 0) + ["partial rack"] * (rest > 0)


def _expanded(topology: Topology) -> nx.DiGraph[str]:
    made = _empty(topology)
    made.add_node("cluster", kind="cluster", index=0, lo=0, hi=topology.gpus)
    kinds = topology.kinds
    names: dict[str, list[str]] = {"cluster": ["cluster"]}
    for kind in ("rack", "node", "segment", "pod", "row", "hall"):
        if kind not in kinds:
            continue
        names[kind] = [_address(topology, kind, index) for index in range(topology.components(kind))]
        for index, name in enumerate(names[kind]):
            lo, hi = topology.span(kind, index)
            made.add_node(name, kind=kind, index=index, lo=lo, hi=hi)
    _nest(topology, made, names)
    for kind, serves, per in _serving(topology):
        serves = topology.nvlink_domain if serves == "nvlink-domain" else serves
        names[kind] = [topology.path(kind, index) for index in range(topology.components(kind))]
        for index, name in enumerate(names[kind]):
            made.add_node(name, kind=kind, index=index)
            made.add_edge(name, names[serves][index // per])
    _feed(topology, made, names)
    return made


def _address(topology: Topology, kind: str, index: int) -> str:
    if kind != "node":
        return f"{kind}/{index}"
    per = topology.gpus_per_rack // topology.gpus_per_node
    return f"rack/{index // per}/node/{index % per}"


def _nest(topology: Topology, made: nx.DiGraph[str], names: dict[str, list[str]]) -> None:
    """Let parts hold parts."""
    for upper, lower in (
        ("cluster", "rack"),
        ("rack", "node"),
        ("segment", "node"),
        ("pod", "segment"),
        ("row", "rack"),
        ("hall", "rack"),
    ):
        if upper in names and lower in names:
            first = topology.bounds(lower)[:-1]
            holders = topology.part_of(upper, first).tolist() if upper != "cluster" else [0] * len(first)
            for name, holder in zip(names[lower], holders, strict=True):
                made.add_edge(names[upper][holder], name)


def _feed(topology: Topology, made: nx.DiGraph[str], names: dict[str, list[str]]) -> None:
    """Draw which spine an uplink leads to, which core, and which feed and busway a shelf hangs on."""
    fabric, power = topology.description.fabric, topology.description.power
    if fabric and fabric.spine:
        pods = topology.part_of("pod", topology.bounds("segment")[:-1]).tolist()
        for index, name in enumerate(names["leaf-uplink"]):
            leaf, link = divmod(index, fabric.leaf.uplinks)
            spine = pods[leaf // fabric.leaves] * fabric.spine.count + link % fabric.spine.count
            made.add_edge(names["spine"][spine], name)
        if fabric.core and "core" in names:
            shape = fabric.spine.count, fabric.spine.uplinks, fabric.core.planes, len(names["core"])
            for index, name in enumerate(names["spine-uplink"]):
                above, link = divmod(index, fabric.spine.uplinks)
                pod, spine = divmod(above, fabric.spine.count)
                made.add_edge(names["core"][core_of(pod, spine, link, *shape)], name)
    if power:
        starts = topology.bounds(power.per)[:-1]
        halls, rows = topology.part_of("hall", starts).tolist(), topology.part_of("row", starts).tolist()
        for index, name in enumerate(names["shelf"]):
            unit, shelf = divmod(index, power.shelves)
            feed = shelf % power.feeds
            made.add_edge(names["feed"][halls[unit] * power.feeds + feed], name)
            if power.busways:
                made.add_edge(names["busway"][rows[unit] * power.feeds + feed], name)
