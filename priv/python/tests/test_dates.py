"""Dates and times: those of Elixir among those of Python, and what they become."""

from __future__ import annotations

import copy
import datetime
import subprocess
import sys
import unittest
import zoneinfo
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PACKAGE))

from portpool import Date, DateTime, NaiveDateTime, Time, Zone, _codec, _dates

PARIS = Zone("Europe/Paris", "CEST", 3600, 3600)
NAIVE = NaiveDateTime(2024, 7, 1, 12, 0, 0, 120_000, precision=2)
AWARE = DateTime(2024, 7, 1, 12, 0, 0, 120_000, PARIS, 2)
TIME = Time(12, 0, 0, 120_000, precision=2)
ALL = (Date(2024, 7, 1), TIME, NAIVE, AWARE)


def through(value: Any) -> Any:
    """What a value is once it has been pickled: the server sees no more of it."""
    return _codec.loads(b"".join(_codec.dumps(value)))


def told(value: Any) -> tuple[Any, ...]:
    """All that a date or time is."""
    zone = (value.time_zone, value.zone_abbr, value.utc_offset, value.std_offset) if type(value) is DateTime else ()
    return type(value), value.isoformat(), getattr(value, "precision", None), *zone


class Values(unittest.TestCase):
    def test_they_are_equal_to_those_of_the_standard_library(self) -> None:
        zone = datetime.timezone(datetime.timedelta(hours=2))
        same = (
            datetime.date(2024, 7, 1),
            datetime.time(12, 0, 0, 120_000),
            datetime.datetime(2024, 7, 1, 12, 0, 0, 120_000),
            datetime.datetime(2024, 7, 1, 12, 0, 0, 120_000, zone),
        )
        for ours, theirs in zip(ALL, same):
            self.assertIsInstance(ours, type(theirs))
            self.assertEqual(ours, theirs)
            self.assertEqual(hash(ours), hash(theirs))
            self.assertEqual(ours.isoformat(), theirs.isoformat())

    def test_a_date_is_equal_to_no_datetime_of_that_day(self) -> None:
        for other in (NaiveDateTime(2024, 7, 1), datetime.datetime(2024, 7, 1)):
            self.assertFalse(Date(2024, 7, 1) == other)
            self.assertTrue(other != Date(2024, 7, 1))
            with self.assertRaises(TypeError):
                Date(2024, 7, 1) < other  # noqa: B015
        self.assertLess(Date(2024, 7, 1), datetime.date(2024, 7, 2))

    def test_copies_are_the_same_in_all_that_they_are(self) -> None:
        for value in (*ALL, AWARE.astimezone(zoneinfo.ZoneInfo("Asia/Tokyo")), NAIVE.replace(fold=1)):
            copies = [copy.copy(value), copy.deepcopy(value), through(value)]
            for one in copies:
                self.assertEqual(told(one), told(value))
            self.assertEqual(getattr(copies[0], "fold", 0), getattr(value, "fold", 0))

    def test_a_zone_makes_a_datetime_and_none_a_naive_one(self) -> None:
        self.assertIs(type(NAIVE.replace(tzinfo=PARIS)), DateTime)
        self.assertIs(type(AWARE.replace(tzinfo=None)), NaiveDateTime)
        self.assertIs(type(NAIVE.astimezone(datetime.timezone.utc)), DateTime)
        self.assertIs(type(NaiveDateTime.fromisoformat("2024-07-01T12:00:00+02:00")), DateTime)
        self.assertIs(type(DateTime.now()), NaiveDateTime)
        self.assertIs(type(DateTime.now(datetime.timezone.utc)), DateTime)

    def test_replace_keeps_the_precision_unless_the_microsecond_changes(self) -> None:
        self.assertEqual(NAIVE.replace(hour=13).precision, 2)
        self.assertEqual(TIME.replace(minute=1).precision, 2)
        self.assertEqual(AWARE.replace(microsecond=1).precision, 6)
        self.assertEqual(AWARE.replace(microsecond=0).precision, 0)
        self.assertEqual(told(AWARE.replace(hour=1))[3:], ("Europe/Paris", "CEST", 3600, 3600))

    def test_arithmetic_makes_values_of_the_same_type_with_the_precision_of_new_ones(self) -> None:
        hour = datetime.timedelta(hours=1)
        self.assertEqual(told(AWARE + hour), (DateTime, "2024-07-01T13:00:00.120000+02:00", 6, "Europe/Paris", "CEST", 3600, 3600))
        self.assertEqual(told(NaiveDateTime(2024, 7, 1) - hour), (NaiveDateTime, "2024-06-30T23:00:00", 0))
        self.assertEqual(told(Date(2024, 7, 1) + 24 * hour), (Date, "2024-07-02", None))
        self.assertEqual(AWARE - AWARE.astimezone(datetime.timezone.utc), datetime.timedelta(0))

    def test_another_zone_is_told_as_elixir_has_it(self) -> None:
        moved = AWARE.astimezone(zoneinfo.ZoneInfo("America/New_York"))
        self.assertEqual(told(moved)[3:], ("America/New_York", "EDT", -18_000, 3600))
        self.assertEqual(moved, AWARE)

    def test_what_no_value_can_have_is_refused(self) -> None:
        for make in (
            lambda: Time(1, precision=7),
            lambda: NaiveDateTime(2024, 1, 1, precision=True),
            lambda: Zone("A/B", "C", 86_400, 0),
            lambda: Zone("A/B", "C", 0, -86_400),
            lambda: Date(0, 1, 1),
        ):
            with self.assertRaises(ValueError):
                make()

    def test_values_of_one_zone_share_it_and_many_zones_are_not_all_kept(self) -> None:
        first, second = through([AWARE, AWARE.replace(hour=1)])
        self.assertIs(first.tzinfo, second.tzinfo)
        for number in range(1000):
            through(DateTime(2024, 7, 1, tzinfo=Zone(f"A/{number}", "B", number, 0)))
        self.assertLessEqual(len(_dates._zones), 256)

    def test_zones_are_equal_if_all_their_fields_are(self) -> None:
        self.assertEqual(PARIS, Zone("Europe/Paris", "CEST", 3600, 3600))
        self.assertEqual(len({PARIS, Zone("Europe/Paris", "CEST", 3600, 3600), Zone("Europe/Paris", "CET", 3600, 0)}), 2)
        self.assertEqual(repr(PARIS), "Zone('Europe/Paris', 'CEST', 3600, 3600)")


