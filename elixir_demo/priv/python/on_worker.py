"""Calls of the demo that also say which worker did them, and when."""

from __future__ import annotations

import os
import time
from typing import Any

import auto_stacking


def optimize(job: dict[str, Any]) -> dict[str, Any]:
    """Plans a job. ``worker`` is the pid of this process; ``begun`` and ``ended`` are milliseconds since 1970."""
    begun = time.time()
    plan = auto_stacking.optimize(job)
    return {"plan": plan, "worker": os.getpid(), "begun": round(begun * 1000), "ended": round(time.time() * 1000)}
