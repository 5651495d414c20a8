//! One option as received, and the types of options: docs/protocol.md 7.1.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use eetf::Term;

use super::each::wrong;
use crate::allow_list::AllowList;
use crate::call::{Failure, OnCancel};
use crate::cgroup::Home;
use crate::codec::{Binaries, NoneIs};
use crate::config::{Environment, Logs, OnCrashLoop, OnStartFailure, RLIMITS, Signals, Strategy, Wait};

/// The minimum of `max_frame`: there must be room for an error.
const LEAST_FRAME: usize = 1024;
/// The maximum of `max_frame`.
pub(super) const MOST_FRAME: usize = 0x7FFF_FFFF;
/// The maximum of `retry`.
const MOST_RETRIES: u8 = 10;

/// One option as received.
pub(super) struct Given<'a> {
    pub(super) key: &'a str,
    pub(super) value: &'a Term,
}

impl Given<'_> {
    pub(super) fn must_be(&self, what: &str) -> Failure {
        wrong(self.key, &format!("must be {what}, not {}", self.value))
    }

    pub(super) fn is_atom(&self, name: &str) -> bool {
        matches!(self.value, Term::Atom(atom) if atom.name == name)
    }

    fn integer(&self) -> Option<u64> {
        integer(self.value)
    }

    /// The number of a request or a worker.
    pub(super) fn id(&self) -> Result<u64, Failure> {
        self.integer().ok_or_else(|| self.must_be("an integer from 0 to 2^64-1"))
    }

    pub(super) fn number(&self, least: u64, most: u64, what: &str) -> Result<usize, Failure> {
        let number = self.integer().filter(|number| (least..=most).contains(number));
        number.and_then(|number| usize::try_from(number).ok()).ok_or_else(|| self.must_be(what))
    }

    pub(super) fn duration(&self) -> Result<Duration, Failure> {
        self.integer().map(Duration::from_millis).ok_or_else(|| self.must_be("a number of milliseconds"))
    }

    pub(super) fn microseconds(&self, most: u64) -> Result<Duration, Failure> {
        let what = format!("a number of microseconds, 0 to {most}");
        Ok(Duration::from_micros(self.number(0, most, &what)? as u64))
    }

    pub(super) fn limit(&self) -> Result<Option<Duration>, Failure> {
        if self.is_atom("infinity") {
            return Ok(None);
        }
        let limit = self.integer().map(Duration::from_millis);
        limit.map(Some).ok_or_else(|| self.must_be("a number of milliseconds or infinity"))
    }

    /// A count, or `infinity`.
    pub(super) fn number_or_infinity(&self, least: u64, what: &str) -> Result<Option<u64>, Failure> {
        if self.is_atom("infinity") {
            return Ok(None);
        }
        // Beyond 2^53, other languages are no longer exact.
        self.number(least, 1 << 53, &format!("{what} or infinity")).map(|number| Some(number as u64))
    }

    /// Like `limit`, but not 0.
    pub(super) fn pause(&self) -> Result<Option<Duration>, Failure> {
        let pause = self.limit()?;
        if pause == Some(Duration::ZERO) {
            return Err(self.must_be("a number of milliseconds, 1 or more, or infinity"));
        }
        Ok(pause)
    }

    pub(super) fn boolean(&self) -> Result<bool, Failure> {
        self.one_of([("true", true), ("false", false)], "true or false")
    }

    pub(super) fn strategy(&self) -> Result<Strategy, Failure> {
        self.one_of([("lifo", Strategy::Lifo), ("fifo", Strategy::Fifo)], "lifo or fifo")
    }

    pub(super) fn on_cancel(&self) -> Result<OnCancel, Failure> {
        self.one_of([("kill", OnCancel::Kill), ("finish", OnCancel::Finish)], "kill or finish")
    }

    pub(super) fn on_start_failure(&self) -> Result<OnStartFailure, Failure> {
        self.one_of([("retry", OnStartFailure::Retry), ("fail", OnStartFailure::Fail)], "retry or fail")
    }

    pub(super) fn on_crash_loop(&self) -> Result<OnCrashLoop, Failure> {
        self.one_of([("retry", OnCrashLoop::Retry), ("exit", OnCrashLoop::Exit)], "retry or exit")
    }

    pub(super) fn retry(&self) -> Result<u8, Failure> {
        let number = self.number(0, u64::from(MOST_RETRIES), &format!("a number from 0 to {MOST_RETRIES}"))?;
        Ok(u8::try_from(number).unwrap_or(MOST_RETRIES))
    }

    pub(super) fn logs(&self) -> Result<Logs, Failure> {
        self.one_of([("stderr", Logs::Stderr), ("owner", Logs::Owner)], "stderr or owner")
    }

    pub(super) fn prefetch(&self) -> Result<bool, Failure> {
        self.one_of([("auto", true), ("off", false)], "auto or off")
    }

    pub(super) fn signals(&self) -> Result<Signals, Failure> {
        self.one_of([("ignore", Signals::Ignore), ("drain", Signals::Drain)], "ignore or drain")
    }

    pub(super) fn wait(&self) -> Result<Wait, Failure> {
        self.one_of([("none", Wait::None), ("first", Wait::First), ("all", Wait::All)], "none, first or all")
    }

    pub(super) fn binaries(&self) -> Result<Binaries, Failure> {
        self.one_of([("str", Binaries::Str), ("bytes", Binaries::Bytes)], "str or bytes")
    }

    pub(super) fn none(&self) -> Result<NoneIs, Failure> {
        self.one_of([("nil", NoneIs::Nil), ("undefined", NoneIs::Undefined)], "nil or undefined")
    }

    pub(super) fn one_of<T, const N: usize>(&self, choices: [(&str, T); N], what: &str) -> Result<T, Failure> {
        let chosen = choices.into_iter().find(|(name, _)| self.is_atom(name));
        chosen.map(|(_, choice)| choice).ok_or_else(|| self.must_be(what))
    }

    pub(super) fn frame(&self, most: usize) -> Result<usize, Failure> {
        self.number(LEAST_FRAME as u64, most as u64, &format!("a number of bytes, {LEAST_FRAME} to {most}"))
    }

    pub(super) fn modules(&self) -> Result<Vec<String>, Failure> {
        let module = |name: &Term| text(name).filter(|name| !name.is_empty());
        let modules = list(self.value).map(|list| list.iter().map(module).collect());
        modules.flatten().ok_or_else(|| self.must_be("a list of module names, each as text"))
    }

    pub(super) fn allow_list(&self) -> Result<AllowList, Failure> {
        let patterns: Option<Vec<String>> = list(self.value).and_then(|list| list.iter().map(text).collect());
        let allowed = patterns.and_then(|patterns| AllowList::of(patterns.iter().map(String::as_str)));
        allowed.ok_or_else(|| self.must_be("a list of patterns module:function, each as text"))
    }

    /// A path: text, or other bytes.
    pub(super) fn path(&self, what: &str) -> Result<PathBuf, Failure> {
        path(self.value).ok_or_else(|| self.must_be(&format!("{what}, as text or as the bytes of a path")))
    }

    /// A path, absolute from now on: workers may have another working directory, or change it.
    pub(super) fn directory(&self, what: &str) -> Result<PathBuf, Failure> {
        std::path::absolute(self.path(what)?).map_err(|error| wrong(self.key, &error.to_string()))
    }

    pub(super) fn paths(&self) -> Result<Vec<PathBuf>, Failure> {
        // Absolute, because workers may have another working directory, or change it.
        let absolute = |path: &Term| std::path::absolute(self::path(path)?).ok();
        let paths = list(self.value).map(|list| list.iter().map(absolute).collect());
        paths.flatten().ok_or_else(|| self.must_be("a list of directories, each as text"))
    }

    pub(super) fn rlimits(&self) -> Result<Vec<(String, u64)>, Failure> {
        let limits = match self.value {
            Term::Map(map) => map.map.iter().map(|(name, most)| rlimit(name, most)).collect::<Option<_>>(),
            _ => None,
        };
        limits.ok_or_else(|| self.must_be(&format!("a map from {} to a number", RLIMITS.join(", "))))
    }

    pub(super) fn cgroup(&self) -> Result<Home, Failure> {
        let home = text(self.value).map(|text| Home::from(text.as_str()));
        let home = home.filter(|home| !matches!(home, Home::At(path) if !path.is_absolute()));
        home.ok_or_else(|| self.must_be("auto, none or the absolute path of a cgroup"))
    }

    pub(super) fn env(&self) -> Result<Environment, Failure> {
        let pairs = match self.value {
            Term::Map(map) => map.map.iter().map(|(name, value)| variable(name, value)).collect(),
            other => list(other).and_then(|list| list.iter().map(variable_pair).collect::<Option<Vec<_>>>()),
        };
        // What was given is not shown: it may hold secrets.
        pairs.ok_or_else(|| {
            let what = "must be a map or a list of pairs: the name of a variable and its value, or false to unset it";
            wrong(self.key, &format!("{what}. No name has a `=`, and nothing has a NUL byte"))
        })
    }
}

