//! `Date`, `Time`, `NaiveDateTime` and `DateTime`, from and to external terms, as far as Python can hold them.

use bytes::BufMut;

use super::etf::{Token, atom, tag, token};
use super::fields::{self, number};
use super::global::Global;
use super::integer::Integer;
use super::reader::Reader;

/// The only calendar that Python supports.
const ISO: &str = "Elixir.Calendar.ISO";
/// In bytes; real names have less than 40.
const LONGEST_NAME: usize = 255;
const SECONDS_PER_DAY: i64 = 86_400;

/// One of the four structs: a day is a `Date`, a clock a `Time`, both are a `NaiveDateTime`, and both with a zone a
/// `DateTime`.
///
/// Only values that are valid in Python exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment<'t> {
    pub(crate) day: Option<Day>,
    pub(crate) clock: Option<Clock>,
    pub(crate) zone: Option<Zone<'t>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Day {
    /// 1 to 9999.
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clock {
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    /// Up to 59: Python has no leap seconds.
    pub(crate) second: i64,
    pub(crate) microsecond: i64,
    /// The number of significant digits of the microsecond: 0 to 6.
    pub(crate) precision: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Zone<'t> {
    pub(crate) time_zone: &'t str,
    pub(crate) zone_abbr: &'t str,
    /// In seconds.
    pub(crate) utc_offset: i64,
    /// Daylight saving time, in seconds.
    pub(crate) std_offset: i64,
}

/// The fields of the four structs other than `__struct__` and `calendar`, in alphabetical order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Day,
    Hour,
    Microsecond,
    Minute,
    Month,
    Second,
    StdOffset,
    TimeZone,
    UtcOffset,
    Year,
    ZoneAbbr,
}

impl Field {
    const ALL: [(Self, &'static str); 11] = [
        (Self::Day, "day"),
        (Self::Hour, "hour"),
        (Self::Microsecond, "microsecond"),
        (Self::Minute, "minute"),
        (Self::Month, "month"),
        (Self::Second, "second"),
        (Self::StdOffset, "std_offset"),
        (Self::TimeZone, "time_zone"),
        (Self::UtcOffset, "utc_offset"),
        (Self::Year, "year"),
        (Self::ZoneAbbr, "zone_abbr"),
    ];

    fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(field, _)| field)
    }
}

/// The value of a field.
#[derive(Clone, Copy)]
enum Value<'t> {
    Number(i64),
    Text(&'t str),
    /// Microseconds and their precision.
    Micro(i64, i64),
}

/// Reads the rest of a map that is one of the four structs, with `reader` after the head of a map of `pairs` pairs.
/// Returns the value, and the reader after the map. Returns `None` for any other map, and for one of the four that
/// Python cannot hold.
pub(crate) fn read(pairs: u32, mut reader: Reader<'_>) -> Option<(Moment<'_>, Reader<'_>)> {
    let (mut name, mut iso, mut fields) = (None, false, Fields::default());
    for _ in 0..pairs {
        match fields::atom(&mut reader)? {
            "__struct__" => name = Some(fields::atom(&mut reader)?),
            "calendar" => iso = fields::atom(&mut reader)? == ISO,
            other => fields.set(Field::by_name(other)?, value(&mut reader)?),
        }
    }
    let (day, clock, zone) = (fields.day(), fields.clock(), fields.zone());
    // The map has as many pairs as the struct has fields, and every field is there, so it has no others.
    let moment = match (name?, pairs) {
        ("Elixir.Date", 5) => Moment { day: Some(day?), clock: None, zone: None },
        ("Elixir.Time", 6) => Moment { day: None, clock: Some(clock?), zone: None },
        ("Elixir.NaiveDateTime", 9) => Moment { day: Some(day?), clock: Some(clock?), zone: None },
        ("Elixir.DateTime", 13) => Moment { day: Some(day?), clock: Some(clock?), zone: Some(zone?) },
        _ => return None,
    };
    (iso && moment.is_valid()).then_some((moment, reader))
}

fn value<'t>(reader: &mut Reader<'t>) -> Option<Value<'t>> {
    match token::next(reader).ok()? {
        Token::Integer(Integer::Small(number)) => Some(Value::Number(number)),
        Token::Binary(bytes) => std::str::from_utf8(bytes).ok().map(Value::Text),
        Token::Tuple(2) => Some(Value::Micro(number(reader)?, number(reader)?)),
        _ => None,
    }
}

