"""Answers: what the formulas say, what the simulation says, why they differ, and which offer is cheaper."""

from dcsim.decide.bridge import Bridge, Step, explain
from dcsim.decide.comparison import Comparison, Pair, compare
from dcsim.decide.estimate import Bill, Estimate, estimate, estimates_json
from dcsim.decide.outcome import REPLICATIONS, run, run_many
from dcsim.decide.result import MtbfRange, RunResult, runs_json

__all__ = [
    "REPLICATIONS",
    "Bill",
    "Bridge",
    "Comparison",
    "Estimate",
    "MtbfRange",
    "Pair",
    "RunResult",
    "Step",
    "compare",
    "estimate",
    "estimates_json",
    "explain",
    "run",
    "run_many",
    "runs_json",
]
