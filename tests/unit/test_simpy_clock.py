"""A run by SimPy's clock: stepped, watched and extended; each expectation by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.engine import SimPyRun
from dcsim.ledger import STATE
from dcsim.program.records import FREE, OUT
from dcsim.rules.rule import RULES
from dcsim.scenario import Scenario
from tests.property.full_scenarios import full_scenarios
from tests.property.plant_scenarios import plant_scenarios
from tests.unit.literal import chosen, hazard, job, scenario


def run_of(tiny, *failures, events=False):
    """A run with hand-chosen failures, a list for each hazard: (time, mark, repair) [ms]."""
    with chosen(failures):
        return SimPyRun(tiny, events=events)


def one_failure():
    """A gang of 4 and a spare; struck at 25, found at 27, repaired from 27 to 37. It runs again at 34."""
    return run_of(scenario(5, job("a", 4), spares=1), [(25, 0, 10)])


# --- stepping -------------------------------------------------------------------------------------------------------


def test_steps_are_the_rules_in_their_order():
    """Strike, detection, return of the repaired GPU; then the horizon. Nothing else happens, and env is in ms."""
    run, seen = one_failure(), []
    while (rule := run.step()) is not None:
        if rule:
            seen.append((run.env.now, rule))
    assert seen == [(25, "next_known_failure"), (27, "happen"), (37, "happen")]
    assert run.env.now == run.now == 100
    assert run.step() is None


def test_a_run_stops_before_what_is_due_then():
    """At 25 nothing has been struck; at 26 it has. Text is a duration; what is over cannot be played again."""
    run = one_failure()
    run.run(until=25)
    assert (run.now, run.gangs["a/0"].phase, run.gangs["a/0"].up, run.free) == (25, "running", 4, 1)
    run.run(until=26)
    assert (run.gangs["a/0"].phase, run.gangs["a/0"].up, run.failures) == ("detect", 3, 1)
    run.run(until="0.028 s")
    assert (run.gangs["a/0"].phase, run.gangs["a/0"].up, run.free) == ("failover", 4, 0)
    with pytest.raises(ValueError, match="until: found 27 ms; the run is at 28 ms already"):
        run.run(until=27)
    run.run(until=10**9)
    assert run.now == 100


def test_accounts_play_to_the_horizon_once():
    """As without a stop in between; afterwards no rule can be applied."""
    run = one_failure()
    run.run(until=31)
    accounts = run.accounts()
    assert accounts.gpu_ms[0, STATE["useful"]] == 4 * (20 + 100 - 34)
    assert accounts.gpu_ms[0, STATE["lost"]] == 4 * 5
    assert run.accounts() is accounts
    with pytest.raises(ValueError, match="serve: the run is over"):
        run.apply("serve")


# --- the state by name ----------------------------------------------------------------------------------------------


def test_views_of_gangs_repairs_and_crews():
    """Two failures and one crew: at 30 one GPU is in repair, the other waits for the crew, and so does the gang."""
    both = hazard("gpu", crews=1, stage="bench")
    run = run_of(scenario(6, job("a", 5), job("b", 1), hazards=[both]), [(25, 0, 10), (26, 0, 10)])
    run.run(until=29)
    gang, crews = run.gangs["a/0"], run.crews["bench"]
    assert list(run.gangs) == ["a/0", "b/0"]
    assert (gang.phase, gang.gpus, gang.up, gang.out, gang.strikes, gang.since) == ("wait", 5, 3, 2, 2, 28)
    assert run.queue == ["a/0"]
    assert [(each.hazard, each.since, each.stage, each.gpus) for each in run.repairs] == [
        ("gpu", 27, 0, 1),
        ("gpu", 28, 0, 1),
    ]
    assert (crews.size, crews.busy, [each.since for each in crews.waiting]) == (1, 1, [28])
    run.run(until=38)
    assert ([each.since for each in run.repairs], crews.waiting, gang.up) == ([28], [], 4)
    run.run(until=48)
    assert (run.repairs, crews.busy, gang.phase, run.queue) == ([], 0, "failover", [])
    run.run(until=51)
    assert gang.phase == "restore"
    assert (run.gangs["b/0"].phase, run.gangs["b/0"].speed, run.hazards["gpu"].failures) == ("running", 1.0, 2)


def test_views_of_racks():
    """Two racks of four nodes; what a node hazard takes is out from its onset, in repair from 2 ms later on."""
    by_node = hazard("node", component="node", blast=None)
    run = run_of(scenario(8, job("a", 6), hazards=[by_node], spares=2), [(25, 1, 10)])
    first, second = run.racks
    assert (list(second.places), second.free, run.gangs["a/0"].places) == ([4, 5, 6, 7], [6, 7], [0, 1, 2, 3, 4, 5])
    run.run(until=26)
    assert (first.out, first.in_repair) == ([1], [])
    run.run(until=30)
    assert (first.out, first.in_repair, second.free) == ([1], [1], [7])
    assert (run.repairs[0].places, run.repairs[0].component) == ([1], 1)
    run.run(until=40)
    assert first.free == [1]


# --- hooks ----------------------------------------------------------------------------------------------------------


def test_hooks_see_the_state_before_and_after():
    """A repaired GPU is not free before `come_back` and is after; the gang is asked about inside of `begin_repair`."""
    run, seen = one_failure(), []
    run.before("come_back", lambda w, repair, now: seen.append(("before", now, repair, run.free)))
    take_away = run.after("come_back", lambda w, repair, now: seen.append(("after", now, repair, w.one.free)))
    run.after("largest_shape", lambda w, now, gang, result: seen.append(("shape", now, gang, result)))
    run.accounts()
    assert seen == [("shape", 27, 0, 4), ("before", 37, 0, 0), ("after", 37, 0, 1)]
    again, seen[:] = one_failure(), []
    take_away = again.after("come_back", lambda w, repair, now: seen.append(now))
    again.before("come_back", lambda w, repair, now: seen.append(-now))
    take_away()
    again.accounts()
    assert seen == [-37]


def test_hooks_belong_to_one_run():
    """Another run of the process, and the rules themselves, know nothing of them."""
    run, seen = one_failure(), []
    run.before("happen", lambda w, **said: seen.append(said))
    one_failure().accounts()
    assert seen == []
    run.accounts()
    assert [(said["now"], said["what"]) for said in seen] == [(27, 0), (37, 0)]


def test_every_rule_can_be_hooked():
    """Every rule that the clock has, at once: the same accounts, and the ones of a failure are seen."""
    run, seen = one_failure(), set()
    for name in RULES:
        run.before(name, lambda w, now, name=name, **said: seen.add(name))
    assert (run.accounts().gpu_ms == one_failure().accounts().gpu_ms).all()
    assert {"strike", "hit", "book", "push", "drop_first", "end_run", "close_gang", "is_quiet"} <= seen


def test_a_rule_that_there_is_not():
    """One line each, with the nearest right name."""
    run = one_failure()
    with pytest.raises(ValueError, match="found rule 'comeback', which there is not; did you mean \"come_back\""):
        run.before("comeback", print)
    with pytest.raises(ValueError, match="found rule 'fly', which there is not"):
        run.apply("fly")
    with pytest.raises(ValueError, match=r"come_back: found arguments \['place'\]; it takes \['repair'\]"):
        run.apply("come_back", place=3)
    with pytest.raises(ValueError, match="found '7 days'"):
        run.ms("7 days")
    assert run.ms("7 d") == 7 * 24 * 3_600_000


# --- processes of one's own -----------------------------------------------------------------------------------------


def test_a_process_of_ones_own_comes_before_the_rules_of_its_millisecond():
    """At 25, 27 and 37 it still sees what was; then the rules of that millisecond."""
    run, seen = one_failure(), []

    def looks(run):
        for pause in (25, 2, 10, 1):
            yield run.env.timeout(pause)
            seen.append((run.now, run.gangs["a/0"].phase, run.free))

    run.env.process(looks(run))
    run.accounts()
    assert seen == [(25, "running", 1), (27, "detect", 1), (37, "running", 0), (38, "running", 1)]


def test_a_hook_may_wake_a_process():
    """An event that a hook triggers wakes whoever waits for it, in the same millisecond."""
    run, seen = one_failure(), []
    found = run.env.event()
    run.after("identify", lambda w, now, failure: found.succeed(failure))

    def waits():
        seen.append((yield found))
        seen.append(run.now)

    run.env.process(waits())
    run.accounts()
    assert seen == [0, 27]


def test_what_goes_wrong_in_a_process_is_raised():
    """Of a user's process as of a rule."""
    run = one_failure()

    def breaks():
        yield run.env.timeout(5)
        raise RuntimeError("mine")

    run.env.process(breaks())
    with pytest.raises(RuntimeError, match="mine"):
        run.run()


