//! The maps in `hello` and `call`: docs/protocol.md 7.

use std::path::PathBuf;
use std::time::Duration;

use eetf::Term;

use super::intake::Rules;
use super::request::LIST_TAGS;
use crate::call::{Failure, Mfa, StartCall};
use crate::codec::{self, Binaries, CodecError, NoneIs, control, etf};
use crate::config::{Config, Wait};

/// The version of the protocol.
const PROTOCOL: u64 = 1;
/// The largest number of workers.
const MAX_WORKERS: u64 = 1024;

/// What `hello` brings.
#[derive(Debug)]
pub struct Hello(pub Config);

/// What the options of a call bring.
#[derive(Debug)]
pub(super) struct CallOptions<'a> {
    /// The session's rules as this call wants them.
    pub(super) rules: Rules,
    /// The bytes of the map.
    pub(super) kwargs: Option<&'a [u8]>,
}

/// Reads the first packet: `{hello, 1, Options}`. docs/protocol.md 2.
pub fn read_hello(packet: &[u8], max_frame: usize) -> Result<Hello, Failure> {
    let term = etf::open(packet, max_frame).map_err(|error| not_hello(&error))?;
    let mut cursor = etf::Cursor::new(&term);
    let is_hello = cursor.tuple().is_ok_and(|arity| arity == 3) && cursor.atom().is_ok_and(|name| name == "hello");
    if !is_hello {
        return Err(Failure::bad_request("the first packet must be {hello, 1, Options}"));
    }
    let version = cursor.u64().map_err(|error| not_hello(&error))?;
    if version != PROTOCOL {
        let message = format!("this server speaks version {PROTOCOL} of the protocol, not version {version}");
        return Err(Failure::bad_request(message).with("protocol", PROTOCOL));
    }
    let options = cursor.term().map_err(|error| not_hello(&error))?;
    cursor.end().map_err(|error| not_hello(&error))?;
    let mut config = Config::default();
    let (calls, others): (Vec<_>, Vec<_>) = pairs(options)?.into_iter().partition(|(key, _)| is_start_call(key));
    for (key, span) in others {
        let value = control::decode(span).map_err(|error| wrong(&key, &error.to_string()))?;
        set(&mut config, &key, &value)?;
    }
    // Their arguments are data, and what data become depends on the other options.
    for (key, span) in calls {
        let call = Some(read_start_call(&key, span, config.values)?);
        if key == "init" { config.init = call } else { config.warmup = call }
    }
    Ok(Hello(config))
}

fn is_start_call(key: &str) -> bool {
    matches!(key, "init" | "warmup")
}

/// `{Module, Function, Args}`
fn read_start_call(key: &str, span: &[u8], values: codec::Options) -> Result<StartCall, Failure> {
    let malformed = |error: CodecError| wrong(key, &format!("must be {{Module, Function, Args}}: {error}"));
    let mut cursor = etf::Cursor::new(span);
    if cursor.tuple().map_err(malformed)? != 3 {
        return Err(wrong(key, "must be {Module, Function, Args}"));
    }
    let module = cursor.text().map_err(malformed)?;
    let function = cursor.text().map_err(malformed)?;
    if !cursor.peek_tag().is_some_and(|tag| LIST_TAGS.contains(&tag)) {
        return Err(wrong(key, "must be {Module, Function, Args}, and Args a list"));
    }
    let args = cursor.term().map_err(malformed)?;
    let encoded =
        codec::call(&module, &function, args, None, values).map_err(|error| wrong(key, &error.to_string()))?;
    if !encoded.buffers.is_empty() {
        return Err(wrong(key, "its arguments have a binary of 64 KiB or more; write it to a file and send the path"));
    }
    let mfa = Mfa { module: module.into(), function: function.into() };
    Ok(StartCall { mfa, pickle: encoded.pickle.into() })
}

fn not_hello(error: &CodecError) -> Failure {
    Failure::bad_request(format!("the first packet must be {{hello, 1, Options}}: {error}"))
}

/// The options of a pool, for "did you mean". The table is docs/protocol.md 7.2; a test compares the two.
const POOL_OPTIONS: [&str; 21] = [
    "size",
    "max_overflow",
    "overflow_ttl",
    "checkout_timeout",
    "timeout",
    "start_timeout",
    "wait",
    "max_queue",
    "max_queue_bytes",
    "max_frame",
    "binaries",
    "none",
    "python",
    "python_path",
    "env",
    "cd",
    "preload",
    "warmup",
    "init",
    "max_memory",
    "memory_limit",
];
const CALL_OPTIONS: [&str; 6] = ["timeout", "checkout_timeout", "kwargs", "binaries", "none", "max_frame"];
/// The least that `max_frame` may be: there must be room for an error.
const LEAST_FRAME: usize = 1024;
/// The most that it may be.
const MOST_FRAME: usize = 0x7FFF_FFFF;

