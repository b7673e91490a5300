"""Files that people take for a network description but that are not read: what each of them is, and what helps."""

from __future__ import annotations

import re
from collections import Counter

READABLE = (
    "Slurm's topology.conf or topology.yaml, what ibnetdiscover prints, nodes of Kubernetes with labels (kubectl get "
    "nodes -o json), topograph's models and instances, graphs of dcsim topology build, or the Lingjun map (CSV with "
    "the columns ip, DSW, PSW, ASW)"
)
"""What can be read, in words."""

_SLURM_IN_IT = re.compile(r"(SwitchName|BlockName)[ \t]*=|-[ \t]+topology[ \t]*:", re.IGNORECASE)
_FROM_TOPOGRAPH = "run topograph with the engine slurm and import the topology.conf that it writes"
_FROM_NODES = "import what kubectl get nodes -o json prints"
_FROM_FABRIC = "import what ibnetdiscover prints"

# What a file holds, what it is called, and what helps. The first that fits counts.
_KNOWN = tuple(
    (re.compile(pattern, re.MULTILINE), what, helps)
    for pattern, what, helps in (
        (r"^(CA|Switch|RT):\s+(0x[0-9a-fA-F]+\s|\S+.*:$)", "a link list of iblinkinfo", _FROM_FABRIC),
        (r"^\{\s*(CA|SW)\s+Ports:", "a list of links of ibdiagnet or OpenSM", _FROM_FABRIC),
        (
            r"^(SwitchName=\S+\s+Level|BlockName=\S+\s+BlockIndex)=\d",
            "what scontrol show topology prints",
            "import the topology.conf itself",
        ),
        (
            r"^(ClusterName|SlurmctldHost|ControlMachine|NodeName|PartitionName)\s*=",
            "a slurm.conf",
            "import the topology.conf beside it",
        ),
        (r"^[ \t]+GPU0[ \t]+GPU1\b|^GPU0[ \t]+X\s", "the matrix that nvidia-smi topo prints, of one node", ""),
        (r"^NAME\s+STATUS\s+ROLES\s+AGE\b", "a list of nodes that kubectl prints", _FROM_NODES),
        (r"^[ \t]*(strict[ \t]+)?(di)?graph\b[^{\n]*\{", "a graph of Graphviz (DOT)", ""),
        (r"\bnetwork\.topology\.(nvidia\.com|kubernetes\.io)/", "node labels that topograph sets", _FROM_NODES),
        (r"\A\s*(<\?xml|<!DOCTYPE|<[A-Za-z])", "an XML or HTML file", ""),
    )
)


def foreign(name: str, text: str) -> str | None:
    """Say what a file is that cannot be read as a network, and what helps; None if nothing tells.

    Asked where ``kind_of`` does not know the content.
    ``name``: of the file; its ending counts where the content alone does not tell.
    """
    ending = name.lower().rpartition(".")[2]
    found = _kubernetes(text) or _toml(ending, text) or _known(text) or _topograph(text)
    if found is None and re.match(r"\s*[\[{]", text) and _is_json(text):
        found = _json(text)
    return found or (_table(text) if ending in ("csv", "tsv") else None)


def _known(text: str) -> str | None:
    for pattern, what, helps in _KNOWN:
        if pattern.search(text):
            return _with(what, helps)
    return None


def _kubernetes(text: str) -> str | None:
    """Name a Kubernetes object, or a list of them, as YAML or JSON."""
    group, kinds = _objects(text)
    if not kinds:
        return None
    helps = "give the nodes with their labels: kubectl get nodes -o json" if "Pod" in kinds else ""
    if kinds[0] == "List":
        return _with("a Kubernetes List" + "".join(f" of {each} objects" for each in kinds[1:2]), helps)
    return _with(f"a Kubernetes {kinds[0]} ({group})", helps)


def _objects(text: str) -> tuple[str, list[str]]:
    """Return the group and the kind of a Kubernetes object; of a List also the kinds in it, most of them first."""
    pattern = r"""["']?{}["']?\s*:\s*["']?([\w./-]{{1,80}})"""
    flow = re.match(r"\s*\{", text) is not None  # JSON, or YAML that looks like it
    groups, kinds = (
        re.findall((r"\b" if flow else "^") + pattern.format(key), text, re.MULTILINE) for key in ("apiVersion", "kind")
    )
    if not groups or not kinds:
        return "", []
    if "List" in kinds:
        inside = Counter(re.findall(pattern.format("kind"), text))
        del inside["List"]
        return groups[0], ["List", *(each for each, _ in inside.most_common())]
    return groups[0], kinds


def from_kubernetes(text: str) -> bool:
    """Whether a text is objects of Kubernetes that can be read: nodes, Topology, a ConfigMap of Slurm's topology."""
    _, kinds = _objects(text)
    return bool({"Node", "NodeList", "Topology", "TopologyList"} & set(kinds)) or (
        "ConfigMap" in kinds and _SLURM_IN_IT.search(text) is not None
    )


def _toml(ending: str, text: str) -> str | None:
    """Name a scenario or a topology of dcsim's own."""
    tables = set(re.findall(r"^[ \t]*\[\[?[ \t]*([A-Za-z_][\w-]*)", text, re.MULTILINE))
    if {"cluster", "jobs"} & tables:
        return _with("a scenario of dcsim", "its topology key names a topology")
    if {"node", "rack", "nvlink"} <= tables:
        return _with("a topology file of dcsim already", "use it as it is: dcsim topology show FILE")
    return "a TOML file" if ending == "toml" else None


def _topograph(text: str) -> str | None:
    """Name a file of NVIDIA's topograph: its configuration."""
    keys = set(re.findall(r"""^["']?([A-Za-z_]+)["']?\s*:""", text, re.MULTILINE))
    if "engine" in keys and keys & {"provider", "http", "requestAggregationDelay"}:
        return _with("a configuration of topograph", _FROM_TOPOGRAPH)
    return None


def _is_json(text: str) -> bool:
    import json

    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _json(text: str) -> str:
    keys = set(re.findall(r'"([A-Za-z_]+)"\s*:', text))
    if {"provider", "engine"} <= keys:
        return _with("a request to topograph", _FROM_TOPOGRAPH)
    if {"nodes", "links"} <= keys:
        return "a graph in JSON with its edges under links"
    return "a JSON file"


def _table(text: str) -> str | None:
    """Name a table of which no column is the Lingjun map's."""
    columns = [column.strip().strip('"') for column in re.split("[,;\t]", text.partition("\n")[0])]
    if not any(columns) or {"ip", "dsw", "psw", "asw"} & {column.lower() for column in columns}:
        return None
    listed = ", ".join(column[:20] if column.isprintable() else "?" for column in columns[:4])
    return f"a table of other columns ({listed}{', ...' if len(columns) > 4 else ''})"


def _with(what: str, helps: str) -> str:
    return f"{what}; {helps}" if helps else what
