"""Shifts and visits: what their texts mean, and when a repair is done, by hand; a run begins on a Monday at 0:00."""

import pytest
from pydantic import TypeAdapter, ValidationError

from dcsim.engine import SimPyRun
from dcsim.hazards import RepairStage
from dcsim.hazards.shifts import WeekTime, spans_of, start_of, visits_of, week_from
from dcsim.scenario import Scenario
from tests.unit.literal import chosen, expect, scenario
from tests.unit.literal import hazard as tiny_hazard

MINUTE, HOUR = 60_000, 3_600_000
DAY, WEEK = 24 * HOUR, 168 * HOUR
MON, TUE, WED, THU, FRI, SAT = (number * DAY for number in range(6))
OFFICE = "weekdays 9-17"


def hours(*spans):
    """Shifts in hours after Monday 0:00."""
    return tuple((round(begin * HOUR), round(end * HOUR)) for begin, end in spans)


# --- texts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("weekdays 9-17", hours(*((24 * day + 9, 24 * day + 17) for day in range(5)))),
        ("mon-sat 8-20", hours(*((24 * day + 8, 24 * day + 20) for day in range(6)))),
        ("Daily 6-22", hours(*((24 * day + 6, 24 * day + 22) for day in range(7)))),
        ("tue 9:30-10:15", hours((33.5, 34.25))),
        ("weekends 0-24", hours((120, 168))),
        ("daily 0-24", hours((0, 168))),
        ("mon 22-6", hours((22, 30))),
        ("sun 22-6", hours((0, 6), (166, 168))),
        ("fri-mon 1-2", hours((1, 2), (97, 98), (121, 122), (145, 146))),
        ("mon 9-12,  Monday 13-17, mondays 11-14", hours((9, 17))),
        ("mon 9-12, mon 12-13", hours((9, 13))),
    ],
)
def test_shifts_of_a_week(text, expected):
    """Days, ranges of days, nights, several entries; what touches is one."""
    assert spans_of(text) == expected


def test_visits_of_a_week_and_a_start():
    """At 9:00 unless it says when; "every" may be left out; a week may begin anywhere."""
    assert visits_of("every Tuesday") == visits_of("tue 9") == visits_of("tuesdays") == ((33 * HOUR,), WEEK)
    assert visits_of("thu 8:30, mon 0") == ((0, 3 * DAY + 8 * HOUR + 30 * MINUTE), WEEK)
    assert visits_of("daily 6") == (tuple(day * DAY + 6 * HOUR for day in range(7)), WEEK)
    assert (start_of("mon"), start_of("wed 14:30")) == (0, 2 * DAY + 14 * HOUR + 30 * MINUTE)
    assert week_from(hours((9, 17)), 12 * HOUR) == hours((0, 5), (165, 168))
    assert week_from(hours((9, 17)), 17 * HOUR) == hours((160, 168))


def test_visits_in_some_weeks():
    """Every second or third week, by word or number; days of different weeks repeat together after their product."""
    assert visits_of("every second tue") == visits_of("every other tuesday 9:00") == ((33 * HOUR,), 2 * WEEK)
    assert visits_of("every 2 weeks on tue") == visits_of("every 2 weeks tue") == visits_of("every second tue")
    assert visits_of("every third mon 0") == visits_of("every 3 weeks mon 0") == ((0,), 3 * WEEK)
    assert visits_of("every second mon 0, every third mon 1") == (
        (0, HOUR, 2 * WEEK, 3 * WEEK + HOUR, 4 * WEEK),
        6 * WEEK,
    )
    assert visits_of("every second mon 0, thu 0") == ((0, 3 * DAY, WEEK + 3 * DAY), 2 * WEEK)
    assert visits_of("every 1 weeks mon 0") == ((0,), WEEK)