fn set(config: &mut Config, key: &str, value: &Term) -> Result<(), Failure> {
    let option = Given { key, value };
    match key {
        "size" if option.is_atom("auto") => config.size = None,
        "size" => config.size = Some(option.number(1, MAX_WORKERS, "a number of workers, 1 to 1024, or auto")?),
        "max_overflow" => config.max_overflow = option.number(0, MAX_WORKERS, "a number of workers, 0 to 1024")?,
        "overflow_ttl" => config.overflow_ttl = option.duration()?,
        "checkout_timeout" => config.limits.checkout_timeout = option.limit()?,
        "timeout" => config.limits.timeout = option.limit()?,
        "start_timeout" => config.start_timeout = option.duration()?,
        "wait" => config.wait = option.wait()?,
        "max_queue" => config.max_queue = option.number(0, 1_000_000, "a number of calls, 0 to 1000000")?,
        "max_queue_bytes" => config.max_queue_bytes = option.number(0, u64::MAX, "a number of bytes")?,
        "max_frame" => config.max_frame = option.frame(MOST_FRAME)?,
        "binaries" => config.values.binaries = option.binaries()?,
        "none" => config.values.none = option.none()?,
        "python" => config.python = option.text("the path or name of an interpreter")?,
        "python_path" => config.python_path = option.paths()?,
        "env" => config.env = option.env()?,
        "cd" => config.cd = Some(option.text("a directory")?.into()),
        "preload" => config.preload = option.modules()?,
        "max_memory" => config.max_memory = option.bytes()?,
        "memory_limit" => config.memory_limit = option.bytes()?,
        _ => return Err(unknown(key, &POOL_OPTIONS)),
    }
    Ok(())
}

/// Reads the options of a call. `kwargs` are data, not options: they stay bytes.
pub(super) fn read_call_options(bytes: &[u8], pool: Rules) -> Result<CallOptions<'_>, Failure> {
    let (mut rules, mut kwargs) = (pool, None);
    let mut cursor = etf::Cursor::new(bytes);
    let count = cursor.map().map_err(|_| not_a_map())?;
    for _ in 0..count {
        let key = read_key(&mut cursor)?;
        let span = cursor.term().map_err(|error| wrong(&key, &error.to_string()))?;
        if key == "kwargs" {
            etf::Cursor::new(span).map().map_err(|_| wrong("kwargs", "must be a map"))?;
            kwargs = Some(span);
            continue;
        }
        let value = control::decode(span).map_err(|error| wrong(&key, &error.to_string()))?;
        let option = Given { key: &key, value: &value };
        match key.as_str() {
            "timeout" => rules.limits.timeout = option.limit()?,
            "checkout_timeout" => rules.limits.checkout_timeout = option.limit()?,
            "binaries" => rules.values.binaries = option.binaries()?,
            "none" => rules.values.none = option.none()?,
            "max_frame" => rules.max_frame = option.frame(pool.max_frame)?,
            _ => return Err(unknown(&key, &CALL_OPTIONS)),
        }
    }
    Ok(CallOptions { rules, kwargs })
}

/// The keys and the bytes of their values.
fn pairs(bytes: &[u8]) -> Result<Vec<(String, &[u8])>, Failure> {
    let mut cursor = etf::Cursor::new(bytes);
    let count = cursor.map().map_err(|_| not_a_map())?;
    let mut pairs = Vec::new();
    for _ in 0..count {
        let key = read_key(&mut cursor)?;
        let span = cursor.term().map_err(|error| wrong(&key, &error.to_string()))?;
        pairs.push((key, span));
    }
    Ok(pairs)
}

fn not_a_map() -> Failure {
    Failure::bad_request("options are a map")
}

fn read_key(cursor: &mut etf::Cursor<'_>) -> Result<String, Failure> {
    let key =
        cursor.atom().map_err(|error| Failure::bad_request(format!("the name of an option is an atom: {error}")))?;
    Ok(key.into_owned())
}

fn wrong(key: &str, problem: &str) -> Failure {
    Failure::bad_request(format!("option {key}: {problem}")).with("option", key)
}

fn unknown(key: &str, known: &[&str]) -> Failure {
    let near = known.iter().map(|name| (strsim::jaro_winkler(name, key), name)).max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = match near {
        Some((likeness, name)) if likeness > 0.8 => format!("did you mean {name}?"),
        _ => format!("there are {}", known.join(", ")),
    };
    Failure::bad_request(format!("unknown option {key}: {hint}")).with("option", key)
}

/// One option as it came.
struct Given<'a> {
    key: &'a str,
    value: &'a Term,
}