/// One process limit. Python's numbers for limits are signed.
fn rlimit(name: &Term, most: &Term) -> Option<(String, u64)> {
    let name = text(name).filter(|name| RLIMITS.contains(&name.as_str()))?;
    Some((name, integer(most).filter(|most| i64::try_from(*most).is_ok())?))
}

fn variable_pair(pair: &Term) -> Option<(String, Option<OsString>)> {
    match pair {
        Term::Tuple(tuple) => match tuple.elements.as_slice() {
            [name, value] => variable(name, value),
            _ => None,
        },
        _ => None,
    }
}

/// System calls accept no NUL, and no `=` in a name.
fn variable(name: &Term, value: &Term) -> Option<(String, Option<OsString>)> {
    let name = text(name).filter(|name| !name.is_empty() && !name.contains(['=', '\0']))?;
    match value {
        Term::Atom(atom) if atom.name == "false" => Some((name, None)),
        value => Some((name, Some(text(value).filter(|value| !value.contains('\0'))?.into()))),
    }
}

fn integer(term: &Term) -> Option<u64> {
    match term {
        Term::FixInteger(integer) => u64::try_from(integer.value).ok(),
        Term::BigInteger(integer) => u64::try_from(&integer.value).ok(),
        _ => None,
    }
}

/// A text, or a binary that is not UTF-8: the system's paths are bytes.
fn path(term: &Term) -> Option<PathBuf> {
    match term {
        Term::Binary(binary) => Some(OsString::from_vec(binary.bytes.clone()).into()),
        other => text(other).map(PathBuf::from),
    }
}

/// An atom, a UTF-8 binary or a charlist. An empty list is an empty text.
fn text(term: &Term) -> Option<String> {
    match term {
        Term::Atom(atom) => Some(atom.name.clone()),
        Term::Binary(binary) => String::from_utf8(binary.bytes.clone()).ok(),
        Term::ByteList(bytes) => Some(bytes.bytes.iter().copied().map(char::from).collect()),
        Term::List(list) => list.elements.iter().map(code_point).collect(),
        _ => None,
    }
}

fn code_point(term: &Term) -> Option<char> {
    match term {
        Term::FixInteger(integer) => u32::try_from(integer.value).ok().and_then(char::from_u32),
        _ => None,
    }
}

fn list(term: &Term) -> Option<&[Term]> {
    match term {
        Term::List(list) => Some(&list.elements),
        _ => None,
    }
}
