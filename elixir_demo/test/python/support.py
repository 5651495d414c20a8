"""Jobs for tests, and what every plan must keep, judged from the public form alone."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from itertools import combinations, permutations
from pathlib import Path
from random import Random
from typing import Any
from unittest import TestCase

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "priv" / "python"))

JsonObject = dict[str, Any]


def delivery(id: Any = "a", **fields: Any) -> JsonObject:
    """A delivery at (3, 4) that fits in most jobs."""
    return {"id": id, "x": 3, "y": 4, "demand": 1, "earliest": 0, "latest": 100, "service": 0, **fields}


def job(*deliveries: JsonObject, **fields: Any) -> JsonObject:
    """A job with a depot at the origin that is open from 0 to 100."""
    depot = {"x": 0, "y": 0, "earliest": 0, "latest": 100}
    return {"capacity": 10, "max_vehicles": 2, "depot": depot, "deliveries": list(deliveries), "seconds": 0.2, **fields}


def random_job(random: Random, deliveries: int, **fields: Any) -> JsonObject:
    """A job in which some windows are narrow, some deliveries cannot be reached and some are too large."""
    stops = []
    for number in range(deliveries):
        earliest = random.uniform(-20, 90)
        stops.append(
            delivery(
                number if random.random() < 0.5 else f"d{number}",
                x=random.uniform(-15, 15),
                y=random.choice([0, random.uniform(-15, 15)]),
                demand=random.choice([0, 1, 2.5, random.randrange(1, 8), 40]),
                earliest=earliest,
                latest=earliest + random.choice([0, 5, 30, 200]),
                service=random.choice([0, 1, random.random() * 5]),
            )
        )
    return job(
        *stops, capacity=random.choice([5, 12.5, 30]), max_vehicles=random.randrange(0, 6), seconds=0.1, **fields
    )


def assert_holds(test: TestCase, job: JsonObject, plan: JsonObject) -> None:
    """Every promise about a plan, whatever the job."""
    ids = [id for stack in plan["stacks"] for id in stack["deliveries"]] + plan["unassigned"]
    test.assertCountEqual(ids, [each["id"] for each in job["deliveries"]])
    test.assertEqual(plan["vehicles"], len(plan["stacks"]))
    test.assertLessEqual(plan["vehicles"], job["max_vehicles"])
    test.assertEqual(plan["feasible"], not plan["unassigned"])
    assert_near(test, plan["distance"], sum(stack["distance"] for stack in plan["stacks"]))
    by_id = {each["id"]: each for each in job["deliveries"]}
    for stack in plan["stacks"]:
        assert_stack_holds(test, job, stack, [by_id[id] for id in stack["deliveries"]])


def assert_stack_holds(test: TestCase, job: JsonObject, stack: JsonObject, stops: list[JsonObject]) -> None:
    """Load, windows, hours of the depot, distance, departure and return of one stack."""
    test.assertTrue(stops)
    assert_near(test, stack["load"], sum(stop["demand"] for stop in stops))
    test.assertLessEqual(stack["load"], job["capacity"])
    test.assertGreaterEqual(stack["start"], job["depot"]["earliest"])
    test.assertLessEqual(stack["end"], limit(job, job["depot"]))
    assert_near(test, stack["end"], drive(job, stops, stack["start"]))
    assert_near(test, stack["end"], drive(job, stops, job["depot"]["earliest"]))
    assert_near(test, stack["distance"], sum(legs(job, stops)))


def assert_near(test: TestCase, value: float, expected: float) -> None:
    """Equal but for rounding."""
    test.assertTrue(math.isclose(value, expected, rel_tol=1e-12, abs_tol=1e-12), f"{value} is not {expected}")


def limit(job: JsonObject, place: JsonObject) -> float:
    """The latest time at a place and what rounding may add to it."""
    return place["latest"] + 1e-14 * max(abs(place["latest"]), abs(job["depot"]["earliest"]))


def legs(job: JsonObject, stops: list[JsonObject]) -> list[float]:
    """The distances from place to place, depot to depot."""
    places = [job["depot"], *stops, job["depot"]]
    return [math.dist((a["x"], a["y"]), (b["x"], b["y"])) for a, b in zip(places, places[1:])]


def drive(job: JsonObject, stops: list[JsonObject], leaves: float) -> float:
    """When the courier is back; infinity if some service would start too late."""
    clock = leaves
    for stop, leg in zip(stops, legs(job, stops)):
        clock = max(clock + leg, stop["earliest"])
        if clock > limit(job, stop):
            return math.inf
        clock += float(stop["service"])
    return float(clock + legs(job, stops)[-1])


def best_of(job: JsonObject) -> tuple[int, float]:
    """By trying all plans: how many deliveries can be unassigned at the least, and the shortest distance for that."""
    return min(
        (len(job["deliveries"]) - sum(map(len, routes)), sum(sum(legs(job, route)) for route in routes))
        for chosen in subsets(job["deliveries"])
        for routes in partitions(chosen, job["max_vehicles"])
        if all(holds(job, route) for route in routes)
    )


def holds(job: JsonObject, route: list[JsonObject]) -> bool:
    """Whether one courier can do the route."""
    in_time = drive(job, route, job["depot"]["earliest"]) <= job["depot"]["latest"]
    return bool(in_time and sum(stop["demand"] for stop in route) <= job["capacity"])


def subsets(items: list[Any]) -> Iterator[tuple[Any, ...]]:
    """All subsets."""
    for size in range(len(items) + 1):
        yield from combinations(items, size)


def partitions(items: tuple[Any, ...], most: int) -> Iterator[list[list[Any]]]:
    """All ways to put the items in order on at most `most` routes."""
    for order in permutations(items):
        for cuts in subsets(list(range(1, len(order)))):
            bounds = [0, *cuts, len(order)]
            routes = [list(order[a:b]) for a, b in zip(bounds, bounds[1:])] if order else []
            if len(routes) <= most:
                yield routes
