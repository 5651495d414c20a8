//! `Date`, `Time`, `NaiveDateTime` and `DateTime`, compared with the dates of a real Python. docs/types.md 1.7.

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::generate::Term;
use super::python::Python;
use super::{list_of, packet, pickle_of, term_of};

/// Year, month, day.
type Day = (i64, i64, i64);
/// Hour, minute, second, microsecond, precision.
type Clock = (i64, i64, i64, i64, i64);
/// Name, abbreviation, seconds of two offsets.
type Zone<'a> = (&'a str, &'a str, i64, i64);

/// One of the four structs, as a BEAM writes it, whether it is valid or not.
pub fn moment(day: Option<Day>, clock: Option<Clock>, zone: Option<Zone<'_>>) -> Term {
    let int = |number: i64| Term::Int(number.into());
    let name = match (day, clock, zone) {
        (_, None, _) => "Elixir.Date",
        (None, ..) => "Elixir.Time",
        (_, _, None) => "Elixir.NaiveDateTime",
        _ => "Elixir.DateTime",
    };
    let mut fields =
        vec![("__struct__", Term::Atom(name.into())), ("calendar", Term::Atom("Elixir.Calendar.ISO".into()))];
    if let Some((year, month, day)) = day {
        fields.extend([("year", int(year)), ("month", int(month)), ("day", int(day))]);
    }
    if let Some((hour, minute, second, micro, precision)) = clock {
        let micro = Term::Tuple(vec![int(micro), int(precision)]);
        fields.extend([("hour", int(hour)), ("minute", int(minute)), ("second", int(second)), ("microsecond", micro)]);
    }
    if let Some((time_zone, zone_abbr, utc, std)) = zone {
        fields.extend([("time_zone", Term::Text(time_zone.into())), ("zone_abbr", Term::Text(zone_abbr.into()))]);
        fields.extend([("utc_offset", int(utc)), ("std_offset", int(std))]);
    }
    fields.sort_by_key(|(name, _)| *name);
    Term::Map(fields.into_iter().map(|(name, value)| (Term::Atom(name.into()), value)).collect())
}

fn day() -> impl Strategy<Value = Day> {
    // Some are no dates, the edges of the years are frequent.
    (prop_oneof![-1..=2i64, 1890..2110i64, 9998..=10_000i64], 0..=13i64, 0..=32i64)
}

fn clock() -> impl Strategy<Value = Clock> {
    (-1..=24i64, 0..=60i64, 0..=60i64, prop_oneof![Just(0), -1..=1_000_000i64], 0..=7i64)
}

fn zone() -> impl Strategy<Value = Zone<'static>> {
    let offset = || prop_oneof![Just(0), Just(3600), -90_000..=90_000i64];
    ("[A-Z][a-z]{2}/\u{e9}?[a-z]{3}", offset(), offset())
        .prop_map(|(_, utc, std)| ("Europe/Z\u{fc}rich", "CE(S)T", utc, std))
}

fn any_moment() -> impl Strategy<Value = Term> {
    prop_oneof![
        day().prop_map(|day| moment(Some(day), None, None)),
        clock().prop_map(|clock| moment(None, Some(clock), None)),
        (day(), clock()).prop_map(|(day, clock)| moment(Some(day), Some(clock), None)),
        (day(), clock(), zone()).prop_map(|(day, clock, zone)| moment(Some(day), Some(clock), Some(zone))),
    ]
}