# --- moving free GPUs -----------------------------------------------------------------------------------------------


def racked(*failures, events=False, **keys):
    """Two racks of 4 nodes of 1 GPU, the last of each a spare; a gang of 3 in each, failover 3, restore 4."""
    by_node = hazard("node", component="node", blast=None, **keys)
    tiny = scenario(8, job("a", 3, count=2), hazards=[by_node])
    cluster = tiny.cluster.model_copy(update={"in_rack_spares": 1})
    return run_of(tiny.model_copy(update={"cluster": cluster}), list(failures), events=events)


def test_a_free_gpu_moves_where_one_is_in_repair():
    """Rack 0 loses two nodes and has one spare: its gang waits until the spare of rack 1 is moved there, at 40."""
    run = racked((20, 0, 50), (20, 1, 50))
    run.run(until=40)
    assert (run.gangs["a/0"].phase, run.racks[0].in_repair, run.racks[1].free) == ("wait", [0, 1], [7])
    assert run.apply("move_free", place=7, to=1)
    assert (run.racks[0].free, run.racks[1].free, run.racks[1].in_repair, run.free) == ([1], [], [7], 1)
    assert run.world.whose[7] == 0  # it was the gang's
    run.run(until=41)
    assert (run.gangs["a/0"].phase, run.gangs["a/0"].places) == ("failover", [1, 2, 3])
    run.run(until=73)
    assert (run.racks[0].free, run.racks[1].free) == ([0], [7])  # what is repaired comes back to the other rack
    accounts = run.accounts()
    assert accounts.gpu_ms[0, STATE["wait"]] == 2 * (40 - 22)
    assert accounts.gpu_ms[0, STATE["repair"]] == 2 * 50
    assert accounts.gpu_ms[0, STATE["useful"]] == 3 * 100 + 3 * (20 + 100 - 47)


