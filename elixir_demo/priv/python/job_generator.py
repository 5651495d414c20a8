"""Makes the bundled jobs, the same bytes every time: ``python job_generator.py DIRECTORY`` writes them there.

A job is one shift of one district. The unit is the minute: times are minutes after midnight and coordinates are minutes
of driving from the city's centre. Deliveries cluster around streets and most are promised a slot of one and a half to
four hours.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

Slot = tuple[int, int]


@dataclass(frozen=True)
class District:
    """A part of the city and the depot that serves it."""

    name: str
    prefix: str
    centre: tuple[float, float]
    depot: tuple[float, float]
    radius: float
    streets: tuple[str, ...]


@dataclass(frozen=True)
class Shift:
    """When couriers are on the road, and the slots that customers choose from."""

    name: str
    hours: Slot
    slots: tuple[Slot, ...]


@dataclass(frozen=True)
class Order:
    """What one bundled job is made of."""

    district: District
    shift: Shift
    deliveries: int
    capacity: int
    max_vehicles: int
    seed: int

    @property
    def file_name(self) -> str:
        """The name of the job's file."""
        return f"{self.district.name}_{self.shift.name}.json".lower().replace(" ", "_")


HARBOUR = District(
    "Harbour", "HB", (14.0, -6.0), (9.5, -2.0), 11.0,
    ("Anchor Quay", "Cooper Street", "Customs Row", "Granary Lane", "Lighthouse Road", "Mast Street", "Netmaker Alley"),
)  # fmt: skip
OLD_TOWN = District(
    "Old Town", "OT", (-1.0, 2.5), (4.0, 6.5), 7.0,
    ("Abbey Court", "Baker Street", "Candle Lane", "Market Square", "Mint Street", "Saddler Row", "Tower Gate"),
)  # fmt: skip
HILLSIDE = District(
    "Hillside", "HS", (-13.0, 15.0), (-7.0, 9.0), 14.0,
    ("Beech Avenue", "Chapel Hill", "Orchard Road", "Quarry Road", "Spring Lane", "Vineyard Way"),
)  # fmt: skip

MORNING = Shift("morning", (390, 810), ((450, 600), (510, 630), (570, 690), (600, 720), (480, 720)))
EVENING = Shift("evening", (960, 1320), ((1020, 1140), (1080, 1200), (1140, 1260), (1020, 1260)))

ORDERS = (
    Order(HARBOUR, MORNING, 130, 90, 14, 11),
    Order(HARBOUR, EVENING, 110, 90, 14, 12),
    Order(OLD_TOWN, MORNING, 160, 60, 20, 21),
    Order(OLD_TOWN, EVENING, 140, 60, 20, 22),
    Order(HILLSIDE, MORNING, 120, 110, 14, 31),
    Order(HILLSIDE, EVENING, 100, 110, 14, 32),
)


def job(order: Order) -> dict[str, Any]:
    """The job of an order in the form of ``auto_stacking.optimize``; name, unit and addresses are for people."""
    random = Random(order.seed)
    x, y = order.district.depot
    earliest, latest = order.shift.hours
    return {
        "name": f"{order.district.name} {order.shift.name}",
        "unit": "minutes",
        "capacity": order.capacity,
        "max_vehicles": order.max_vehicles,
        "depot": {"x": x, "y": y, "earliest": earliest, "latest": latest},
        "seconds": 2,
        "seed": order.seed,
        "deliveries": deliveries(order, random),
    }


def deliveries(order: Order, random: Random) -> list[dict[str, Any]]:
    """Deliveries at the doors of the district's streets; a street is a straight line through its own middle."""
    streets = [(name, *_polar(random, order.district.centre, order.district.radius)) for name in order.district.streets]
    angles = [random.random() * math.pi for _ in streets]
    return [
        _delivery(order, number, *_door(random, streets, angles), random) for number in range(1, order.deliveries + 1)
    ]


def _door(random: Random, streets: list[tuple[str, float, float]], angles: list[float]) -> tuple[str, float, float]:
    street = _below(random, len(streets))
    name, x, y = streets[street]
    house = 1 + _below(random, 120)
    along, aside = (house - 60) / 25, random.random() - 0.5
    angle = angles[street]
    return (
        f"{name} {house}",
        round(x + along * math.cos(angle) - aside * math.sin(angle), 2),
        round(y + along * math.sin(angle) + aside * math.cos(angle), 2),
    )


def _delivery(order: Order, number: int, address: str, x: float, y: float, random: Random) -> dict[str, Any]:
    promised = random.random() < 0.7
    slots = order.shift.slots
    earliest, latest = slots[_below(random, len(slots))] if promised else order.shift.hours
    parcels = 1 + int(random.random() ** 3 * 12)
    return {
        "id": f"{order.district.prefix}-{order.seed}{number:03}",
        "address": address,
        "x": x,
        "y": y,
        "demand": parcels,
        "earliest": earliest,
        "latest": latest,
        "service": 2 + _below(random, 3) + parcels // 4,
    }


def _polar(random: Random, centre: tuple[float, float], radius: float) -> tuple[float, float]:
    angle, length = random.random() * 2 * math.pi, radius * math.sqrt(random.random())
    return centre[0] + length * math.cos(angle), centre[1] + length * math.sin(angle)


def _below(random: Random, limit: int) -> int:
    # Only random() is the same in every version of Python, by promise.
    return int(random.random() * limit)


def text(job: dict[str, Any]) -> str:
    """The job as JSON with one delivery a line."""
    head = {key: value for key, value in job.items() if key != "deliveries"}
    lines = ",\n".join("  " + json.dumps(delivery) for delivery in job["deliveries"])
    return json.dumps(head, indent=1)[:-2] + f',\n "deliveries": [\n{lines}\n ]\n}}\n'


def main(directory: Path) -> None:
    """Writes every bundled job."""
    for order in ORDERS:
        (directory / order.file_name).write_text(text(job(order)), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