/// Runs `check` on some hundreds of values.
fn check<S: Strategy>(values: S, check: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config { cases: 500, failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(&values, check).unwrap_or_else(|failure| panic!("{failure}"));
}

/// The value of an expression over these arguments, in Python and back.
fn call(python: &mut Python, expression: &str, arguments: &Term) -> Result<Vec<u8>, String> {
    let pickle = super::call(expression, &list_of(&arguments.canonical()), None).map_err(|refusal| refusal.message)?;
    python.call(&pickle).map(|answer| term_of(&answer).expect("a result"))
}

#[test]
fn whatever_has_the_name_of_a_date_comes_back_in_the_same_bytes() {
    let python = RefCell::new(Python::start());
    check(any_moment(), |term| {
        prop_assert_eq!(call(&mut python.borrow_mut(), "args[0]", &term), Ok(term.canonical()));
        Ok(())
    });
}

#[test]
fn what_python_can_hold_is_a_date_and_what_it_cannot_a_dict() {
    let python = RefCell::new(Python::start());
    let is_dict = "isinstance(args[0], dict)";
    check((day(), clock(), zone()), |(day, clock, zone)| {
        let term = moment(Some(day), Some(clock), Some(zone));
        let told = call(&mut python.borrow_mut(), is_dict, &term).expect("a bool");
        let make = format!("DateTime(*{day:?}, *{:?}, {:?}, {})", (clock.0, clock.1, clock.2, clock.3), zone, clock.4);
        let can_be_made = python.borrow_mut().eval(&make).is_ok();
        prop_assert_eq!(told == b"\x77\x05false", can_be_made, "{}", make);
        Ok(())
    });
}

#[test]
fn dates_are_equal_to_those_of_the_standard_library_and_hash_like_them() {
    let mut python = Python::start();
    let zone = "d.timezone(d.timedelta(seconds=7200))";
    let (day, clock) = (Some((2024, 2, 29)), Some((23, 59, 58, 120_000, 2)));
    for (term, same) in [
        (moment(day, None, None), "d.date(2024, 2, 29)".to_owned()),
        (moment(None, clock, None), "d.time(23, 59, 58, 120000)".to_owned()),
        (moment(day, clock, None), "d.datetime(2024, 2, 29, 23, 59, 58, 120000)".to_owned()),
        (
            moment(day, clock, Some(("Europe/Paris", "CEST", 3600, 3600))),
            format!("d.datetime(2024, 2, 29, 23, 59, 58, 120000, {zone})"),
        ),
    ] {
        let test = format!(
            "(d := __import__('datetime'), (x := args[0]) == (y := {same}) and hash(x) == hash(y) and x.isoformat() == y.isoformat())[1]"
        );
        assert_eq!(call(&mut python, &test, &term).expect("a bool"), b"\x77\x04true", "{same}");
    }
}

#[test]
fn dates_of_python_get_a_precision_of_six_or_none_and_a_zone_that_elixir_knows() {
    let mut python = Python::start();
    let noon = |micro: i64, precision: i64| Some((12, 0, 0, micro, precision));
    let day = Some((2024, 7, 1));
    let utc = Some(("Etc/UTC", "UTC", 0, 0));
    let paris = "__import__('zoneinfo').ZoneInfo('Europe/Paris')";
    for (arguments, expected) in [
        ("2024, 7, 1, 12".to_owned(), moment(day, noon(0, 0), None)),
        ("2024, 7, 1, 12, 0, 0, 500000".to_owned(), moment(day, noon(500_000, 6), None)),
        ("2024, 7, 1, 12, tzinfo=d.timezone.utc".to_owned(), moment(day, noon(0, 0), utc)),
        // Elixir has no name for a fixed offset.
        ("2024, 7, 1, 14, tzinfo=d.timezone(d.timedelta(hours=2))".to_owned(), moment(day, noon(0, 0), utc)),
        (
            format!("2024, 7, 1, 12, tzinfo={paris}"),
            moment(day, noon(0, 0), Some(("Europe/Paris", "CEST", 3600, 3600))),
        ),
        ("2024, 7, 1, 12, tzinfo=__import__('zoneinfo').ZoneInfo('UTC')".to_owned(), moment(day, noon(0, 0), utc)),
    ] {
        let pickle =
            python.eval(&format!("(d := __import__('datetime'), d.datetime({arguments}))[1]")).expect("a date");
        assert_eq!(term_of(&pickle).expect("a struct"), expected.canonical(), "{arguments}");
    }
    for (value, expected) in [
        ("date(2024, 7, 1)", moment(day, None, None)),
        ("time(12, 0, 0, 1)", moment(None, noon(1, 6), None)),
        ("time(12)", moment(None, noon(0, 0), None)),
    ] {
        let pickle = python.eval(&format!("__import__('datetime').{value}")).expect("a date");
        assert_eq!(term_of(&pickle).expect("a struct"), expected.canonical(), "{value}");
    }
}

#[test]
fn dates_without_a_form_are_refused_with_the_reason() {
    let mut python = Python::start();
    for (value, says) in [
        ("d.time(1, tzinfo=d.timezone.utc)", "element 1|datetime.time|a time with a tzinfo cannot be represented"),
        ("d.timedelta(1)", "element 1|datetime.timedelta|a value of type datetime.timedelta cannot be represented"),
        ("d.datetime(1, 1, 1, tzinfo=d.timezone(d.timedelta(hours=1)))", "date value out of range"),
        (
            "d.datetime(2024, 1, 1, tzinfo=type('T', (d.tzinfo,), {'key': 'A/B', 'utcoffset': lambda s, t, d=d: d.timedelta(microseconds=1)})())",
            "an offset with a fraction of a second",
        ),
        (
            "type('Stamp', (d.datetime,), {'nanosecond': 1})(2024, 1, 1)",
            "cannot be represented as an Elixir date or time",
        ),
    ] {
        let refusal = python.eval(&format!("(d := __import__('datetime'), [{value}])[1]")).expect_err(value);
        assert!(refusal.contains(says), "{value}: {refusal}");
    }
    // One that was changed by hand is found by the server.
    let pickle = python.eval("(x := Time(1), setattr(x, '_precision', 9), [x])[2]").expect("a pickle");
    let refusal = term_of(&pickle).expect_err("no time");
    assert_eq!((refusal.path.as_str(), refusal.type_name.as_deref()), ("element 1", Some("portpool.Time")));
}

#[test]
fn two_keys_collide_exactly_if_python_holds_them_for_equal() {
    let near = || (Just((2024, 2, 29)), (22..=23i64, Just(0), Just(0), 0..=1i64, Just(6)), -1..=1i64);
    let one = |(day, clock, hours): (Day, Clock, i64), kind: u8| match kind {
        0 => moment(Some(day), None, None),
        1 => moment(None, Some(clock), None),
        2 => moment(Some(day), Some(clock), None),
        _ => moment(Some(day), Some(clock), Some(("A/B", "C", hours * 3600, 0))),
    };
    let python = RefCell::new(Python::start());
    check(((near(), 0..6u8), (near(), 0..6u8)), |((left, kind), (right, other))| {
        let (left, right) = (one(left, kind), one(right, other));
        let pair = Term::Tuple(vec![left.clone(), right.clone()]);
        let equal =
            call(&mut python.borrow_mut(), "args[0][0] == args[0][1]", &pair).expect("a bool") == b"\x77\x04true";
        for wrap in [|key| key, |key| Term::Tuple(vec![key])] {
            let map = Term::Map(vec![(wrap(left.clone()), Term::Int(1)), (wrap(right.clone()), Term::Int(2))]);
            let verdict = pickle_of(&packet(&map.canonical()));
            prop_assert_eq!(verdict.is_err(), equal, "{:?}", map);
        }
        Ok(())
    });
}

#[test]
fn the_dates_of_the_first_and_last_day_keep_their_instants_apart() {
    let mut python = Python::start();
    let clock = Some((0, 0, 0, 0, 0));
    for (year, hours) in [(1, 23), (1, -23), (9999, 23), (9999, -23)] {
        let term = moment(Some((year, 1, 1)), clock, Some(("A/B", "C", hours * 3600, 0)));
        let map = Term::Map(vec![(term.clone(), Term::Int(1))]);
        assert_eq!(call(&mut python, "args[0]", &map), Ok(map.canonical()));
        assert_eq!(call(&mut python, "args[0] == args[0].replace()", &term).expect("a bool"), b"\x77\x04true");
    }
}

#[test]
fn json_has_dates_in_the_form_of_iso_8601() {
    let mut python = Python::start();
    let (day, clock) = (Some((987, 2, 9)), Some((3, 4, 5, 120_000, 2)));
    let zone = |utc: i64, std: i64| Some(("A/B", "C", utc, std));
    for (term, text) in [
        (moment(day, None, None), "0987-02-09"),
        (moment(None, clock, None), "03:04:05.12"),
        (moment(None, Some((3, 4, 5, 0, 0)), None), "03:04:05"),
        (moment(day, clock, None), "0987-02-09T03:04:05.12"),
        (moment(day, clock, Some(("Etc/UTC", "UTC", 0, 0))), "0987-02-09T03:04:05.12Z"),
        (moment(day, clock, zone(3600, 3600)), "0987-02-09T03:04:05.12+02:00"),
        (moment(day, clock, zone(-2670, 0)), "0987-02-09T03:04:05.12-00:44:30"),
    ] {
        let pickle = super::call("{args[0]: args[0]}", &list_of(&term.canonical()), None).expect("a call");
        let answer = python.call(&pickle).expect("a value");
        let json = portpool::codec::from_pickle::read(&answer).expect("a pickle").to_json().expect("JSON");
        assert_eq!(json, serde_json::json!({ text: text }));
    }
}
