"""Dates and times, from and to Elixir. Imported when the first one is seen."""

from __future__ import annotations

import sys

from portpool import _codec
from portpool._encoding import Unencodable
from portpool._say import type_name
from portpool._types import itself

TYPE_CHECKING = False  # see _types.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime, time, timedelta, timezone, tzinfo
    from typing import Any

    from portpool._encoding import Reduced, Reducer

    Fields = tuple[str, str, int, int]
else:
    from _datetime import date, datetime, time, timedelta, timezone, tzinfo  # the C part: importing the rest takes longer


class Date(date):
    """An Elixir ``Date``: a ``datetime.date`` that compares and hashes like one, and is pickled as one."""

    __slots__ = ()
    __module__ = "portpool"
    __copy__ = __deepcopy__ = itself

    def __reduce_ex__(self, protocol: Any, /) -> Any:
        plain = date(self.year, self.month, self.day) if type(self) is Date else super()
        return plain.__reduce_ex__(protocol)


def _beside_datetimes(name: str) -> Callable[[Any, Any], Any]:
    compare = getattr(date, name)
    return lambda self, other: NotImplemented if isinstance(other, datetime) else compare(self, other)


if sys.version_info < (3, 13):
    # Before 3.13, a subclass of date equals any datetime of that day, though date itself does not.
    for _name in ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"):
        setattr(Date, _name, _beside_datetimes(_name))


