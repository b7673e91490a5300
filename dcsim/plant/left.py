"""What is left of a component, and whom a change of it reaches: rules that all parts of a plant share."""

from dcsim.plant.tables import PlantTables


def left_of(w: PlantTables, kind: int, index: int) -> float:
    """Return the share that is left of a component."""
    first = w.plant_kinds[kind].first
    return w.left[first + index] if first >= 0 else 1.0


def reaches(w: PlantTables, low: int, high: int) -> None:
    """Nodes of this range may be down now, or be no longer."""
    p = w.plant
    p.first_reached = min(p.first_reached, low) if p.end_reached else low
    p.end_reached = max(p.end_reached, high)
