"""The reference's repair: batches of GPUs go through stages, crews and a test, and come back."""

from collections.abc import Iterator

from dcsim.hazards import RepairStage
from dcsim.hazards.shifts import WEEK, spans_of, start_of, visits_of
from tests.property.reference_objects import Batch, Gpu, Incident
from tests.property.reference_service import Service


class Repairs(Service):
    """What happens to GPUs from their identification to their return."""

    counted: dict[tuple[int, int], list[int]]  # (hazard, component) -> times, for retirement

    def mend(self, incident: Incident, fixed: bool, renewed: bool, repaired: bool = True) -> None:
        """Let the failed component begin again; see ``Failures``."""
        raise TypeError("a world without failures")

    def send(self, incident: Incident, gpus: list[Gpu], ends: bool) -> None:
        """Send GPUs into the first stage."""
        for gpu in gpus:
            gpu.condition = "repair"
        self.batches.append(Batch(incident, gpus, ends, asked=self.now))

    def replace(self, incident: Incident, gpus: list[Gpu]) -> None:
        """Retire a component: its GPUs come back new, or never."""
        hazard = self.hazards[incident.hazard]
        after = None if hazard.lemons.replace is None else hazard.lemons.replace + hazard.burn_in
        for gpu in gpus:
            gpu.condition, gpu.gone = "repair", after is None
        if after is not None:
            self.begun += 1
            self.batches.append(Batch(incident, gpus, True, True, back=self.now + after, began=self.begun))

    def count(self, incident: Incident) -> None:
        """Count a failure of a component; too many retire it."""
        lemons = self.hazards[incident.hazard].lemons
        if lemons is not None and lemons.retire_after is not None:
            times = self.counted.setdefault((incident.hazard, incident.component), [])
            times[:] = [at for at in [*times, self.now] if at > self.now - lemons.window]
            incident.retire = len(times) >= lemons.retire_after

    def stages(self, batch: Batch) -> list[tuple[int | None, int]]:
        """List (stage, time) of what a batch goes through; None: a test. Of a replacement nothing but its time."""
        hazard, outcome = self.hazards[batch.incident.hazard], batch.incident.outcome
        if batch.renews:
            return [(None, hazard.lemons.replace + hazard.burn_in)]
        steps: list[tuple[int | None, int]] = []
        for number, time in enumerate(outcome.stages):
            if time >= 0:
                steps.append((number, time))
                if outcome.sent_on >> number & 1:
                    steps.append((None, hazard.requalify))
        for time in outcome.redos:
            steps += [(None, hazard.requalify), (len(hazard.stages) - 1, time)]
        return [*steps, (None, hazard.requalify + hazard.burn_in)]

    def pool(self, batch: Batch) -> tuple[str | tuple[int, int] | None, int | None]:
        """Return the crews that a batch needs: name (or hazard and stage) and number; None: no crew."""
        number, stage = self.stages(batch)[batch.stage][0], self.stage(batch)
        if stage is None:
            return None, None
        return stage.name or (batch.incident.hazard, number), stage.crews

    def end_repair(self) -> bool:
        """End the first stage that is due, in the order in which they began."""
        for batch in sorted(self.batches, key=lambda batch: batch.began):
            if batch.back == self.now:
                self.batches.remove(batch)
                if self.is_visited(batch):
                    self.expect_visit(batch, joins=False)
                if batch.stage == len(self.stages(batch)) - 1:
                    self.come_back(batch)
                else:
                    batch.stage, batch.back, batch.asked = batch.stage + 1, None, self.now
                    self.batches.append(batch)
                    if self.is_visited(batch):
                        self.expect_visit(batch, joins=True)
                return True
        return False

    def begin_repair(self) -> bool:
        """Give a crew to the first batch in a queue for which one is free."""
        for batch in self.batches:
            if batch.admitted and batch.back is None and not self.is_visited(batch):
                name, crews = self.pool(batch)
                at_work = sum(each.back is not None and self.pool(each)[0] == name for each in self.batches)
                if crews is None or at_work < crews:
                    self.begin(batch, self.done_at(batch, self.stages(batch)[batch.stage][1]))
                    return True
        return False

    def begin(self, batch: Batch, back: int) -> None:
        """Let somebody begin with a batch, who is done at ``back``."""
        self.begun += 1
        batch.began, batch.back = self.begun, back

    # --- shifts and visits

    def stage(self, batch: Batch) -> RepairStage | None:
        """Return the stage that a batch is in or waits for; None: the test, or a replacement."""
        number = self.stages(batch)[batch.stage][0]
        return None if number is None else self.hazards[batch.incident.hazard].stages[number]

    def is_visited(self, batch: Batch) -> bool:
        """Whether a batch waits for people who repair all that waits together."""
        stage = self.stage(batch)
        return stage is not None and (stage.visits, stage.visit_when, stage.visit_after) != (None, None, None)

    def done_at(self, batch: Batch, time: int) -> int:
        """Return when a crew that begins now, or in its next shift, is done; after the horizon any time is never."""
        stage = self.stage(batch)
        if stage is None or stage.shifts is None:
            return self.now + time
        left = time
        for begin, end in self.hours(stage):
            begin = max(begin, self.now)
            if begin < end and stage.at_shift_end == "finish":
                return begin + time
            if begin < end and left <= end - begin:
                return begin + left
            left -= max(0, end - begin)
        return self.horizon

    def hours(self, stage: RepairStage) -> Iterator[tuple[int, int]]:
        """Yield the shifts of a stage up to the horizon, from one before the beginning on; those that touch are one."""
        monday = -start_of(self.scenario.starts) - WEEK
        shifts = [(monday + week + a, monday + week + b) for week in range(0, self.horizon + 3 * WEEK, WEEK)
                  for a, b in spans_of(stage.shifts)]  # fmt: skip
        while shifts:
            begin, end = shifts.pop(0)
            while shifts and shifts[0][0] == end:
                end = shifts.pop(0)[1]
            yield begin, end

    def visit_days(self, stage: RepairStage) -> list[int]:
        """Return the instants up to the horizon at which a visit is planned."""
        if stage.visits is None:
            return []
        days, cycle = visits_of(stage.visits)
        mondays = range(-start_of(self.scenario.starts), self.horizon + 1, WEEK)
        return [monday + at - at // WEEK * WEEK for number, monday in enumerate(mondays) for at in days
                if number % (cycle // WEEK) == at // WEEK]  # fmt: skip

    def waiting_for(self, batch: Batch) -> list[Batch] | None:
        """Return what waits for the same visit, in order; None: those people are at work."""
        mine = [each for each in self.batches if each.admitted and self.pool(each)[0] == self.pool(batch)[0]]
        return None if any(each.back is not None for each in mine) else mine

    def expect_visit(self, batch: Batch, joins: bool) -> None:
        """Note for which instant a visit is expected: as the first begins to wait, as enough do, as a visit ends."""
        stage, waiting = self.stage(batch), self.waiting_for(batch)
        if not waiting:
            return
        at = [each for each in self.visit_days(stage) if each >= self.now]
        if stage.visit_after is not None:
            at.append(max(self.now, waiting[0].asked + stage.visit_after))
        if stage.visit_when is not None and len(waiting) >= stage.visit_when:
            at = [self.now]
        elif joins and len(waiting) > 1:
            return
        if at:
            self.expected.append((min(at), self.pool(batch)[0]))

    def begin_visit(self) -> bool:
        """Begin the first visit that there is reason for: of those that are expected now, what was expected first."""
        waiting = [each for each in self.batches if each.admitted and each.back is None and self.is_visited(each)]
        for each in [each for each in self.expected if each[0] == self.now]:
            self.expected.remove(each)
            if any(self.pool(batch)[0] == each[1] and self.visit(batch) for batch in waiting):
                return True
        return any(self.visit(batch) for batch in waiting)

    def visit(self, batch: Batch) -> bool:
        """Begin the visit that a batch waits for, if there is reason: all that waits is back with the last of it."""
        stage, waiting = self.stage(batch), self.waiting_for(batch)
        if waiting is None:
            return False
        reasons = [self.now in self.visit_days(stage)]
        reasons.append(stage.visit_when is not None and len(waiting) >= stage.visit_when)
        reasons.append(stage.visit_after is not None and self.now - batch.asked >= stage.visit_after)
        if any(reasons):
            longest = max(self.stages(each)[each.stage][1] for each in waiting)
            for each in waiting:
                self.begin(each, self.now + longest)
        return any(reasons)

    def next_visits(self) -> Iterator[int]:
        """Yield when there may be reason for a visit."""
        for batch in self.batches:
            if batch.admitted and batch.back is None and self.is_visited(batch):
                stage = self.stage(batch)
                yield from (at for at in self.visit_days(stage) if at > self.now)
                if stage.visit_after is not None and batch.asked + stage.visit_after > self.now:
                    yield batch.asked + stage.visit_after

    def admit(self) -> bool:
        """Let what was identified join its queue: after its gang began to wait, so that it may get it back at once."""
        late = [batch for batch in self.batches if not batch.admitted]
        for batch in late:
            batch.admitted = True
            if self.is_visited(batch):
                self.expect_visit(batch, joins=True)
        return bool(late)

    def come_back(self, batch: Batch) -> None:
        """Return a batch to the free GPUs, or to its gang if that waits."""
        incident = batch.incident
        back = self.give_back(batch.gpus)
        to_job = self.hazards[incident.hazard].returns == "job" and not self.in_rack
        if to_job and incident.gang is not None and self.queues(incident.gang):
            self.take(incident.gang, sorted(back, key=lambda gpu: gpu.index))
        if batch.ends:
            self.mend(incident, incident.outcome.fixed, batch.renews)
            if self.hazards[incident.hazard].serves:
                self.plant_changed()
                self.give_power()

    def repair_ends(self) -> Iterator[int]:
        """Yield when stages end."""
        for batch in self.batches:
            if batch.back is not None:
                yield batch.back
        yield from self.next_visits()
