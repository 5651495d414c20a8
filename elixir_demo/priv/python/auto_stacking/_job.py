"""Job in any form -> Job whose every field is sound, or a ValueError that says which one is not and why."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Union

Id = Union[int, str]
Number = Union[int, float]

#: The largest coordinate, time and demand, of either sign. Beyond it a float no longer tells 0.001 from nothing.
LARGEST = 1e12
#: The most deliveries: the distances between them take over a gigabyte.
MOST_DELIVERIES = 5_000
#: The longest search, in seconds.
LONGEST_SEARCH = 3600
DEFAULT_SECONDS = 2
DEFAULT_SEED = 1


@dataclass(frozen=True)
class Depot:
    """Where each route begins and ends, and when."""

    __slots__ = ("x", "y", "earliest", "latest")
    x: float
    y: float
    earliest: float
    latest: float


@dataclass(frozen=True)
class Delivery:
    """One stop."""

    __slots__ = ("id", "x", "y", "demand", "earliest", "latest", "service")
    id: Id
    x: float
    y: float
    demand: Number
    earliest: float
    latest: float
    service: float


Place = Union[Depot, Delivery]


@dataclass(frozen=True)
class Job:
    """A sound job."""

    __slots__ = ("capacity", "max_vehicles", "depot", "deliveries", "seconds", "seed")
    capacity: Number
    max_vehicles: int
    depot: Depot
    deliveries: tuple[Delivery, ...]
    seconds: float
    seed: int


def from_json(text: str | bytes) -> Any:
    """Reads JSON text; a key that stands twice in one object is an error, too."""
    try:
        return json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("job: the JSON is nested too deep") from None
    except ValueError as error:
        raise ValueError(f"job: not readable as JSON: {error}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, value in pairs:
        if key in fields:
            raise ValueError(f"the key {_shown(key)} stands twice in one object")
        fields[key] = value
    return fields


def parse(job: Any) -> Job:
    """Checks a job field by field."""
    fields = _Fields("job", job)
    return Job(
        capacity=fields.number("capacity", lowest=0, largest=math.inf),
        max_vehicles=fields.integer("max_vehicles", lowest=0),
        depot=_depot(fields.value("depot")),
        deliveries=_deliveries(fields.value("deliveries")),
        seconds=_seconds(fields),
        seed=fields.integer("seed", lowest=0, largest=2**32 - 1, default=DEFAULT_SEED),
    )


def _seconds(fields: _Fields) -> float:
    seconds = fields.number("seconds", default=DEFAULT_SECONDS)
    if not 0 < seconds <= LONGEST_SEARCH:
        raise fields.error(f'"seconds" is {_shown(seconds)}, but it must be above 0 and at most {LONGEST_SEARCH}')
    return float(seconds)


def _depot(value: Any) -> Depot:
    fields = _Fields("depot", value)
    earliest, latest = fields.window()
    return Depot(fields.coordinate("x"), fields.coordinate("y"), earliest, latest)


def _deliveries(value: Any) -> tuple[Delivery, ...]:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f'job: "deliveries" is {_shown(value)}, but it must be a list')
    if len(value) > MOST_DELIVERIES:
        raise ValueError(
            f'job: "deliveries" has {len(value)} entries, but {MOST_DELIVERIES} are the most that fit in memory'
        )
    positions: dict[Id, int] = {}
    deliveries = []
    for position, item in enumerate(value):
        delivery = _delivery(position, item)
        if delivery.id in positions:
            where = f"deliveries[{position}] (id {_shown(delivery.id)})"
            raise ValueError(f"{where}: the id is already taken by deliveries[{positions[delivery.id]}]")
        positions[delivery.id] = position
        deliveries.append(delivery)
    return tuple(deliveries)


def _delivery(position: int, value: Any) -> Delivery:
    fields = _Fields(f"deliveries[{position}]", value)
    id = fields.value("id")
    if isinstance(id, bool) or not isinstance(id, (int, str)):
        raise fields.error(f'"id" is {_shown(id)}, but it must be a string or an integer')
    fields.where += f" (id {_shown(id)})"
    earliest, latest = fields.window()
    return Delivery(
        id=id,
        x=fields.coordinate("x"),
        y=fields.coordinate("y"),
        demand=fields.number("demand", lowest=0),
        earliest=earliest,
        latest=latest,
        service=float(fields.number("service", lowest=0)),
    )


class _Fields:
    """The fields of one object, and how errors call that object."""

    __slots__ = ("where", "fields")

    def __init__(self, where: str, value: Any) -> None:
        if not isinstance(value, Mapping):
            raise ValueError(f"{where}: {_shown(value)} is not an object with fields")
        self.where = where
        self.fields = value

    def error(self, why: str) -> ValueError:
        return ValueError(f"{self.where}: {why}")

    def value(self, key: str, default: Any = None) -> Any:
        value = self.fields.get(key, default)
        if value is None:
            raise self.error(f'"{key}" is {"null" if key in self.fields else "missing"}')
        return value

    def number(
        self, key: str, lowest: float = -math.inf, largest: float = LARGEST, default: Number | None = None
    ) -> Number:
        """A finite number; one with an upper bound stays within it on both sides of zero."""
        value = self.value(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.error(f'"{key}" is {_shown(value)}, but it must be a number')
        if not _is_finite(value):
            raise self.error(f'"{key}" is {_shown(value)}, but it must be a finite number')
        if value < lowest:
            raise self.error(f'"{key}" is {_shown(value)}, but it must be {_shown(lowest)} or more')
        if abs(value) > largest:
            raise self.error(f'"{key}" is {_shown(value)}, which is beyond what can be computed with: {largest:g}')
        return value

    def integer(self, key: str, lowest: int, largest: float = math.inf, default: int | None = None) -> int:
        value = self.number(key, lowest, largest, default)
        if not isinstance(value, int):
            raise self.error(f'"{key}" is {_shown(value)}, but it must be an integer')
        return value

    def coordinate(self, key: str) -> float:
        return float(self.number(key))

    def window(self) -> tuple[float, float]:
        """Earliest and latest; the latest may be as large as a float can be, for want of a limit."""
        earliest, latest = self.number("earliest"), self.number("latest", largest=math.inf)
        if earliest > latest:
            raise self.error(f"the window is the wrong way round: earliest {earliest} is after latest {latest}")
        return float(earliest), float(latest)


def _is_finite(value: Number) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # An integer that no float can hold.
        return False


def _shown(value: Any) -> str:
    """A value as a message shows it: as JSON where that is possible, and never long."""
    if isinstance(value, int) and value.bit_length() > 128:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, (Mapping, list, tuple)):
        return f"{'an object' if isinstance(value, Mapping) else 'a list'} of {len(value)}"
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = f"of type {type(value).__name__}"
    text = text if len(text) <= 60 else text[:57] + "..."
    return text.encode("utf-8", "backslashreplace").decode()