/// The fields of a map found so far.
#[derive(Default)]
struct Fields<'t>([Option<Value<'t>>; Field::ALL.len()]);

impl<'t> Fields<'t> {
    fn set(&mut self, field: Field, value: Value<'t>) {
        self.0.get_mut(field as usize).into_iter().for_each(|place| *place = Some(value));
    }

    fn get(&self, field: Field) -> Option<Value<'t>> {
        self.0.get(field as usize).copied().flatten()
    }

    fn number(&self, field: Field) -> Option<i64> {
        if let Some(Value::Number(number)) = self.get(field) { Some(number) } else { None }
    }

    fn text(&self, field: Field) -> Option<&'t str> {
        if let Some(Value::Text(text)) = self.get(field) { Some(text) } else { None }
    }

    fn day(&self) -> Option<Day> {
        let [year, month, day] = [Field::Year, Field::Month, Field::Day].map(|field| self.number(field));
        Some(Day { year: year?, month: month?, day: day? })
    }

    fn clock(&self) -> Option<Clock> {
        let [hour, minute, second] = [Field::Hour, Field::Minute, Field::Second].map(|field| self.number(field));
        let Some(Value::Micro(microsecond, precision)) = self.get(Field::Microsecond) else { return None };
        Some(Clock { hour: hour?, minute: minute?, second: second?, microsecond, precision })
    }

    fn zone(&self) -> Option<Zone<'t>> {
        Some(Zone {
            time_zone: self.text(Field::TimeZone)?,
            zone_abbr: self.text(Field::ZoneAbbr)?,
            utc_offset: self.number(Field::UtcOffset)?,
            std_offset: self.number(Field::StdOffset)?,
        })
    }
}

impl<'t> Moment<'t> {
    /// Returns whether Python can hold it.
    pub(crate) fn is_valid(&self) -> bool {
        self.day.is_none_or(Day::is_valid)
            && self.clock.is_none_or(Clock::is_valid)
            && self.zone.is_none_or(Zone::is_valid)
    }

    /// The Python class.
    pub(crate) fn global(&self) -> Global {
        match self {
            Self { clock: None, .. } => Global::Date,
            Self { day: None, .. } => Global::Time,
            Self { zone: None, .. } => Global::NaiveDateTime,
            _ => Global::DateTime,
        }
    }

    /// The name of the struct.
    fn name(&self) -> &'static str {
        match self {
            Self { clock: None, .. } => "Elixir.Date",
            Self { day: None, .. } => "Elixir.Time",
            Self { zone: None, .. } => "Elixir.NaiveDateTime",
            _ => "Elixir.DateTime",
        }
    }

    /// Its fields, in alphabetical order.
    fn fields(&self) -> impl Iterator<Item = (&'static str, Value<'t>)> {
        let Self { day, clock, zone } = *self;
        Field::ALL.into_iter().filter_map(move |(field, name)| {
            let value = match field {
                Field::Year => Value::Number(day?.year),
                Field::Month => Value::Number(day?.month),
                Field::Day => Value::Number(day?.day),
                Field::Hour => Value::Number(clock?.hour),
                Field::Minute => Value::Number(clock?.minute),
                Field::Second => Value::Number(clock?.second),
                Field::Microsecond => Value::Micro(clock?.microsecond, clock?.precision),
                Field::TimeZone => Value::Text(zone?.time_zone),
                Field::ZoneAbbr => Value::Text(zone?.zone_abbr),
                Field::UtcOffset => Value::Number(zone?.utc_offset),
                Field::StdOffset => Value::Number(zone?.std_offset),
            };
            Some((name, value))
        })
    }

    /// The number of bytes that [`Moment::write_term`] writes.
    pub(crate) fn term_size(&self) -> u64 {
        let atom = |name: &str| 2 + name.len() as u64;
        let head = 5 + atom("__struct__") + atom(self.name()) + atom("calendar") + atom(ISO);
        head + self.fields().map(|(name, value)| atom(name) + value.term_size()).sum::<u64>()
    }

    /// Writes the map, with its keys in alphabetical order.
    pub(crate) fn write_term(&self, out: &mut impl BufMut) {
        out.put_u8(tag::MAP_EXT);
        out.put_u32(2 + self.fields().count() as u32);
        for name in ["__struct__", self.name(), "calendar", ISO] {
            atom::write(name, out);
        }
        for (name, value) in self.fields() {
            atom::write(name, out);
            value.write_term(out);
        }
    }

    /// The ISO 8601 text.
    pub(crate) fn iso(&self) -> String {
        let day = self.day.map(|Day { year, month, day }| format!("{year:04}-{month:02}-{day:02}"));
        let clock = self.clock.map(|clock| clock.iso());
        let parts: Vec<String> = [day, clock].into_iter().flatten().collect();
        parts.join("T") + &self.zone.map_or_else(String::new, |zone| zone.iso())
    }

    /// The UTC microsecond since a fixed day; equal for values that are equal in Python. Without a zone, the clock's
    /// own time; without a day, the time of day.
    pub(crate) fn instant(&self) -> i64 {
        let days = self.day.map_or(0, Day::number);
        let offset = self.zone.map_or(0, Zone::offset);
        let seconds = self.clock.map_or(0, |clock| (clock.hour * 60 + clock.minute) * 60 + clock.second);
        let micro = self.clock.map_or(0, |clock| clock.microsecond);
        (days * SECONDS_PER_DAY + seconds - offset) * 1_000_000 + micro
    }
}

