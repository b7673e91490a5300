"""Checks before each start of a gang, against renewal theory: what they cost, what they find, what they take for bad.

Failures strike a gang only while it computes, and enough others are free: it is a renewal process, and a cycle lasts
from a resume to the next. It starts running, which moves a mean over n cycles by less than 1/n.
"""

from dcsim.engine.compiled_clock import simulate_many
from dcsim.ledger import STATE
from dcsim.scenario import Scenario
from tests.oracle.agreement import Comparison, objections

RUNS = 128
HOURS = 20_000
ERROR = 5e-3
MINUTE = 1 / 60


def scenario(seed, nodes, spares, hazards, preflight):
    """A gang on nodes of one GPU."""
    shape = {"node": {"gpus": 1}, "rack": {"nodes": 4}, "nvlink": {"domain": "node"}}
    recovery = {"kind": "stateless", "failover": "5 min", "restore": "10 min"}
    return Scenario.model_validate(
        {
            "name": "preflight",
            "horizon": f"{HOURS} h",
            "seed": seed,
            "cluster": {"topology": {"name": "single", "description": "", **shape}, "gpus": nodes + spares},
            "jobs": [{"name": "a", "gpus": nodes, "recovery": recovery, "preflight": preflight}],
            "hazards": hazards,
        }
    )


def share(given, state):
    """Share of the gang's time in a state, by run."""
    gpu_ms = simulate_many(given, list(range(RUNS)), False).gpu_ms[:, 0, STATE[state]]
    return gpu_ms / (given.jobs[0].gpus * given.horizon)


def kills(mean):
    """Software that dies on a node; the hardware stays."""
    return {
        "name": "software",
        "component": "node",
        "effect": "kill",
        "mtbf": f"{mean} h",
        "exposure": "running",
        "detect": "15 min",
    }


def test_a_start_takes_as_many_checks_as_its_unluckiest_member():
    """Of m nodes each fails a check with f: those in their place are checked, until none fails.

    So there are as many checks as the largest of m geometric numbers says, P(N <= k) = (1 - f^k)^m, and m f / (1 - f)
    false alarms, each of which takes a node for its retest.
    """
    found = []
    for seed, nodes, alarms in ((1530, 8, 0.1), (1531, 32, 0.02), (1532, 16, 0.4)):
        preflight = {"time": "30 min", "false_alarms": f"{100 * alarms} %", "retest": "6 h"}
        given = scenario(seed, nodes, 200, [kills(20 * nodes)], preflight)
        checks = sum(1 - (1 - alarms**k) ** nodes for k in range(200))
        cycle = 20 + 30 * MINUTE * (1 + checks)
        ledgers = simulate_many(given, list(range(RUNS)), False).gpu_ms
        out = nodes * alarms / (1 - alarms) * 6 + nodes * checks * 0.5
        maintained = ledgers[:, :, STATE["maintenance"]].sum(axis=1) / (3_600_000 * HOURS)
        found.append(Comparison(f"{nodes}, {alarms}: useful", share(given, "useful") * cycle / 20, 1.0))
        found.append(Comparison(f"{nodes}, {alarms}: maintenance", maintained * cycle / out, 1.0))
    assert objections(found, largest_error=2 * ERROR) == []


def test_what_is_slow_is_found_before_the_next_start():
    """A node is slow from a time Exp(l) on, and each start finds it with p; starts come after Exp(m) of computing.

    a = l / (l + m) is the chance that a sound one becomes slow before the next start. It begins slow with
    s = (1 - p)(s + (1 - s) a), and is slow for s/m + (1 - s)(1/m - 1/(l + m)) of a cycle. If it is found, the one that
    takes its place is checked too.
    """
    found = []
    for seed, slow, finds in ((1540, 40, 0.5), (1541, 15, 1.0), (1542, 60, 0.2), (1543, 15, 0.1)):
        straggler = {"name": "slow", "component": "node", "effect": "straggle", "keeps": "50 %", "mtbf": f"{slow} h"}
        straggler |= {"exposure": "running", "detect": "1000 y", "repair": "1 h"}
        given = scenario(seed, 1, 3, [kills(20), straggler], {"time": "12 min", "finds": f"{100 * finds} %"})
        rate, starts = 1 / slow, 1 / 20
        turns = rate / (rate + starts)
        begins = (1 - finds) * turns / (1 - (1 - finds) * (1 - turns))
        is_slow = begins * 20 + (1 - begins) * (20 - 1 / (rate + starts))
        found_at_once = finds * (begins + (1 - begins) * turns)
        cycle = 20 + 30 * MINUTE + 12 * MINUTE * (1 + found_at_once)
        found.append(Comparison(f"{slow}, {finds}", share(given, "useful") * cycle / (20 - is_slow / 2), 1.0))
    assert objections(found, largest_error=ERROR) == []


def test_a_blamed_node_does_not_fail_again():
    """Of failures a share w blames a healthy node; the faulty one is found at the next start with p, else it strikes.

    With w blames in a row a strike is followed by N = 1 + G of them, each of which is the last with (1 - w) or found
    before with w p: N is geometric with q = 1 - w (1 - p). Each costs the detection, a check, failover and restore; a
    check that finds something is followed by another one.
    """
    found = []
    for seed, wrong, finds in ((1550, 0.5, 0.6), (1551, 0.9, 0.3), (1552, 0.6, 0.0), (1553, 0.6, 1.0)):
        hazard = {"name": "node", "component": "node", "mtbf": "40 h", "exposure": "running", "detect": "15 min"}
        hazard |= {"wrong_node": f"{100 * wrong} %", "repair": "1 min"}
        given = scenario(seed, 2, 12, [hazard], {"time": "12 min", "finds": f"{100 * finds} %"})
        strikes = 1 / (1 - wrong * (1 - finds))
        cycle = 20 + strikes * (42 + 12 * wrong * finds) * MINUTE
        found.append(Comparison(f"{wrong}, {finds}", share(given, "useful") * cycle / 20, 1.0))
    assert objections(found, largest_error=ERROR) == []
