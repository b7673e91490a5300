"""Which tests judge a fault: those of the room that it stands in."""

BY_HAND = (
    "tests/unit/test_rules_exact.py",
    "tests/unit/test_rules_at_edges.py",
    "tests/unit/test_engine_*.py",
    "tests/unit/test_plant_rules.py",
    "tests/unit/test_ledger.py",
    "tests/unit/test_months.py",
    "tests/unit/test_finish_and_events.py",
    "tests/property/test_cases_that_differed.py",
)
"""Literal accounts of rules: a second or two."""
RULES = (
    *BY_HAND,
    "tests/property/test_plant_equals_reference.py",
    "tests/property/test_engine_equals_reference.py",
)
STORAGE = ("tests/property/test_storage_cases.py", "tests/property/test_storage_equals_reference.py")
ROOMS: dict[str, tuple[str, ...]] = {
    "dcsim/rules/": (*RULES, *STORAGE, "tests/unit/test_sold.py", "tests/unit/test_simpy_clock.py"),
    "dcsim/rules/alone.py": (*RULES, "tests/property/test_alone.py"),
    "dcsim/rules/booking.py": (*RULES, *STORAGE, "tests/property/test_months.py", "tests/property/test_alone.py"),
    "dcsim/rules/gangs.py": (*RULES, *STORAGE, "tests/unit/test_simpy_clock.py", "tests/property/test_alone.py"),
    "dcsim/rules/queue.py": (*RULES, "tests/property/test_alone.py"),
    "dcsim/rules/returns.py": (*RULES, "tests/property/test_alone.py"),
    "dcsim/rules/detection.py": (*RULES, "tests/unit/test_checks.py", *STORAGE, "tests/unit/test_simpy_clock.py"),
    "dcsim/rules/strategy.py": (*RULES, "tests/unit/test_recovery_kinds.py", *STORAGE),
    "dcsim/rules/draws.py": ("tests/unit/test_rules_exact.py", "tests/unit/test_rules_at_edges.py"),
    "dcsim/rules/random_numbers.py": ("tests/unit/test_rules_exact.py", "tests/unit/test_rules_at_edges.py"),
    "dcsim/rules/sold.py": (*RULES, "tests/unit/test_sold.py", "tests/property/test_sold.py"),
    "dcsim/rules/log.py": (*BY_HAND, STORAGE[0], "tests/property/test_event_log*.py", *RULES),
    "dcsim/rules/relapses.py": (*RULES, "tests/property/test_lemons_that_were_blamed.py"),
    "dcsim/program/": ("tests/unit/test_program_*.py", *RULES),
    "dcsim/plant/": ("tests/unit/test_plant_*.py", *RULES),
    "dcsim/fabric/": ("tests/unit/test_engine_plant.py", "tests/oracle/test_fabric*.py", *RULES),
    "dcsim/engine/": (*BY_HAND, "tests/unit/test_simpy_clock.py", *RULES, "tests/property/test_simpy_clock.py"),
    "dcsim/closed_form/": (
        "tests/unit/test_closed_form*.py",
        "tests/property/test_closed_form*.py",
        "tests/oracle/test_*theory.py",
        "tests/oracle/test_accounting.py",
        "tests/golden/test_deck_tables.py",
    ),
    "dcsim/economics/": (
        "tests/unit/test_estimate.py",
        "tests/golden/test_deck_tables.py",
        "tests/oracle/test_renter.py",
        "tests/property/test_renter*.py",
    ),
    "dcsim/power/": ("tests/unit/test_estimate.py", "tests/oracle/test_plant.py", "tests/property/test_plant_laws.py"),
    "dcsim/decide/": (
        "tests/unit/test_comparison.py",
        "tests/unit/test_*cautions.py",
        "tests/unit/test_assumptions.py",
        "tests/unit/test_estimate.py",
        "tests/unit/test_shared_failures.py",
        "tests/unit/test_study.py",
        "tests/unit/test_verdict.py",
        "tests/unit/test_answers.py",
        "tests/oracle/test_bridge.py",
        "tests/oracle/test_crew_load.py",
        "tests/property/test_log_analysis.py",
        "tests/golden/test_deck_tables.py",
        "tests/golden/test_other_cases.py",
    ),
    "dcsim/report/": (
        "tests/golden/test_pictures.py",
        "tests/unit/test_drawing.py",
        "tests/unit/test_report*.py",
        "tests/unit/test_trace*.py",
        "tests/unit/test_uncertain.py",
        "tests/unit/test_views.py",
        "tests/unit/test_terminal.py",
        "tests/unit/test_finish_and_events.py",
        "tests/unit/test_months.py",
        "tests/unit/test_answers.py",
        "tests/cli/test_report.py",
    ),
    "dcsim/montecarlo/": (
        "tests/unit/test_montecarlo*.py",
        "tests/unit/test_run_*.py",
        "tests/unit/test_statistics.py",
        "tests/unit/test_quantiles.py",
        "tests/unit/test_estimators.py",
        "tests/oracle/test_stopping.py",
        "tests/oracle/test_variance_split.py",
        "tests/property/test_montecarlo*.py",
    ),
    "dcsim/scenario/": (
        "tests/unit/test_scenario*.py",
        "tests/unit/test_record*.py",
        "tests/unit/test_intervals.py",
        "tests/unit/test_uncertain.py",
        "tests/unit/test_suggestions.py",
    ),
    "dcsim/topology/": ("tests/unit/test_topology*.py", "tests/property/test_topology*.py"),
    "dcsim/hazards/": (
        "tests/unit/test_hazard*.py",
        "tests/unit/test_rates.py",
        "tests/unit/test_records.py",
        "tests/oracle/test_hazard_draws.py",
        "tests/oracle/test_failure_rate.py",
        "tests/oracle/test_lemons.py",
    ),
    "dcsim/recovery/": ("tests/unit/test_recovery*.py", "tests/unit/test_program_strategies.py"),
    "dcsim/cli/": (
        "tests/cli/test_output.py",
        "tests/cli/test_topology*.py",
        "tests/cli/test_report.py",
        "tests/cli/test_verbs.py",
    ),
    "dcsim/units.py": ("tests/unit/test_units.py", "tests/unit/test_suggestions.py"),
    "dcsim/spelling.py": ("tests/unit/test_suggestions.py", "tests/unit/test_wording.py"),
    "dcsim/files.py": ("tests/unit/test_run_folder*.py",),
    "dcsim/": (  # modules that stand alone
        "tests/unit/test_distributions.py",
        "tests/unit/test_units.py",
        "tests/unit/test_streams.py",
        "tests/unit/test_ledger.py",
        "tests/unit/test_problems.py",
        "tests/unit/test_python.py",
        "tests/unit/test_lifetime_contract.py",
        "tests/unit/test_wording.py",
        "tests/unit/test_topology_import.py",
    ),
}
EXACT = "tests/unit/test_{room}_exact.py"
"""Tests by hand for faults that once survived: they are the quickest, and run first."""


def room_of(file: str) -> str:
    """Return the room of a module: the longest key of ``ROOMS`` that its path begins with."""
    return max((room for room in ROOMS if file.startswith(room)), key=len)