impl Day {
    fn is_valid(self) -> bool {
        (1..=9999).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=self.days_in_month()).contains(&self.day)
    }

    fn days_in_month(self) -> i64 {
        match self.month {
            2 if self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    /// The number of the day, which increases by one from day to day (Hinnant's days_from_civil).
    fn number(self) -> i64 {
        // In a year that begins in March, the leap day comes last.
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let day_of_year = (153 * ((self.month + 9) % 12) + 2) / 5 + self.day - 1;
        year * 365 + year / 4 - year / 100 + year / 400 + day_of_year
    }
}

impl Clock {
    fn is_valid(self) -> bool {
        (0..24).contains(&self.hour)
            && (0..60).contains(&self.minute)
            && (0..60).contains(&self.second)
            && (0..1_000_000).contains(&self.microsecond)
            && (0..=6).contains(&self.precision)
    }

    fn iso(self) -> String {
        let Self { hour, minute, second, .. } = self;
        let micro = format!(".{:06}", self.microsecond);
        // A point and the significant digits.
        let digits = if self.precision == 0 { 0 } else { 1 + self.precision as usize };
        format!("{hour:02}:{minute:02}:{second:02}{}", micro.get(..digits).unwrap_or_default())
    }
}

impl Zone<'_> {
    /// Python accepts offsets of less than a day, for the sum and for daylight saving time.
    fn is_valid(self) -> bool {
        let less_than_a_day = |offset: i64| -SECONDS_PER_DAY < offset && offset < SECONDS_PER_DAY;
        let is_short = |name: &str| name.len() <= LONGEST_NAME;
        is_short(self.time_zone)
            && is_short(self.zone_abbr)
            && less_than_a_day(self.std_offset)
            && less_than_a_day(self.offset())
    }

    /// The total offset from UTC, in seconds.
    fn offset(self) -> i64 {
        self.utc_offset.saturating_add(self.std_offset)
    }

    fn iso(self) -> String {
        let (sign, offset) = (if self.offset() < 0 { '-' } else { '+' }, self.offset().abs());
        match (self.offset(), offset / 3600, offset / 60 % 60, offset % 60) {
            (0, ..) if self.time_zone == "Etc/UTC" => "Z".to_owned(),
            (_, hours, minutes, 0) => format!("{sign}{hours:02}:{minutes:02}"),
            (_, hours, minutes, seconds) => format!("{sign}{hours:02}:{minutes:02}:{seconds:02}"),
        }
    }
}

impl Value<'_> {
    fn term_size(self) -> u64 {
        match self {
            Self::Number(number) => Integer::Small(number).term_size(),
            Self::Text(text) => 5 + text.len() as u64,
            Self::Micro(micro, precision) => {
                2 + Integer::Small(micro).term_size() + Integer::Small(precision).term_size()
            }
        }
    }

    fn write_term(self, out: &mut impl BufMut) {
        match self {
            Self::Number(number) => Integer::Small(number).write_term(out),
            Self::Text(text) => {
                out.put_u8(tag::BINARY_EXT);
                // A pickle is smaller than 2 GiB.
                out.put_u32(text.len() as u32);
                out.put_slice(text.as_bytes());
            }
            Self::Micro(micro, precision) => {
                out.put_slice(&[tag::SMALL_TUPLE_EXT, 2]);
                Integer::Small(micro).write_term(out);
                Integer::Small(precision).write_term(out);
            }
        }
    }
}
