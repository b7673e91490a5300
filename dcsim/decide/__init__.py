"""Answers: what the formulas say, what the simulation says, why they differ, and which offer is cheaper."""

from dcsim.decide.bridge import Bridge, Step, explain
from dcsim.decide.comparison import Comparison, compare
from dcsim.decide.documents import runs_json
from dcsim.decide.estimate import Estimate, estimates_json
from dcsim.decide.outcome import REPLICATIONS, run, run_many
from dcsim.decide.pair import Pair
from dcsim.decide.result import RunResult
from dcsim.decide.study import MtbfRange
from dcsim.decide.verdict import Verdict

__all__ = [
    "REPLICATIONS",
    "Bridge",
    "Comparison",
    "Estimate",
    "MtbfRange",
    "Pair",
    "RunResult",
    "Step",
    "Verdict",
    "compare",
    "estimates_json",
    "explain",
    "run",
    "run_many",
    "runs_json",
]
