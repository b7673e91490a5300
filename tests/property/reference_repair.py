"""The reference's repair: batches of GPUs go through stages, crews and a test, and come back."""

from collections.abc import Iterator

from tests.property.reference_objects import Batch, Gpu, Incident
from tests.property.reference_service import Service


class Repairs(Service):
    """What happens to GPUs from their identification to their return."""

    def mend(self, incident: Incident, fixed: bool, renewed: bool, repaired: bool = True) -> None:
        """Let the failed component begin again; see ``Failures``."""
        raise TypeError("a world without failures")

    def send(self, incident: Incident, gpus: list[Gpu], ends: bool) -> None:
        """Send GPUs into the first stage."""
        for gpu in gpus:
            gpu.condition = "repair"
        self.batches.append(Batch(incident, gpus, ends))

    def replace(self, incident: Incident, gpus: list[Gpu]) -> None:
        """Retire a component: its GPUs come back new, or never."""
        after = self.hazards[incident.hazard].lemons.replace
        for gpu in gpus:
            gpu.condition, gpu.gone = "repair", after is None
        if after is not None:
            self.begun += 1
            self.batches.append(Batch(incident, gpus, True, True, back=self.now + after, began=self.begun))

    def stages(self, batch: Batch) -> list[int]:
        """Times of the stages that a batch goes through, the test last; for a replacement only its time."""
        if batch.renews:
            return [self.hazards[batch.incident.hazard].lemons.replace]
        reached = [time for time in batch.incident.outcome.stages if time >= 0]
        return [*reached, self.hazards[batch.incident.hazard].requalify]

    def pool(self, batch: Batch) -> tuple[str | tuple[int, int] | None, int | None]:
        """Return the crews that a batch needs: name (or hazard and stage) and number; None: no crew."""
        if batch.stage == len(self.stages(batch)) - 1:
            return None, None
        stage = self.hazards[batch.incident.hazard].stages[batch.stage]
        return stage.name or (batch.incident.hazard, batch.stage), stage.crews

    def end_repair(self) -> bool:
        """End the first stage that is due, in the order in which they began."""
        for batch in sorted(self.batches, key=lambda batch: batch.began):
            if batch.back == self.now:
                self.batches.remove(batch)
                if batch.stage == len(self.stages(batch)) - 1:
                    self.come_back(batch)
                else:
                    batch.stage, batch.back = batch.stage + 1, None
                    self.batches.append(batch)
                return True
        return False

    def begin_repair(self) -> bool:
        """Give a crew to the first batch in a queue for which one is free."""
        for batch in self.batches:
            if batch.admitted and batch.back is None:
                name, crews = self.pool(batch)
                at_work = sum(each.back is not None and self.pool(each)[0] == name for each in self.batches)
                if crews is None or at_work < crews:
                    batch.back = self.now + self.stages(batch)[batch.stage]
                    self.begun += 1
                    batch.began = self.begun
                    return True
        return False

    def admit(self) -> bool:
        """Let what was identified join its queue: after its gang began to wait, so that it may get it back at once."""
        late = [batch for batch in self.batches if not batch.admitted]
        for batch in late:
            batch.admitted = True
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