impl Given<'_> {
    fn must_be(&self, what: &str) -> Failure {
        wrong(self.key, &format!("must be {what}, not {}", self.value))
    }

    fn is_atom(&self, name: &str) -> bool {
        matches!(self.value, Term::Atom(atom) if atom.name == name)
    }

    fn integer(&self) -> Option<u64> {
        match self.value {
            Term::FixInteger(integer) => u64::try_from(integer.value).ok(),
            Term::BigInteger(integer) => u64::try_from(&integer.value).ok(),
            _ => None,
        }
    }

    fn number(&self, least: u64, most: u64, what: &str) -> Result<usize, Failure> {
        let number = self.integer().filter(|number| (least..=most).contains(number));
        number.and_then(|number| usize::try_from(number).ok()).ok_or_else(|| self.must_be(what))
    }

    fn duration(&self) -> Result<Duration, Failure> {
        self.integer().map(Duration::from_millis).ok_or_else(|| self.must_be("a number of milliseconds"))
    }

    fn limit(&self) -> Result<Option<Duration>, Failure> {
        if self.is_atom("infinity") {
            return Ok(None);
        }
        let limit = self.integer().map(Duration::from_millis);
        limit.map(Some).ok_or_else(|| self.must_be("a number of milliseconds or infinity"))
    }

    fn wait(&self) -> Result<Wait, Failure> {
        self.one_of([("none", Wait::None), ("first", Wait::First), ("all", Wait::All)], "none, first or all")
    }

    fn binaries(&self) -> Result<Binaries, Failure> {
        self.one_of([("str", Binaries::Str), ("bytes", Binaries::Bytes)], "str or bytes")
    }

    fn none(&self) -> Result<NoneIs, Failure> {
        self.one_of([("nil", NoneIs::Nil), ("undefined", NoneIs::Undefined)], "nil or undefined")
    }

    fn one_of<T, const N: usize>(&self, choices: [(&str, T); N], what: &str) -> Result<T, Failure> {
        let chosen = choices.into_iter().find(|(name, _)| self.is_atom(name));
        chosen.map(|(_, choice)| choice).ok_or_else(|| self.must_be(what))
    }

    fn frame(&self, most: usize) -> Result<usize, Failure> {
        self.number(LEAST_FRAME as u64, most as u64, &format!("a number of bytes, {LEAST_FRAME} to {most}"))
    }

    fn text(&self, what: &str) -> Result<String, Failure> {
        text(self.value).ok_or_else(|| self.must_be(&format!("{what}, as text")))
    }

    /// A number of bytes; `None` is infinity.
    fn bytes(&self) -> Result<Option<u64>, Failure> {
        if self.is_atom("infinity") {
            return Ok(None);
        }
        let bytes = self.integer().filter(|bytes| *bytes > 0);
        bytes.map(Some).ok_or_else(|| self.must_be("a number of bytes or infinity"))
    }

    fn modules(&self) -> Result<Vec<String>, Failure> {
        let module = |name: &Term| text(name).filter(|name| !name.is_empty());
        let modules = list(self.value).map(|list| list.iter().map(module).collect());
        modules.flatten().ok_or_else(|| self.must_be("a list of the names of modules, each as text"))
    }

    fn paths(&self) -> Result<Vec<PathBuf>, Failure> {
        // Absolute, because the workers may have another working directory, or change it.
        let absolute = |path: &Term| std::path::absolute(text(path)?).ok();
        let paths = list(self.value).map(|list| list.iter().map(absolute).collect());
        paths.flatten().ok_or_else(|| self.must_be("a list of directories, each as text"))
    }

    fn env(&self) -> Result<Vec<(String, Option<String>)>, Failure> {
        let pairs = match self.value {
            Term::Map(map) => map.map.iter().map(|(name, value)| variable(name, value)).collect(),
            other => list(other).and_then(|list| list.iter().map(variable_pair).collect::<Option<Vec<_>>>()),
        };
        pairs.ok_or_else(|| {
            self.must_be("a map or a list of pairs: the name of a variable and its text, or false to remove it")
        })
    }
}

fn variable_pair(pair: &Term) -> Option<(String, Option<String>)> {
    match pair {
        Term::Tuple(tuple) => match tuple.elements.as_slice() {
            [name, value] => variable(name, value),
            _ => None,
        },
        _ => None,
    }
}

/// The system's calls take no NUL and no `=` in a name.
fn variable(name: &Term, value: &Term) -> Option<(String, Option<String>)> {
    let name = text(name).filter(|name| !name.is_empty() && !name.contains(['=', '\0']))?;
    match value {
        Term::Atom(atom) if atom.name == "false" => Some((name, None)),
        value => Some((name, Some(text(value).filter(|value| !value.contains('\0'))?))),
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
