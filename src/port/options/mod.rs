//! The maps in requests: docs/protocol.md 7.
//!
//! - `pool`: those in `hello`; `call`: those of calls, checkouts, checkins and drains
//! - `given`: one option, and the types that options have

mod call;
mod given;
mod pool;

use eetf::Term;

pub(super) use call::{CallOptions, read_call, read_checkin, read_checkout, read_drain};
use given::Given;
pub(super) use pool::MAX_WORKERS;
pub use pool::{Hello, read_hello};

use crate::call::Failure;
use crate::codec::{control, etf};

/// Reads a map of options, one after the other; the bytes of those that `take` wants as they are, it gets so.
fn each<'a>(bytes: &'a [u8], mut take: impl FnMut(&str, Raw<'a>) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut cursor = etf::Cursor::new(bytes);
    let count = cursor.map().map_err(|_| Failure::bad_request("options are a map"))?;
    for _ in 0..count {
        let key = read_key(&mut cursor)?;
        let span = cursor.term().map_err(|error| wrong(&key, &error.to_string()))?;
        take(&key, Raw(span))?;
    }
    Ok(())
}

/// The value of an option, not decoded.
#[derive(Clone, Copy)]
struct Raw<'a>(&'a [u8]);

impl Raw<'_> {
    fn decode(self, key: &str) -> Result<Term, Failure> {
        control::decode(self.0).map_err(|error| wrong(key, &error.to_string()))
    }
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
