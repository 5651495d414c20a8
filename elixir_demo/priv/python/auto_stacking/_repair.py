"""Routes that a search proposes -> routes that hold in floats, with all that still fits.

A search in integers may end early, with routes that break a limit, and it rounds against the job: here late or surplus
stops are taken out, and each delivery that is left over goes where it costs the least detour, if it fits anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ._job import Job, Place
from ._schedule import exact, exceeds, fits, late_at, latest_starts, load, service_starts, travel

Route = list[int]


def complete(job: Job, routes: Iterable[Sequence[int]]) -> list[Route]:
    """The routes, trimmed to what fits and filled with what is left over."""
    kept = [route for route in (trim(job, route) for route in routes) if route][: job.max_vehicles]
    assigned = {i for route in kept for i in route}
    return fill(job, kept, [i for i in range(len(job.deliveries)) if i not in assigned])


def trim(job: Job, route: Sequence[int]) -> Route:
    """The route without the stops that are in the way of the others."""
    kept = list(route)
    while load(job, kept) > exact(job.capacity):
        kept.remove(max(kept, key=lambda i: job.deliveries[i].demand))
    while (place := late_at(job, kept, job.depot.earliest)) is not None:
        del kept[min(place, len(kept) - 1)]
    return kept


def fill(job: Job, routes: Iterable[Route], left_over: Iterable[int]) -> list[Route]:
    """The routes with each delivery added that fits somewhere; a new route is begun only for what fits in no other."""
    tours = [_Tour(job, route) for route in routes]
    for i in left_over:
        if not _insert(tours, i) and len(tours) < job.max_vehicles and fits(job, [i]):
            tours.append(_Tour(job, [i]))
    return [tour.route for tour in tours]


def _insert(tours: Sequence[_Tour], i: int) -> bool:
    offers = sorted((detour, number, place) for number, tour in enumerate(tours) for detour, place in tour.offers(i))
    return any(tours[number].insert(place, i) for _detour, number, place in offers)


class _Tour:
    """A route with what decides at each of its places whether a stop fits in."""

    __slots__ = ("job", "route", "places", "free", "due", "room")

    def __init__(self, job: Job, route: Route) -> None:
        self.job = job
        self.become(route)

    def become(self, route: Route) -> None:
        job, stops = self.job, [self.job.deliveries[i] for i in route]
        starts = service_starts(job, route, job.depot.earliest)
        self.route = route
        self.places: list[Place] = [job.depot, *stops, job.depot]
        #: When the courier is free to go on from each place, and by when each service must have started.
        self.free = [job.depot.earliest, *(start + stop.service for start, stop in zip(starts, stops))]
        self.due = latest_starts(job, route, job.depot.latest)
        self.room = exact(job.capacity) - load(job, route)

    def offers(self, i: int) -> Iterator[tuple[float, int]]:
        """The detour at each place of the route where the delivery fits in."""
        job, stop = self.job, self.job.deliveries[i]
        if exact(stop.demand) > self.room:
            return
        for place, free in enumerate(self.free):
            before, after = self.places[place], self.places[place + 1]
            there = travel(before, stop)
            start = max(free + there, stop.earliest)
            if exceeds(job, free, stop.latest):
                return
            onward = travel(stop, after)
            if not exceeds(job, start, stop.latest) and not exceeds(
                job, start + stop.service + onward, self.due[place + 1]
            ):
                yield there + onward - travel(before, after), place

    def insert(self, place: int, i: int) -> bool:
        """Takes the delivery in, if the whole route still fits."""
        longer = [*self.route[:place], i, *self.route[place:]]
        if fits(self.job, longer):
            self.become(longer)
            return True
        return False
