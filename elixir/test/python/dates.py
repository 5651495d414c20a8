"""Dates and times of the standard library."""

import datetime
from zoneinfo import ZoneInfo


def is_a(value, base):
    return isinstance(value, getattr(datetime, base))


def text(value):
    return value.isoformat()


def made():
    noon = datetime.datetime(2024, 7, 1, 12)
    return [
        noon.date(),
        noon.time(),
        noon.replace(microsecond=1),
        noon.replace(tzinfo=datetime.timezone.utc),
        noon.replace(tzinfo=ZoneInfo("Europe/Paris")),
        noon.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
    ]


def without_a_form():
    return {"at": [1, datetime.timedelta(1)]}
