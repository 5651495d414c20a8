"""One route in floats: when each service starts, whether all limits hold, and what the plan says of it.

A route is a list of positions in ``job.deliveries``, in the order of the visits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from ._job import Job, Number, Place

Plan = dict[str, Any]


def travel(a: Place, b: Place) -> float:
    """The Euclidean distance, which is the travel time too."""
    return math.hypot(a.x - b.x, a.y - b.y)


def exceeds(job: Job, time: float, limit: float) -> bool:
    """Whether a time is past a limit by more than the rounding of sums of floats explains."""
    return time - limit > 16 * math.ulp(max(abs(limit), abs(job.depot.earliest)))


def exact(value: Number) -> Fraction:
    """A demand or capacity as the decimal number that it is written as: 0.1 three times is 0.3."""
    return Fraction(value) if isinstance(value, int) else Fraction(repr(float(value)))


def load(job: Job, route: Sequence[int]) -> Fraction:
    """The exact sum of the demands."""
    return sum((exact(job.deliveries[i].demand) for i in route), Fraction())


def distance(job: Job, route: Sequence[int]) -> float:
    """The length of the tour, from the depot and back to it."""
    places: list[Place] = [job.depot, *(job.deliveries[i] for i in route), job.depot]
    return math.fsum(travel(a, b) for a, b in zip(places, places[1:]))


def service_starts(job: Job, route: Sequence[int], leaves: float) -> list[float]:
    """When each service of the route starts at the earliest and, last, when the courier is back."""
    starts: list[float] = []
    here: Place = job.depot
    free = leaves
    for i in route:
        stop = job.deliveries[i]
        starts.append(max(free + travel(here, stop), stop.earliest))
        here, free = stop, starts[-1] + stop.service
    return [*starts, free + travel(here, job.depot)]


def latest_starts(job: Job, route: Sequence[int], back: float) -> list[float]:
    """When the courier must have left, and each service have started, for all to be in time; last, ``back`` itself."""
    starts, due = [back], back
    there: Place = job.depot
    for i in reversed(route):
        stop = job.deliveries[i]
        due = min(due - travel(stop, there) - stop.service, stop.latest)
        starts.append(due)
        there = stop
    return [due - travel(job.depot, there), *reversed(starts)]


def late_at(job: Job, route: Sequence[int], leaves: float) -> int | None:
    """The first place of the route where the courier is late; ``len(route)`` is the depot."""
    limits = [*(job.deliveries[i].latest for i in route), job.depot.latest]
    starts = service_starts(job, route, leaves)
    return next((place for place, (start, limit) in enumerate(zip(starts, limits)) if exceeds(job, start, limit)), None)


def fits(job: Job, route: Sequence[int]) -> bool:
    """Whether one courier can do the route."""
    return load(job, route) <= exact(job.capacity) and late_at(job, route, job.depot.earliest) is None


def departure(job: Job, route: Sequence[int]) -> float:
    """The latest departure that still brings the courier back at the earliest possible time, to 0.001 below."""
    back = service_starts(job, route, job.depot.earliest)[-1]
    leaves = max(math.floor(latest_starts(job, route, back)[0] * 1000) / 1000, job.depot.earliest)
    in_time = late_at(job, route, leaves) is None and not exceeds(job, service_starts(job, route, leaves)[-1], back)
    return leaves if in_time else job.depot.earliest


def describe(job: Job, routes: Sequence[Sequence[int]]) -> Plan:
    """The plan in its public form, without the verdict."""
    assigned = {i for route in routes for i in route}
    return {
        "feasible": False,
        "distance": math.fsum(distance(job, route) for route in routes),
        "vehicles": len(routes),
        "stacks": [_stack(job, route) for route in routes],
        "unassigned": [delivery.id for i, delivery in enumerate(job.deliveries) if i not in assigned],
    }


def _stack(job: Job, route: Sequence[int]) -> dict[str, Any]:
    leaves = departure(job, route)
    return {
        "deliveries": [job.deliveries[i].id for i in route],
        "load": _number(load(job, route), [job.deliveries[i].demand for i in route]),
        "distance": distance(job, route),
        "start": leaves,
        "end": service_starts(job, route, leaves)[-1],
    }


def _number(exact_sum: Fraction, terms: Sequence[Number]) -> Number:
    return int(exact_sum) if all(isinstance(term, int) for term in terms) else float(exact_sum)
