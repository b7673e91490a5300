"""The reference's checks before a start: what they find among a gang's members, and what they take for bad."""

from tests.property.reference_failures import Failures
from tests.property.reference_objects import Gang, Incident


class Preflights(Failures):
    """What happens as a gang's check is done."""

    def end_check(self, gang: Gang) -> None:
        """End a gang's check: what it finds leaves, as do good nodes by mistake; if nobody does, the gang starts."""
        many = len(self.members(gang))
        for incident in self.suspects(gang):
            if not self.is_checked(incident, gang) or not gang.checks.fails(0):
                continue
            if self.hazards[incident.hazard].effect == "degrade":
                incident.state = "repair"
                self.send(incident, [], ends=True)
                continue
            if incident.state == "latent" and self.hazards[incident.hazard].effect == "corrupt":
                self.cut(gang, incident.clean)
                gang.deepest = max(gang.deepest, 0 if gang.tiers else -1)
            self.pull(incident, gang)
        nodes = {gpu.index // self.topology.gpus_per_node for gpu in self.members(gang) if gpu not in gang.passed}
        for node in sorted(nodes):
            if gang.checks.fails(1):
                own = [gpu for gpu in self.part("node", node) if gpu.condition == "up" and gpu.gang is gang]
                self.forget(own, out=False)
                for gpu in own:
                    gpu.condition, gpu.struck_in, gpu.gang = "maintenance", gang, None
                self.tested.append((self.now + self.scenario.jobs[gang.plan.job].preflight.retest, own))
        gang.passed = set(self.members(gang))
        if self.is_over(gang):
            self.go_back(gang)
        elif len(self.members(gang)) < many:
            self.run_short(gang)
        else:
            self.set_out(gang)

    def suspects(self, gang: Gang) -> list[Incident]:
        """What nobody has found: blamed ones as they were, slow components by hazard, what is corrupt latest first."""
        faulty = [each for each in self.incidents if each.state == "faulty" and each.gang is gang]
        latent = [each for each in self.incidents if each.state == "latent" and each.component is not None]
        effects = [(self.hazards[each.hazard], each) for each in latent]
        slow = [each for hazard, each in effects if hazard.effect in ("straggle", "degrade") and not hazard.serves]
        slow.sort(key=lambda each: (each.hazard, each.component))
        corrupt = [each for hazard, each in effects if hazard.effect == "corrupt" and each.gang is gang]
        return sorted(faulty, key=lambda each: each.blamed) + slow + corrupt[::-1]

    def is_checked(self, incident: Incident, gang: Gang) -> bool:
        """Whether an incident is among the members that are checked now."""
        own = incident.gpus
        if incident.state == "latent":
            own = self.part(self.hazards[incident.hazard].component, incident.component)
        return any(gpu.condition == "up" and gpu.gang is gang and gpu not in gang.passed for gpu in own)

    def pull(self, incident: Incident, gang: Gang) -> None:
        """Take faulty members out of their gang, which has not started: nobody is interrupted."""
        group, again = incident.gpus, incident.state == "faulty"
        if not again:
            own = self.part(self.hazards[incident.hazard].component, incident.component)
            hit = next(gpu for gpu in own if gpu.condition == "up" and gpu.gang is gang)
            group = [gpu for gpu in self.group(incident.hazard, hit) if gpu.gang is gang]
        incident.state, incident.gpus, incident.gang, incident.wrong = "struck", group, gang, 0
        for gpu in group:
            gpu.condition, gpu.struck_in, gpu.gang = "struck", gang, None
        self.forget(group, out=True)
        if not again:
            self.count(incident)
        self.leave(incident)