def test_the_event_log_knows_what_was_moved():
    """From 40 on place 7 is in repair, of gang 0, and place 1 is free until the gang takes it; at 72 both are back."""
    run = racked((20, 0, 50), (20, 1, 50), events=True)
    run.run(until=40)
    assert run.apply("move_free", place=7, to=1)
    log = run.log().columns()
    names = ("start_ms", "where", "gpus", "gang", "phase", "what")
    rows = [row[:-1] for row in zip(*(log[name] for name in names), strict=True) if row[-1] == "place" and row[0] >= 40]
    assert rows == [
        (40, 7, 1, 0, "repair"),
        (40, 1, 1, -1, ""),
        (40, 1, 1, 0, ""),
        (72, 0, 1, -1, ""),
        (72, 7, 1, -1, ""),
    ]


def test_what_cannot_be_moved_stays():
    """Something that is not free, to something that is not in repair, or not found yet: nothing changes."""
    run = racked((20, 0, 50), (39, 4, 50))
    run.run(until=40)
    owners = list(run.world.owner)
    assert owners[0] == owners[4] == OUT
    assert owners[7] == FREE
    for place, to in ((1, 0), (0, 0), (7, 1), (7, 4), (7, 7)):
        assert not run.apply("move_free", place=place, to=to)
    assert list(run.world.owner) == owners
    run.accounts()