@pytest.mark.parametrize(
    ("read", "text", "why"),
    [
        (spans_of, "weekdays", 'found "weekdays"; allowed: days and hours of a week such as'),
        (spans_of, "weekdays 9-9", "a shift has a length"),
        (spans_of, "weekdays 9-25", "a day has the times from 0:00 to 24:00"),
        (spans_of, "weekdays 9:75-17", "a day has the times from 0:00 to 24:00"),
        (spans_of, "weekdays 24-6", "a day has the times from 0:00 to 24:00"),
        (spans_of, "wekdays 9-17", 'did you mean "weekdays"?'),
        (spans_of, "tuseday 9-17", 'did you mean "tuesday"?'),
        (spans_of, "mon-xyz 9-17", 'found "mon-xyz 9-17"; allowed: days and hours'),
        (spans_of, "", "allowed: days and hours"),
        (spans_of, "mon 9-17," * 100, "allowed: days and hours"),
        (visits_of, "second tuesday", "allowed: days of a week such as"),  # of a month, or every second?
        (visits_of, "every 0 weeks tue", "a number of weeks is at least 1"),
        (visits_of, "every 53 weeks tue", "days that repeat after at most 52 weeks"),
        (visits_of, "every 9 weeks tue, every 10 weeks mon", "days that repeat after at most 52 weeks"),
        (visits_of, "tue 9-10", "allowed: days of a week such as"),
        (start_of, "mon, tue", 'allowed: a day of the week, or a day and a time, such as "mon" or "wed 14:00"'),
        (start_of, "weekdays", "allowed: a day of the week"),
    ],
)
def test_other_texts_are_refused_in_one_line(read, text, why):
    """What was found, what is allowed, the nearest right word."""
    with pytest.raises(ValueError, match="found") as caught:
        read(text)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "path", "why"),
    [
        ({"at_shift_end": "pause"}, "at_shift_end", "only crews with shifts"),
        ({"visits": "tue", "crews": 1}, "crews", "found with visits; a visit repairs all that wait"),
        ({"visit_when": 2, "shifts": OFFICE}, "shifts", "found with visit_when"),
        ({"visit_after": "1 d", "crews": 1}, "crews", "found with visit_after"),
        ({"shifts": "9-17"}, "shifts", "allowed: days and hours"),
        ({"visits": 2}, "visits", "valid string"),
    ],
)
def test_a_stage_refuses_what_makes_no_sense(keys, path, why):
    """At the key that is wrong."""
    with pytest.raises(ValidationError) as caught:
        RepairStage.model_validate({"time": "1 h", **keys})
    (error,) = caught.value.errors()
    assert error["loc"] == (path,)
    assert why in error["msg"]


def test_crews_of_one_name_have_one_shift():
    """Every key of those who are shared must be alike; the message names both."""
    from dcsim.scenario.rules import broken_rules

    stage = {"name": "hands", "time": "1 h", "crews": 1, "shifts": OFFICE}
    for key, value, wanted in (
        ("shifts", "daily 6-22", f'"{OFFICE}"'),
        ("crews", 2, "1"),
        ("at_shift_end", "finish", "nothing"),
    ):
        made = scenario(
            2, gang(1), hazards=[tiny_hazard("x", repair=stage), tiny_hazard("y", repair={**stage, key: value})]
        )
        ((path, why),) = broken_rules(made)
        assert path == ("hazards", 1, "repair", key)
        assert f'must be {wanted} as in hazard "x": crews named "hands" are shared' in why


def test_the_start_is_a_text_of_the_scenario():
    """It has a default, and is written back as it was read."""
    assert TypeAdapter(WeekTime).validate_python("Wed 14:00") == "Wed 14:00"
    assert made([], {}).starts == "mon"
    assert Scenario.model_validate(made([], {}, starts="tue 1").model_dump(mode="json")).starts == "tue 1"


# --- when a repair is done --------------------------------------------------------------------------------------------


def gang(gpus):
    """A job that loses nothing."""
    return {"name": "a", "gpus": gpus, "recovery": {"kind": "stateless"}}


def made(failures, stage, gpus=6, weeks=3, **keys):
    """One GPU runs a job, the others are free; failures strike free ones and are found at once."""
    hazard = tiny_hazard(detect=0, repair={"time": "1 s", **stage}, **keys.pop("hazard", {}))
    return scenario(gpus, gang(1), hazards=[hazard], horizon=weeks * WEEK, **keys)


def expect_back(failures, stage, backs, **keys):
    """Failures (time, length of the repair) are back at these times, by all three ways to simulate."""
    tiny = made(failures, stage, **keys)
    away = sum(back - at for (at, _), back in zip(failures, backs, strict=True))
    rows = [(at, 1, length) for at, length in failures]
    free = (tiny.cluster.gpus - 1) * tiny.horizon
    expect(tiny, [rows], {"a": {"useful": tiny.horizon}, "rest": {"idle": free - away, "repair": away}})


