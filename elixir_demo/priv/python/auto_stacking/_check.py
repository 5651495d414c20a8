"""The judge of a plan: counts, adds and drives it anew and shares no code with what made it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal, localcontext
from math import dist, isclose
from typing import Any

from ._job import Delivery, Job

#: What rounding explains, relative to the numbers at hand: of one comparison of times, and of sums.
LATE, SUM = 4e-15, 1e-9


def faults(job: Job, plan: Mapping[str, Any]) -> list[str]:
    """Lists everything that is wrong with a plan, in words. Unassigned deliveries alone are not a fault."""
    return [*_assignment(job, plan), *_totals(job, plan), *_stacks(job, plan)]


def _assignment(job: Job, plan: Mapping[str, Any]) -> Iterator[str]:
    planned = Counter(id for stack in plan["stacks"] for id in stack["deliveries"])
    planned.update(plan["unassigned"])
    known = {delivery.id for delivery in job.deliveries}
    yield from (f"delivery {id!r} is in the plan {planned[id]} times" for id in known if planned[id] != 1)
    yield from (f"delivery {id!r} is not in the job" for id in planned if id not in known)


def _totals(job: Job, plan: Mapping[str, Any]) -> Iterator[str]:
    if not len(plan["stacks"]) == plan["vehicles"] <= job.max_vehicles:
        yield f"{len(plan['stacks'])} stacks, {plan['vehicles']} vehicles counted, {job.max_vehicles} allowed"
    if not _near(plan["distance"], sum(stack["distance"] for stack in plan["stacks"])):
        yield "the distance is not the sum of the stacks' distances"


def _stacks(job: Job, plan: Mapping[str, Any]) -> Iterator[str]:
    by_id = {delivery.id: delivery for delivery in job.deliveries}
    for number, stack in enumerate(plan["stacks"]):
        stops = [by_id[id] for id in stack["deliveries"] if id in by_id]
        for fault in [*_load(job, stack, stops), *_drive(job, stack, stops)]:
            yield f"stack {number}: {fault}"


def _load(job: Job, stack: Mapping[str, Any], stops: list[Delivery]) -> Iterator[str]:
    with localcontext() as context:
        context.prec = 400  # Enough for every digit of sums of floats up to the capacity's.
        total = sum((Decimal(str(stop.demand)) for stop in stops), Decimal())
        if total > Decimal(str(job.capacity)):
            yield f"load {total} is above the capacity {job.capacity}"
    if not stops:
        yield "no deliveries"
    if not _near(float(total), stack["load"]):
        yield f"load is {stack['load']}, but the demands add up to {total}"


def _drive(job: Job, stack: Mapping[str, Any], stops: list[Delivery]) -> Iterator[str]:
    here, clock, driven = (job.depot.x, job.depot.y), stack["start"], 0.0
    if clock < job.depot.earliest:
        yield f"leaves at {clock}, before the depot opens at {job.depot.earliest}"
    for stop in stops:
        leg = dist(here, (stop.x, stop.y))
        here, clock, driven = (stop.x, stop.y), max(clock + leg, stop.earliest), driven + leg
        if _after(job, clock, stop.latest):
            yield f"delivery {stop.id!r} begins at {clock}, after {stop.latest}"
        clock += stop.service
    leg = dist(here, (job.depot.x, job.depot.y))
    if _after(job, clock + leg, job.depot.latest):
        yield f"is back at {clock + leg}, after the depot closes at {job.depot.latest}"
    if not _near(clock + leg, stack["end"]):
        yield f"ends at {stack['end']}, but the courier is back at {clock + leg}"
    if not _near(driven + leg, stack["distance"]):
        yield f"distance is {stack['distance']}, but the legs add up to {driven + leg}"


def _after(job: Job, time: float, limit: float) -> bool:
    return time - limit > LATE * max(abs(limit), abs(job.depot.earliest))


def _near(a: float, b: float) -> bool:
    return isclose(a, b, rel_tol=SUM, abs_tol=SUM)
