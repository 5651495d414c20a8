"""Stack deliveries into courier routes, within capacity and time windows.

``optimize(job)`` takes a job as a dict or as JSON text and returns the plan as the same kind. A job::

    {"capacity": 200, "max_vehicles": 25,
     "depot": {"x": 0, "y": 0, "earliest": 360, "latest": 780},
     "deliveries": [{"id": "A-1", "x": 3, "y": 4, "demand": 2, "earliest": 480, "latest": 600, "service": 3}, ...],
     "seconds": 2, "seed": 1}

Distances are Euclidean in the unit of x and y, and times are in the same unit. ``earliest`` and ``latest`` bound the
start of the service; a courier who is early waits. ``seconds`` (default 2, at most 3600) limits the search, though a
first plan is always finished. ``seed`` (default 1) makes a search repeatable, as far as a search limited by time can
be. Ids are strings or integers; all other values are numbers. A fraction counts as the decimal number as written.
Other keys are ignored. A plan::

    {"feasible": True, "distance": 10.0, "vehicles": 1,
     "stacks": [{"deliveries": ["A-1"], "load": 2, "distance": 10.0, "start": 475.0, "end": 488.0}],
     "unassigned": []}

Each id is in exactly one stack or in ``unassigned``. ``start`` and ``end`` are when the courier leaves the depot and
returns: as early as the stack allows, leaving as late as that allows. A job that is too large for its vehicles gets the
best partial plan found. ``feasible`` means that nothing is unassigned and every check passes.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from ._check import faults
from ._job import Job, from_json, parse
from ._repair import complete
from ._schedule import Plan, describe
from ._search import search

__all__ = ["optimize"]

JobForm = TypeVar("JobForm", dict[str, Any], str, bytes)


def optimize(job: JobForm) -> JobForm:
    """Return the plan for a job, in the form of the job: dict, str or bytes.

    Raises ValueError for an invalid job; the message names the delivery at fault and the reason.
    """
    if isinstance(job, (str, bytes)):
        text = json.dumps(plan_for(parse(from_json(job))))
        return text.encode() if isinstance(job, bytes) else text
    return plan_for(parse(job))


def plan_for(job: Job) -> Plan:
    """Search, complete what the search left open, and check the result independently."""
    plan = describe(job, complete(job, search(job)))
    plan["feasible"] = not plan["unassigned"] and not faults(job, plan)
    return plan
