"""The reference's failures: clocks, whom they strike, what is identified when, blames, relapses."""

import dataclasses

import numpy as np

from dcsim.hazards import Draws
from dcsim.parts import PARTS
from tests.property.reference_objects import Gang, Gpu, Incident, Outcome
from tests.property.reference_records import replayed
from tests.property.reference_repair import Repairs


class Clock:
    """The life of one component of an ageing hazard: ``left`` until it fails, ``age`` in service since it was new."""

    def __init__(self, left: int, age: int) -> None:
        self.left, self.age, self.row = left, age, 0


class Failures(Repairs):
    """What fails, and what is done about it."""

    def __init__(self, scenario, replication: int) -> None:
        super().__init__(scenario, replication)
        self.draws: list[Draws] = self.plan.draws(replication)
        self.lemons = [set(each.lemons.tolist()) for each in self.draws]
        self.counted: dict[tuple[int, int], list[int]] = {}  # (hazard, component) -> times, for retirement
        self.left: dict[str | tuple[int, int] | None, int] = {}  # crews -> when their last visit was over
        self.lives: dict[tuple[int, int], np.ndarray] = {}  # (hazard, row)
        self.known: list[tuple[int, int, int, int, bool, Outcome]] = []
        self.clocks: dict[tuple[int, int], Clock] = {}
        for number, (hazard, draws) in enumerate(zip(self.hazards, self.draws, strict=True)):
            if hazard.ages:
                for component in range(draws.components):
                    self.clocks[number, component] = Clock(
                        self.life(number, component, 0), self.plan.scenario.cluster.burn_in + hazard.age
                    )
                continue
            known = draws.failures
            outcomes = self.outcomes(number, len(known.times))
            times, marks = known.times.tolist(), known.marks.tolist()
            if hazard.lifetime.recorded and type(draws) is Draws:  # not failures that a test chose
                times, marks, outcomes = self.recorded(number, marks, outcomes)
            rows = zip(times, marks, known.excess.tolist(), outcomes, strict=True)
            self.known += [(at, number, draw, mark, excess, out) for draw, (at, mark, excess, out) in enumerate(rows)]
        self.known.sort(key=lambda row: row[:3])

    def outcomes(self, number: int, count: int) -> list[Outcome]:
        """Return what follows the next failures of a hazard."""
        drawn = self.draws[number].outcomes(count)
        missed = np.broadcast_to(drawn.missed, count).tolist()
        sent_on = np.broadcast_to(drawn.sent_on, count).tolist()
        left = list(drawn.redos)
        redos = [[int(left.pop(0)) for _ in range(often)] for often in np.broadcast_to(drawn.sent_back, count).tolist()]
        rows = zip(
            drawn.detect.tolist(), drawn.wrong.tolist(), drawn.stages.T.tolist(), drawn.fixed.tolist(), missed,
            sent_on, redos, strict=True,
        )  # fmt: skip
        return [Outcome(*row) for row in rows]

    def recorded(
        self, number: int, marks: list[int], outcomes: list[Outcome]
    ) -> tuple[list[int], list[int], list[Outcome]]:
        """Replay a record: its times, the components that it names (else those drawn), its repairs if it has them."""
        trace = self.hazards[number].mtbf
        found = replayed(self.scenario, number, self.replication)
        if trace.component is not None:
            components = self.draws[number].components
            marks = [trace.component[row] % components for _, row in found]
        if trace.repair is not None:
            known = zip(outcomes, found, strict=True)
            outcomes = [dataclasses.replace(outcome, stages=[trace.repair[row]]) for outcome, (_, row) in known]
        return [at for at, _ in found], marks, outcomes

    # --- clocks

    def life(self, number: int, component: int, row: int) -> int:
        """Return the row-th life of a component; a lemon's is shorter."""
        if (number, row) not in self.lives:
            self.lives[number, row] = self.draws[number].lives(row)
        return self.hastened(number, component, int(self.lives[number, row][component]))

    def hastened(self, number: int, component: int, life: int) -> int:
        """Return a life, or a lemon's shorter one."""
        if component in self.lemons[number]:
            return max(1, round(life / self.hazards[number].lemons.factor))
        return life

    def begin_life(self, number: int, component: int) -> None:
        """Begin the next life of a component whose hazard ages."""
        if self.hazards[number].ages:
            clock = self.clocks[number, component]
            clock.row, clock.age = clock.row + 1, self.hazards[number].burn_in
            if clock.age:
                self.live_on(number, component)
            else:
                clock.left = self.life(number, component, clock.row)

    def live_on(self, number: int, component: int) -> None:
        """Draw what is left of a life that has lasted for its age."""
        clock, lemon = self.clocks[number, component], component in self.lemons[number]
        worn = round(clock.age * self.hazards[number].lemons.factor) if lemon else clock.age
        rest = self.draws[number].left(worn)
        clock.left = self.hastened(number, component, rest)

    def under_repair(self, number: int, component: int) -> bool:
        """Whether a component has failed and is not back yet: it cannot fail of the same again."""
        hazard = self.hazards[number]
        if not (hazard.serves or hazard.ages or hazard.lemons or hazard.effect in ("straggle", "degrade")):
            return False
        return any(
            incident.hazard == number
            and incident.component == component
            and not (hazard.effect == "corrupt" and incident.state == "latent" and not hazard.ages)
            for incident in self.incidents
        )

    def exposed(self, number: int, owner: Gang | None) -> bool:
        """Whether what this owner has can fail now."""
        return self.hazards[number].exposure == "always" or (owner is not None and owner.phase == "run")

    def runs(self, number: int, component: int) -> bool:
        """Whether the clock of a component runs."""
        if self.hazards[number].serves:
            return not self.under_repair(number, component)
        standing = self.standing(self.hazards[number].component, component)
        if not standing or self.under_repair(number, component):
            return False
        return self.exposed(number, standing[0].gang)

    def age(self, passed: int) -> None:
        """Let the clocks run."""
        for (number, component), clock in self.clocks.items():
            if self.runs(number, component):
                clock.left, clock.age = clock.left - passed, clock.age + passed

    # --- whom a failure reaches

    def slots(self) -> list[Gpu | None]:
        """List what stands in each slot: members in their gang's first slots, free GPUs after all gangs' slots.

        If that room is too small for the free GPUs, the rest of them stand in the slots the gangs leave void.
        """
        free = self.members(None)
        room = len(self.gpus) - sum(gang.plan.gpus for gang in self.gangs)
        surplus = iter(free[room:])
        standing: list[Gpu | None] = []
        for gang in self.gangs:
            up = self.members(gang)
            standing += up + [next(surplus, None) for _ in range(gang.plan.gpus - len(up))]
        return standing + free[:room] + [None] * (room - len(free))

    def group(self, number: int, hit: Gpu) -> list[Gpu]:
        """Return what goes down with a GPU: its aligned group of a typed blast, or what stands in the part."""
        hazard = self.hazards[number]
        part = hazard.struck_part
        if part is not None:
            return self.standing(part, hit.index // self.topology.gpus_per(part))
        ranks = self.members(hit.gang)
        first = ranks.index(hit) // hazard.blast * hazard.blast
        return ranks[first : first + hazard.blast]

    # --- failures

    def fail(self, number: int, mark: int, excess: bool, outcome: Outcome | None) -> None:
        """Let a failure happen; ``outcome`` is None for an ageing hazard, which draws one if it does something."""
        hazard = self.hazards[number]
        component = mark if hazard.placed else None
        if hazard.serves:
            if not self.under_repair(number, component) and not (excess and component not in self.lemons[number]):
                self.fail_served(number, component, outcome or self.outcomes(number, 1)[0])
            return
        if component is None:
            hit = self.slots()[mark]
        else:
            hit = next(iter(self.standing(hazard.component, component)), None)
            if self.under_repair(number, component) or (excess and component not in self.lemons[number]):
                return
        if hit is None or not self.exposed(number, hit.gang):
            return
        group = self.group(number, hit)
        killed = [gang for gang in self.gangs if gang.phase != "wait" and any(gpu.gang is gang for gpu in group)]
        if (hazard.effect == "kill" and not killed) or (hazard.effect == "corrupt" and hit.gang is None):
            self.begin_life(number, mark)
            return
        self.failures += 1
        outcome = outcome or self.outcomes(number, 1)[0]
        check = self.found_by_check(hazard, mark, outcome.missed)
        found = min(self.now + outcome.detect, check)
        if hazard.effect == "kill":
            for gang in killed:
                self.strike_gang(gang, 0, found, hazard.coverage)
            self.begin_life(number, mark)
            return
        self.orders += 1
        incident = Incident(number, component, outcome, "latent", found, self.orders, wrong=outcome.wrong)
        incident.by_check = check <= self.now + outcome.detect
        self.incidents.append(incident)
        if hazard.effect == "interrupt":
            self.strike(incident, group)
        elif hazard.effect == "corrupt":
            gang = incident.gang = hit.gang
            incident.offset = self.members(gang).index(hit)
            incident.clean = max((gang.safe(tier) for tier in range(len(gang.tiers))), default=gang.position)

    def found_by_check(self, hazard, component: int, missed: int) -> int:
        """Return the end of the window that finds what is wrong from now on: the first that does not miss it."""
        if hazard.effect in ("interrupt", "kill") or hazard.component in PARTS or not hazard.placed:
            return self.horizon
        low = component * self.topology.gpus_per(hazard.component)
        high = low + self.topology.gpus_per(hazard.component)
        ends = []
        for start, number, checked in self.checks:
            check = self.scenario.maintenance[number]
            if not check.finds:
                continue  # it may be of a part that holds no GPU
            size = self.topology.gpus_per(check.component)
            holds = checked * size <= low and high <= (checked + 1) * size
            if holds and start + check.drain > self.now:
                ends.append(start + check.drain + check.duration + self.retests.get((start, number, checked), 0))
        return ends[missed] if missed < len(ends) else self.horizon

    def fail_served(self, number: int, component: int, outcome: Outcome) -> None:
        """Let a component fail that holds no GPU: who goes down is struck, all at once."""
        self.failures += 1
        self.orders += 1
        incident = Incident(number, component, outcome, "latent", self.now + outcome.detect, self.orders)
        self.incidents.append(incident)
        if group := [gpu for gpu in self.down() if gpu.condition == "up"]:
            self.strike(incident, group)
        self.plant_changed()

    def find_served(self, incident: Incident) -> None:
        """Begin the repair of a component that holds no GPU; whom it struck is absent, or back if its node is up."""
        incident.state = "repair"
        self.be_absent(incident.gpus, "repair")
        self.send(incident, [], ends=True)
        self.plant_changed()

    def strike(self, incident: Incident, group: list[Gpu], again: bool = False, at_least: int = -1) -> None:
        """Take a group down until the incident is identified at ``incident.found``; ``again``: a relapse."""
        owners = [gang for gang in self.gangs if any(gpu.gang is gang for gpu in group)]
        spoilt = incident.gang
        alone = len(owners) == 1 and all(gpu.gang is not None for gpu in group)
        incident.state, incident.gpus, incident.gang = "struck", group, owners[0] if alone else None
        for gang in owners:
            struck, covered = sum(gpu.gang is gang for gpu in group), self.hazards[incident.hazard].coverage
            self.strike_gang(gang, struck, incident.found, covered, at_least if gang is spoilt else -1)
        for gpu in group:
            gpu.condition, gpu.struck_in, gpu.gang = "struck", gpu.gang, None
        self.forget(group, out=True)
        if not again:
            self.count(incident)

    def forget(self, gpus: list[Gpu], out: bool) -> None:
        """Note that GPUs left their gang: relapses of theirs are off; a straggler that is ``out`` is slow no more."""
        for gang in self.gangs:
            gang.passed -= set(gpus)
        for incident in list(self.incidents):
            hazard = self.hazards[incident.hazard]
            if incident.state == "faulty" and self.by_places:
                incident.gpus = [gpu for gpu in incident.gpus if gpu not in gpus]
                if not incident.gpus:
                    self.clear(incident)
            elif hazard.effect == "straggle" and incident.state == "latent" and out:
                own = self.part(hazard.component, incident.component)
                if any(gpu in gpus for gpu in own) and all(gpu.condition != "up" for gpu in own):
                    self.clear(incident)

    def clear(self, incident: Incident) -> None:
        """End an incident whose component was taken care of otherwise: a new life, but a lemon stays one."""
        self.mend(incident, fixed=True, renewed=False, repaired=False)

    def mend(self, incident: Incident, fixed: bool, renewed: bool, repaired: bool = True) -> None:
        """Let the failed component begin again: as new, or as old as it was; ``repaired``: it comes from repair."""
        number, component = incident.hazard, incident.component
        self.incidents.remove(incident)
        if component is None:
            return
        lemons = self.hazards[number].lemons
        if renewed or (fixed and repaired and lemons is not None and lemons.cured_by == "repair"):
            self.lemons[number].discard(component)
        if fixed or renewed:
            self.begin_life(number, component)
        elif self.hazards[number].ages:
            self.live_on(number, component)

    # --- identification

    def identify(self) -> bool:
        """Identify the first failure that is due, in order of strike or onset."""
        due = [each for each in self.incidents if each.state in ("latent", "struck") and each.found == self.now]
        if not due:
            return False
        incident = min(due, key=lambda each: each.order)
        effect = self.hazards[incident.hazard].effect
        if self.hazards[incident.hazard].serves:
            self.find_served(incident)
        elif incident.state == "struck":
            self.leave(incident)
        elif effect == "degrade":
            incident.state = "repair"
            self.send(incident, [], ends=True)
        elif effect == "straggle":
            standing = self.standing(self.hazards[incident.hazard].component, incident.component)
            if standing:
                self.strike(incident, self.group(incident.hazard, standing[0]))
                self.leave(incident)
            else:
                self.clear(incident)
        else:
            self.find_corrupt(incident)
        return True

    def find_corrupt(self, incident: Incident) -> None:
        """Roll a corrupted gang back to what is clean and strike it where the fault is, if that is still in it."""
        gang, hazard = incident.gang, self.hazards[incident.hazard]
        level = 0 if gang.tiers else -1
        if gang.phase == "finished":
            self.clear(incident)
            return
        self.end_stretch(gang)
        self.cut(gang, incident.clean)
        members = self.members(gang)
        if incident.component is None:
            hit = members[incident.offset] if incident.offset < len(members) else None
        else:
            own = self.standing(hazard.component, incident.component)
            hit = next((gpu for gpu in own if gpu.gang is gang), None)
        if hit is not None:
            group = [gpu for gpu in self.group(incident.hazard, hit) if gpu.gang is gang]
            self.strike(incident, group, at_least=level)
            self.leave(incident)
            return
        elsewhere = self.standing(hazard.component, incident.component) if incident.by_check else []
        group = self.group(incident.hazard, elsewhere[0]) if elsewhere else []
        if gang.phase == "wait":
            gang.deepest = max(gang.deepest, level)
            level = -1
        elif not any(gpu.gang is gang for gpu in group):
            self.strike_gang(gang, 0, self.now, hazard.coverage, at_least=level)
        if group:
            self.strike(incident, group, at_least=level)
            self.leave(incident)
        else:
            self.clear(incident)

    def leave(self, incident: Incident) -> None:
        """Let the struck group leave for repair, or the healthy one that is blamed for it."""
        group, gang, hazard = incident.gpus, incident.gang, self.hazards[incident.hazard]
        others = self.members(gang)
        dead = set(group) & set(self.down())
        if incident.wrong and gang is not None and len(others) >= len(group) and not dead:
            last = group[-1].index
            if self.by_places:
                others.sort(key=lambda gpu: (gpu.index - last) % len(self.gpus))
            for gpu in group:
                gpu.condition, gpu.gang, gpu.struck_in = "up", gang, None
            blamed = others[: len(group)]
            for gpu in blamed:
                gpu.condition, gpu.gang, gpu.struck_in = "struck", None, gang
            incident.state, incident.wrong = "faulty", incident.wrong - 1
            self.orders += 1
            incident.blamed = self.orders
            self.forget(blamed, out=True)
            self.send(incident, blamed, ends=False)
            return
        incident.state = "repair"
        if not incident.retire:
            self.send(incident, group, ends=True)
            return
        self.counted[incident.hazard, incident.component] = []
        own = [gpu for gpu in group if gpu in self.part(hazard.component, incident.component)]
        self.replace(incident, own)
        if len(own) < len(group):
            self.send(incident, [gpu for gpu in group if gpu not in own], ends=False)

    def relapse(self) -> bool:
        """Let the faulty members of the first gang that begins to run strike it again."""
        for gang in self.gangs:
            faulty = [each for each in self.incidents if each.state == "faulty" and each.gang is gang]
            if gang.phase == "finished":
                for incident in faulty:
                    self.clear(incident)
            elif gang.phase == "run" and gang.resumed == self.now and faulty:
                for incident in faulty:
                    if not self.by_places:
                        incident.gpus = self.members(gang)[: len(incident.gpus)]
                    if not incident.gpus:
                        self.clear(incident)
                        continue
                    self.orders += 1
                    incident.order, incident.found = self.orders, self.now + incident.outcome.detect
                    self.strike(incident, incident.gpus, again=True)
                return True
        return False
