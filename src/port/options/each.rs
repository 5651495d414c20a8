//! Reads the options in a map one by one, and reports an invalid one.

use eetf::Term;

use crate::call::Failure;
use crate::codec::{control, etf};

/// Reads a map of options one by one and passes each to `take`, undecoded.
pub(super) fn each<'a>(
    bytes: &'a [u8],
    mut take: impl FnMut(&str, Raw<'a>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut cursor = etf::Cursor::new(bytes);
    let count = cursor.map().map_err(|_| Failure::bad_request("options must be a map"))?;
    for _ in 0..count {
        let key = read_key(&mut cursor)?;
        let span = cursor.term().map_err(|error| wrong(&key, &error.to_string()))?;
        take(&key, Raw(span))?;
    }
    Ok(())
}

/// The value of an option, not decoded.
#[derive(Clone, Copy)]
pub(super) struct Raw<'a>(pub(super) &'a [u8]);

impl Raw<'_> {
    pub(super) fn decode(self, key: &str) -> Result<Term, Failure> {
        control::decode(self.0).map_err(|error| wrong(key, &error.to_string()))
    }
}

fn read_key(cursor: &mut etf::Cursor<'_>) -> Result<String, Failure> {
    let key = cursor
        .atom()
        .map_err(|error| Failure::bad_request(format!("the name of an option must be an atom: {error}")))?;
    Ok(key.into_owned())
}

pub(super) fn wrong(key: &str, problem: &str) -> Failure {
    Failure::bad_request(format!("option {key}: {problem}")).with("option", key)
}

pub(super) fn unknown(key: &str, known: &[&str]) -> Failure {
    let near = known.iter().map(|name| (strsim::jaro_winkler(name, key), name)).max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = match near {
        Some((likeness, name)) if likeness > 0.8 => format!("did you mean {name}?"),
        _ => format!("the options are {}", known.join(", ")),
    };
    Failure::bad_request(format!("unknown option {key}: {hint}")).with("option", key)
}