@pytest.mark.parametrize("crews", [{}, {"crews": 1}])
@pytest.mark.parametrize(
    ("at", "length", "paused", "finished"),
    [
        (MON + 8 * HOUR, 2 * HOUR, MON + 11 * HOUR, MON + 11 * HOUR),  # waits for the morning
        (MON + 9 * HOUR, 8 * HOUR, MON + 17 * HOUR, MON + 17 * HOUR),  # a whole shift
        (MON + 16 * HOUR, 3 * HOUR, TUE + 11 * HOUR, MON + 19 * HOUR),
        (MON + 17 * HOUR, 1 * HOUR, TUE + 10 * HOUR, TUE + 10 * HOUR),  # the shift has ended in this millisecond
        (MON + 17 * HOUR - 1, 1, MON + 17 * HOUR, MON + 17 * HOUR),
        (MON + 17 * HOUR - 1, 2, TUE + 9 * HOUR + 1, MON + 17 * HOUR + 1),
        (MON + 17 * HOUR, 0, TUE + 9 * HOUR, TUE + 9 * HOUR),
        (MON + 12 * HOUR, 0, MON + 12 * HOUR, MON + 12 * HOUR),
        (FRI + 16 * HOUR, 2 * HOUR, WEEK + 10 * HOUR, FRI + 18 * HOUR),
        (SAT + 1 * HOUR, 1 * HOUR, WEEK + 10 * HOUR, WEEK + 10 * HOUR),
        (MON + 9 * HOUR, 40 * HOUR, FRI + 17 * HOUR, WED + 1 * HOUR),  # a whole week
        (MON + 9 * HOUR, 50 * HOUR, WEEK + TUE + 11 * HOUR, WED + 11 * HOUR),
        (TUE + 12 * HOUR, 80 * HOUR, 2 * WEEK + TUE + 12 * HOUR, FRI + 20 * HOUR),
        (MON + 9 * HOUR, 10**6 * HOUR, 3 * WEEK, 3 * WEEK),  # never
    ],
)
def test_a_repair_at_the_edges_of_a_shift(crews, at, length, paused, finished):
    """Work goes on only within shifts, or goes on once it is begun; with a crew, and where nobody ever queues."""
    expect_back([(at, length)], {"shifts": OFFICE, **crews}, [paused])
    expect_back([(at, length)], {"shifts": OFFICE, "at_shift_end": "pause", **crews}, [paused])
    expect_back([(at, length)], {"shifts": OFFICE, "at_shift_end": "finish", **crews}, [finished])


def test_a_night_shift_and_another_start():
    """From 22:00 to 6:00 of the next day; a run that begins on Wednesday at noon."""
    expect_back([(TUE + 5 * HOUR, 2 * HOUR)], {"shifts": "daily 22-6"}, [TUE + 23 * HOUR])
    expect_back([(6 * HOUR, HOUR)], {"shifts": OFFICE}, [22 * HOUR], starts="wed 12:00")
    expect_back([(2 * DAY + 4 * HOUR, 2 * HOUR)], {"shifts": OFFICE}, [4 * DAY + 22 * HOUR], starts="wed 12:00")


def test_a_week_that_is_worked_through_is_one_shift():
    """From 0:00 to 24:00 on all days: as without shifts."""
    expect_back([(MON + 23 * HOUR, 30 * HOUR)], {"shifts": "daily 0-24"}, [WED + 5 * HOUR])


@pytest.mark.parametrize(
    ("end", "backs"),
    [
        ("pause", [TUE + 10 * HOUR, TUE + 11 * HOUR, TUE + 12 * HOUR]),
        ("finish", [MON + 18 * HOUR, TUE + 10 * HOUR, TUE + 11 * HOUR]),
    ],
)
def test_one_crew_queues_over_the_night(end, backs):
    """The crew keeps what it has begun; the next ones follow in their order, within shifts."""
    failures = [(MON + 16 * HOUR, 2 * HOUR), (MON + 17 * HOUR + 1, HOUR), (MON + 20 * HOUR, HOUR)]
    expect_back(failures, {"shifts": OFFICE, "crews": 1, "at_shift_end": end}, backs)