def test_what_is_corrupt_stays_until_it_is_found():
    """Node 0 computes wrong results from 10 on, found at 70; struck at 20 by another hazard, it is in repair at 40."""
    nodes = {"component": "node", "blast": None}
    wrong, both = hazard("wrong", effect="corrupt", **nodes | {"detect": 60}), hazard("node", **nodes)
    tiny = scenario(8, job("a", 3, count=2), hazards=[wrong, both])
    run = run_of(
        tiny.model_copy(update={"cluster": tiny.cluster.model_copy(update={"in_rack_spares": 1})}),
        [(10, 0, 5)],
        [(20, 0, 70), (20, 1, 70)],
    )
    run.run(until=40)
    assert not run.apply("move_free", place=7, to=0)
    assert run.apply("move_free", place=7, to=1)


@pytest.mark.parametrize(("lemon", "moves"), [(7, False), (1, False), (2, True)])
def test_a_lemon_that_does_not_age_stays_at_its_place(lemon, moves):
    """Its failures are drawn for that place, so neither it nor what would take its place is moved by hand."""
    run = racked((20, 0, 50), (20, 1, 50), lemons={"fraction": "50 %", "factor": 2.0})
    run.run(until=40)
    first = run.world.hazards[0].first_component
    for node in range(8):
        run.world.components[first + node].lemon = int(node == lemon)
    assert run.apply("move_free", place=7, to=1) == moves


def test_ages_move_with_the_gpus():
    """The node that was moved fails at its own age, where it is now; the one in repair begins a new life elsewhere."""
    worn = {"mtbf": {"kind": "weibull", "mean": "0.06 s", "shape": 3.0}}
    tiny = scenario(8, job("a", 3, count=2), hazards=[hazard("node", component="node", blast=None, **worn)])
    run = SimPyRun(tiny.model_copy(update={"cluster": tiny.cluster.model_copy(update={"in_rack_spares": 1})}), 4)
    while not (run.repairs and any(rack.free for rack in run.racks)):
        assert run.step() is not None
    world = run.world
    place = next(place for rack in run.racks for place in rack.free)
    to = run.repairs[0].places[0]
    moved, broken = world.components[place], world.components[to]
    due = moved.begin + moved.left
    assert (moved.failed, broken.failed, broken.stopped) == (0, 1, 1)
    assert run.apply("move_free", place=place, to=to)
    assert (moved.failed, moved.stopped, broken.failed, broken.stopped) == (1, 1, 0, 0)
    assert broken.begin + broken.left == due
    assert run.repairs[0].component == place
    seen = []
    run.before("fail_component", lambda w, component, now, **_: seen.append((now, component)))
    run.accounts()
    assert due < 100
    assert (due, to) in seen


MOVED = ("age", "lemons", "straggle", "stages", "returns", "wrong", "maintenance", "in_rack", "exposure", "work")


@settings(max_examples=150)
@given(st.one_of(full_scenarios(MOVED), plant_scenarios()), st.integers(0, 50), st.integers(5, 60))
def test_whatever_is_moved_the_ledger_is_complete(drawn: Scenario, first: int, times: int) -> None:
    """An operator moves whatever can be moved, often: N * H is conserved, places add up, and what has failed is out."""
    run = SimPyRun(drawn, first)
    for time in range(0, drawn.horizon, max(1, drawn.horizon // times)):
        run.run(until=time)
        move_all(run)
        if run.gpus_per_place:
            assert run.free == sum(len(rack.free) for rack in run.racks) * run.gpus_per_place
        for view, keys in zip(run.hazards.values(), drawn.hazards, strict=True):
            row = view.row
            if row.first_component < 0 or row.size != 1 or keys.serves or keys.effect != "interrupt" or keys.wrong_node:
                continue
            for place, owner in enumerate(run.world.owner):
                assert owner == OUT or not run.world.components[row.first_component + place].failed
    assert run.accounts().gpu_ms.sum() == drawn.capacity_gpu_ms


def move_all(run):
    """Move the first free place of the cluster to every place in repair, as long as there is one."""
    for rack in run.racks:
        for to in rack.in_repair:
            for place in [place for other in run.racks for place in other.free][:1]:
                before = run.free
                if run.apply("move_free", place=place, to=to):
                    assert (run.world.owner[place], run.world.owner[to]) == (OUT, FREE)
                assert run.free == before