class Pickles(unittest.TestCase):
    def test_those_of_python_become_ours(self) -> None:
        aware = datetime.datetime(2024, 7, 1, 12, tzinfo=datetime.timezone.utc)
        for value, expected in (
            (datetime.date(2024, 7, 1), Date(2024, 7, 1)),
            (datetime.time(1, 2), Time(1, 2)),
            (datetime.datetime(2024, 7, 1, 12, 0, 0, 1), NaiveDateTime(2024, 7, 1, 12, 0, 0, 1)),
            (aware, DateTime(2024, 7, 1, 12, 0, 0, 0, Zone("Etc/UTC", "UTC", 0, 0))),
            (
                AWARE.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
                AWARE.astimezone(datetime.timezone.utc).replace(microsecond=120_000),
            ),
        ):
            result = through([value, {value: value}])
            self.assertEqual(result, [expected, {expected: expected}])
            self.assertIs(type(result[0]), type(expected))

    def test_a_value_moved_to_utc_keeps_its_precision(self) -> None:
        moved = through(AWARE.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=2))))
        self.assertEqual(told(moved), (DateTime, "2024-07-01T10:00:00.120000+00:00", 2, "Etc/UTC", "UTC", 0, 0))

    def test_the_second_pickle_with_dates_has_their_classes_at_its_beginning(self) -> None:
        through(NAIVE)
        many = [NAIVE] * 3 + [datetime.date(2024, 7, day) for day in range(1, 31)]
        self.assertEqual(b"".join(_codec.dumps(many)).count(b"\x84"), len(_codec._admitted))

    def test_dates_are_imported_with_the_first_one(self) -> None:
        script = (
            f"import sys; sys.path.insert(0, {str(PACKAGE)!r}); import portpool._codec; "
            "print('_datetime' in sys.modules, 'portpool._dates' in sys.modules); "
            "portpool._codec.loads(b'\\x84\\x04\\x00pp(M\\xe8\\x07K\\x02K\\x1dtR.'); print(type(portpool.Date(1, 1, 1)))"
        )
        run = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True)
        self.assertEqual(run.stdout, "False False\n<class 'portpool.Date'>\n")


if __name__ == "__main__":
    unittest.main()