def test_a_visit_takes_all_that_wait():
    """What failed before Tuesday, 9:00, is back with the longest of its repairs; the others wait for another week."""
    failures = [
        (MON + 10 * HOUR, 2 * HOUR),
        (TUE + 8 * HOUR, HOUR),
        (TUE + 9 * HOUR - 1, HOUR),
        (TUE + 9 * HOUR, HOUR),  # failures come last in their millisecond
    ]
    done, later = TUE + 11 * HOUR, WEEK + TUE + 10 * HOUR
    expect_back(failures, {"visits": "every tuesday"}, [done, done, done, later])
    expect_back([(34 * HOUR, 2 * HOUR)], {"visits": "every tuesday"}, [SAT + 22 * HOUR], starts="wed 13:00")


def test_a_visit_every_second_week():
    """Weeks count from the one in which the horizon begins: its Tuesday, then that of the week after the next."""
    keys = {"visits": "every second tuesday"}
    failures = [(MON, HOUR), (TUE + 9 * HOUR, 2 * HOUR), (WEEK + MON, HOUR), (2 * WEEK + TUE + 9 * HOUR, HOUR)]
    later = 2 * WEEK + TUE + 11 * HOUR
    expect_back(failures, keys, [TUE + 10 * HOUR, later, later, 4 * WEEK + TUE + 10 * HOUR], weeks=5)
    wednesday = [(0, HOUR), (2 * WEEK, HOUR)]  # at 13:00; the Tuesday of the first week is over
    gap = -(TUE + DAY + 13 * HOUR) + TUE + 9 * HOUR
    expect_back(wednesday, keys, [2 * WEEK + gap + HOUR, 4 * WEEK + gap + HOUR], starts="wed 13:00", weeks=5)
    mixed = {"visits": "every third mon 0, every second fri 0"}
    failures = [(0, HOUR), (HOUR, HOUR), (5 * DAY, HOUR), (2 * WEEK + 5 * DAY, HOUR), (3 * WEEK, HOUR)]
    times = [HOUR, 4 * DAY + HOUR, 2 * WEEK + 4 * DAY + HOUR, 3 * WEEK + HOUR, 4 * WEEK + 4 * DAY + HOUR]
    expect_back(failures, mixed, times, weeks=5)


def test_a_visit_that_lasts_over_the_next_one():
    """One team: while it is here no other visit begins; one that ends as the next is due goes on with it."""
    failures = [(MON, 10 * DAY), (WED, HOUR)]
    expect_back(failures, {"visits": "mon 9, tue 9"}, [10 * DAY + 9 * HOUR, 2 * WEEK + 10 * HOUR])
    failures = [(MON, WEEK), (WED, HOUR)]
    expect_back(failures, {"visits": "mon 9"}, [WEEK + 9 * HOUR, WEEK + 10 * HOUR])


def test_enough_that_wait_are_reason_for_a_visit():
    """With the second; what fails during the visit counts for the next one, which follows at once if it is enough."""
    failures = [(10, 100), (50, 300), (60, 20), (70, 30), (80, 40), (900, 5)]
    expect_back(failures, {"visit_when": 2}, [350, 350, 390, 390, 390, 3 * WEEK])


def test_nothing_waits_for_longer_than_agreed():
    """The first of those that wait decides, counted from its identification; the others go along."""
    failures = [(10, 100), (50, 300), (320, 20), (1_000, 1)]
    expect_back(failures, {"visit_after": "0.2 s"}, [510, 510, 540, 1_201])
    expect_back([(10, 100)], {"visit_after": "0 s"}, [110])
    expect_back([(10, 0), (12, 0)], {"visit_when": 2, "visit_after": "0.1 s"}, [12, 12])


def test_a_run_shows_who_is_on_shift():
    """At 12:00 they work, at 18:00 not; a visit is at work while it lasts."""
    tiny = made([], {"shifts": OFFICE, "crews": 1})
    with chosen([[]]):
        run = SimPyRun(tiny)
    seen = []
    for time in ("12 h", "17 h", "18 h", "33 h"):
        run.run(until=time)
        seen.append(run.crews["gpu/0"].on_shift)
    assert seen == [True, False, False, True]
    with chosen([[(10, 1, HOUR)]]):
        run = SimPyRun(made([], {"visits": "tue"}))
    seen = []
    for time in ("1 h", "33.5 h", "35 h"):
        run.run(until=time)
        seen.append((run.crews["gpu/0"].on_shift, len(run.crews["gpu/0"].waiting)))
    assert seen == [(False, 1), (True, 0), (False, 0)]