class Zone(tzinfo):
    """The time zone of an Elixir ``DateTime``: a snapshot with the offsets at one moment.

    ``utc_offset`` and ``std_offset`` are in seconds; their sum is the offset from UTC. Arithmetic keeps them. For
    arithmetic across clock changes, use ``value.astimezone(zoneinfo.ZoneInfo(value.time_zone))``.
    """

    __slots__ = ("_fields", "_offset")
    __module__ = "portpool"

    _fields: Fields
    _offset: timedelta

    def __new__(cls, time_zone: str, zone_abbr: str, utc_offset: int, std_offset: int) -> Zone:
        for offset in (utc_offset + std_offset, std_offset):
            if not -86_400 < offset < 86_400:
                raise ValueError(f"offsets are less than a day, not {offset} seconds")
        self = tzinfo.__new__(cls)
        self._fields = (time_zone, zone_abbr, utc_offset, std_offset)
        self._offset = timedelta(seconds=utc_offset + std_offset)
        return self

    def utcoffset(self, when: datetime | None, /) -> timedelta:
        return self._offset

    def dst(self, when: datetime | None, /) -> timedelta:
        return timedelta(seconds=self._fields[3])

    def tzname(self, when: datetime | None, /) -> str:
        return self._fields[1]

    def fromutc(self, when: datetime, /) -> datetime:
        return when + self._offset

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Zone) and self._fields == other._fields

    def __hash__(self) -> int:
        return hash(self._fields)

    def __repr__(self) -> str:
        return f"Zone{self._fields}"

    __copy__ = __deepcopy__ = itself

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it as a fixed offset with a name, which loads without this package."""
        return timezone, (self._offset, self._fields[1])


UTC: Fields = ("Etc/UTC", "UTC", 0, 0)

# A cache of zones: most values share a few, and making a zone takes as long as the rest of a value.
_zones: dict[Fields, Zone] = {}
_MOST_ZONES = 256


def _zone(fields: Fields) -> Zone:
    zone = _zones.get(fields)
    if zone is None:
        zone = Zone(*fields)
        if len(_zones) < _MOST_ZONES:
            _zones[fields] = zone
    return zone


class _Precise:
    """The common part of the classes with a time."""

    __slots__ = ()

    @property
    def precision(self) -> int:
        """The number of significant digits of the microsecond, 0 to 6. Values made in Python have 6, or 0 without microseconds."""
        return self._precision  # type: ignore[attr-defined, no-any-return]

    def replace(self, *args: Any, **changes: Any) -> Any:
        """Like ``replace`` of the base class. Keeps the precision if the microsecond stays the same."""
        # Up to Python 3.12 the base class builds the new value without calling this class.
        bare = super().replace(*args, **changes)  # type: ignore[misc]
        precision = self.precision if bare.microsecond == self.microsecond else None  # type: ignore[attr-defined]
        return type(self)(*_clock(bare), bare.tzinfo, precision, bare.fold)  # type: ignore[call-arg]

    __replace__ = replace

    __copy__ = __deepcopy__ = itself

    def __reduce_ex__(self, protocol: Any, /) -> Any:
        """Pickle it as its standard library value, which loads without this package."""
        if type(self).__module__ != "portpool":  # A subclass of somebody else's.
            return type(self), (*_clock(self), self.tzinfo, self.precision, self.fold)  # type: ignore[attr-defined]
        plain: Any = datetime if isinstance(self, datetime) else time
        value = plain(*_clock(self), self.tzinfo, fold=self.fold)  # type: ignore[attr-defined]
        return value.__reduce_ex__(protocol)


class Time(_Precise, time):
    """An Elixir ``Time``: a ``datetime.time`` that compares and hashes like one, with a ``precision``."""

    __slots__ = ("_precision",)
    __module__ = "portpool"

    _precision: int

    def __new__(
        cls,
        hour: int = 0,
        minute: int = 0,
        second: int = 0,
        microsecond: int = 0,
        tzinfo: tzinfo | None = None,
        precision: int | None = None,
        fold: int = 0,
    ) -> Time:
        self = time.__new__(cls, hour, minute, second, microsecond, tzinfo, fold=fold)
        self._precision = _precise(microsecond, precision)
        return self


class _DateTime(_Precise, datetime):
    """A value with a time zone is a DateTime, one without is a NaiveDateTime, whichever class creates it."""

    __slots__ = ("_precision",)

    def __new__(
        cls,
        year: int,
        month: int,
        day: int,
        hour: int = 0,
        minute: int = 0,
        second: int = 0,
        microsecond: int = 0,
        tzinfo: tzinfo | Fields | None = None,
        precision: int | None = None,
        fold: int = 0,
    ) -> Any:
        zone: Any = _zone(tzinfo) if tzinfo.__class__ is tuple else tzinfo  # type: ignore[arg-type]
        if zone is None:
            kind: Any = NaiveDateTime if cls is DateTime else cls
        else:
            kind = DateTime if cls is NaiveDateTime else cls
        self = datetime.__new__(kind, year, month, day, hour, minute, second, microsecond, zone, fold=fold)
        self._precision = _precise(microsecond, precision)
        return self


class NaiveDateTime(_DateTime):
    """An Elixir ``NaiveDateTime``: a naive ``datetime`` with a ``precision``."""

    __slots__ = ()
    __module__ = "portpool"


class DateTime(_DateTime):
    """An Elixir ``DateTime``: an aware ``datetime`` with a ``precision``.

    ``time_zone``, ``zone_abbr``, ``utc_offset`` and ``std_offset`` (in seconds) are the fields of the Elixir struct. If the
    zone is a Python one, they are what Elixir will receive. ``tzinfo`` is a ``Zone`` if the value came from Elixir.
    """

    __slots__ = ()
    __module__ = "portpool"

    @property
    def time_zone(self) -> str:
        """The name of the zone: ``"Europe/Paris"``."""
        return _zoned(self)[1][0]

    @property
    def zone_abbr(self) -> str:
        """Its abbreviation at this moment: ``"CEST"``."""
        return _zoned(self)[1][1]

    @property
    def utc_offset(self) -> int:
        """The offset of its standard time from UTC, in seconds."""
        return _zoned(self)[1][2]

    @property
    def std_offset(self) -> int:
        """The offset of its clocks from standard time, in seconds."""
        return _zoned(self)[1][3]


def _precise(microsecond: int, precision: int | None) -> int:
    if precision is None:
        return 6 if microsecond else 0
    if type(precision) is not int or not 0 <= precision <= 6:
        raise ValueError(f"precision must be in 0..6, not {precision!r}")
    return precision


def find_reducer(cls: type[Any]) -> Reducer:
    """Return the reducer of a date, time or datetime class."""
    _codec.admit(Date, Time, NaiveDateTime, DateTime)
    reducer = _reduce_datetime if issubclass(cls, datetime) else _reduce_date if issubclass(cls, date) else _reduce_time
    exact = (date, time, datetime, Date, Time, NaiveDateTime, DateTime)
    return reducer if cls in exact else _checked(reducer, cls)


def _checked(reducer: Reducer, cls: type[Any]) -> Reducer:
    """Wrap a reducer for foreign classes, which may hold more than their base class, like those of pandas."""

    def reduce(value: Any) -> Reduced:
        if value != value or getattr(value, "nanosecond", 0):
            raise Unencodable(f"a value of type {type_name(cls)} cannot be represented as an Elixir date or time")
        return reducer(value)

    return reduce


def _reduce_date(value: date) -> Reduced:
    return Date, (value.year, value.month, value.day)


def _reduce_time(value: time) -> Reduced:
    if value.tzinfo is not None:
        raise Unencodable("a time with a tzinfo cannot be represented as a term: use a datetime, or replace(tzinfo=None)")
    return Time, (*_clock(value), None, _precision_of(value))


def _reduce_datetime(value: datetime) -> Reduced:
    zone = value.tzinfo
    if zone is None or zone.utcoffset(value) is None:
        return NaiveDateTime, (*_clock(value), None, _precision_of(value))
    value, fields = _zoned(value)
    return DateTime, (*_clock(value), fields, _precision_of(value))


def _clock(value: Any) -> tuple[int, ...]:
    clock = (value.hour, value.minute, value.second, value.microsecond)
    return (value.year, value.month, value.day, *clock) if isinstance(value, date) else clock


def _precision_of(value: Any) -> int:
    if isinstance(value, _Precise):
        return value.precision
    return 6 if value.microsecond else 0


def _zoned(value: datetime) -> tuple[datetime, Fields]:
    """Return the same instant in a zone that Elixir can name, and the fields of that zone.

    A fixed offset has no name in Elixir, so such a value is converted to UTC.
    """
    zone = value.tzinfo
    if type(zone) is Zone:
        return value, zone._fields
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)  # of zoneinfo, of pytz
    if not isinstance(name, str):
        return _in_utc(value), UTC
    if name in ("UTC", "Etc/UTC"):
        return value, UTC
    offset, summer = _seconds(value.utcoffset()), _seconds(value.dst())
    return value, (name, value.tzname() or "", offset - summer, summer)


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is timezone.utc:
        return value
    moved = value.astimezone(timezone.utc)
    made: datetime = DateTime(*_clock(moved), timezone.utc, _precision_of(value))  # type: ignore[call-arg, arg-type]
    return made


def _seconds(offset: timedelta | None) -> int:
    if not offset:
        return 0
    if offset.microseconds:
        raise Unencodable("an offset with a fraction of a second cannot be represented as a term: call astimezone(datetime.timezone.utc)")
    return offset.days * 86_400 + offset.seconds
