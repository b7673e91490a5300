"""Scenarios: the frozen value, how it is read from files, and what an engine reads from it."""

from dcsim.scenario.errors import Problem, ScenarioError
from dcsim.scenario.files import load, sha256, to_toml
from dcsim.scenario.model import Cluster, Job, Maintenance, Scenario
from dcsim.scenario.plan import Gang, Plan, plan
from dcsim.scenario.record_cautions import record_cautions
from dcsim.scenario.sampled import certain, extremes, sampled
from dcsim.scenario.schema import json_schema
from dcsim.scenario.uncertain import PER_SAMPLE, Uncertain
from dcsim.scenario.unused import unused_keys

__all__ = [
    "PER_SAMPLE",
    "Cluster",
    "Gang",
    "Job",
    "Maintenance",
    "Plan",
    "Problem",
    "Scenario",
    "ScenarioError",
    "Uncertain",
    "certain",
    "extremes",
    "json_schema",
    "load",
    "plan",
    "record_cautions",
    "sampled",
    "sha256",
    "to_toml",
    "unused_keys",
]
