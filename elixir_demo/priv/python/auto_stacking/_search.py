"""Job -> routes that PyVRP proposes: the only place that knows PyVRP and its integers.

All is rounded against the job: travel, service and earliest times up, latest times down, demands up and the capacity
down. What holds in the integers so holds in floats. The unit is a thousandth of the job's, unless the job is so large
that the sums of PyVRP would overflow, or so small that a thousandth would be too coarse.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy
import pyvrp
import pyvrp.stop

from ._job import Delivery, Job, Place
from ._schedule import exact, fits, travel

#: How many units all violations of a limit together can have: PyVRP multiplies them by up to 100,000, in 64 bits.
ROOM = 2**63 // 400_000
#: What a delivery is worth, in trips from the depot to the farthest one: more than any detour for it, and not so much
#: more that PyVRP takes every violation for a bargain.
PRIZE = 64
#: Rounds without a better plan after which the search gives up before its time; and as many again for each delivery.
PATIENCE, PATIENCE_EACH = 2_000, 500
#: By how many units a float may miss the integer that is meant.
NOISE = 1e-9


def search(job: Job) -> list[list[int]]:
    """The best routes found in ``job.seconds``. They may leave deliveries out, and break a limit if time was short."""
    reachable = [i for i in range(len(job.deliveries)) if fits(job, [i])]
    if not reachable or not job.max_vehicles:
        return []
    clock = _Clock(job, [job.deliveries[i] for i in reachable])
    # A window that has no whole unit in it is left for the repair, which knows fractions.
    visits = [i for i in reachable if clock.opens(job.deliveries[i]) <= clock.closes(job.deliveries[i])]
    routes = _solve(job, _problem(job, clock, [job.deliveries[i] for i in visits]))
    return [[visits[client] for client in route] for route in routes]


def _solve(job: Job, problem: pyvrp.ProblemData) -> list[list[int]]:
    with warnings.catch_warnings():
        # PyVRP warns where a plan without violations is hard to find, and for an overloaded job it is.
        warnings.simplefilter("ignore")
        stop = _stop(job.seconds, PATIENCE + PATIENCE_EACH * problem.num_clients)
        best = pyvrp.solve(problem, stop, seed=job.seed, collect_stats=False, display=False).best
    return [[visit.idx for visit in route if visit.is_client()] for route in best.routes()]


def _stop(seconds: float, patience: int) -> pyvrp.stop.StoppingCriterion:
    # The time counts from here, so that it includes the first solution, which PyVRP's own MaxRuntime leaves out.
    deadline = time.monotonic() + seconds
    patient = pyvrp.stop.NoImprovement(patience)

    def stop(best_cost: int) -> bool:
        return time.monotonic() >= deadline or patient(best_cost)

    return stop


def _problem(job: Job, clock: _Clock, stops: Sequence[Delivery]) -> pyvrp.ProblemData:
    places: list[Place] = [job.depot, *stops]
    lengths = _lengths(places) * clock.scale
    capacity, demands = _loads(job, stops)
    prize = PRIZE * math.ceil(lengths[0].max()) + 1
    clients = [
        pyvrp.Client(
            location=i,
            delivery=[demand],
            service_duration=clock.units(stop.service),
            tw_early=clock.opens(stop),
            tw_late=clock.closes(stop),
            prize=prize,
            required=False,
        )
        for i, (stop, demand) in enumerate(zip(stops, demands), start=1)
    ]
    return pyvrp.ProblemData(
        locations=[pyvrp.Location(place.x, place.y) for place in places],
        clients=clients,
        depots=[pyvrp.Depot(location=0, tw_early=0, tw_late=clock.horizon)],
        vehicle_types=[pyvrp.VehicleType(num_available=min(job.max_vehicles, len(stops) or 1), capacity=[capacity])],
        distance_matrices=[numpy.rint(lengths).astype(numpy.int64)],
        duration_matrices=[numpy.ceil(lengths - NOISE).astype(numpy.int64)],
    )


def _lengths(places: Sequence[Place]) -> Any:
    x, y = numpy.array([place.x for place in places]), numpy.array([place.y for place in places])
    return numpy.hypot(x[:, None] - x, y[:, None] - y)


def _loads(job: Job, stops: Sequence[Delivery]) -> tuple[int, list[int]]:
    """Capacity and demands in whole units."""
    demands = [exact(stop.demand) for stop in stops]
    total = sum(demands, Fraction())
    capacity = min(exact(job.capacity), total)
    scale = Fraction(_scale(float(capacity), float(total)))
    return math.floor(capacity * scale), [math.ceil(demand * scale) for demand in demands]


class _Clock:
    """Times of a job -> whole units since the depot opens."""

    __slots__ = ("opening", "scale", "horizon")

    def __init__(self, job: Job, stops: Sequence[Delivery]) -> None:
        farthest = max(travel(job.depot, stop) for stop in stops)
        longest = max(stop.service for stop in stops)
        last = max(stop.earliest for stop in stops) - job.depot.earliest
        # One courier doing everything one after the other is back by then: to close later makes no difference.
        busy = math.fsum(stop.service for stop in stops) + 2 * farthest * (len(stops) + 1)
        # Twice as long, for the rounding up.
        span = min(job.depot.latest - job.depot.earliest, max(last, 0.0) + 2 * busy)
        self.opening = job.depot.earliest
        self.scale = _scale(max(farthest, longest), 2 * (len(stops) + 1) * (span + longest + 2 * farthest))
        self.horizon = math.floor(span * self.scale + NOISE)

    def units(self, duration: float) -> int:
        return math.ceil(duration * self.scale - NOISE)

    def opens(self, stop: Delivery) -> int:
        return max(self.units(stop.earliest - self.opening), 0)

    def closes(self, stop: Delivery) -> int:
        return math.floor(min((stop.latest - self.opening) * self.scale + NOISE, self.horizon))


def _scale(size: float, bound: float) -> float:
    """Units for one of the job's: 1000, less where the bound of all sums is large, and more where the size is tiny."""
    scale = 1000.0
    while bound * scale > ROOM:
        scale /= 10
    while 0 < size * scale < 100_000 and bound * scale * 10 <= ROOM:
        scale *= 10
    return scale
