//! Why a value from Python cannot be written as a term, or as JSON.

use thiserror::Error;

/// A value that cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Objection {
    #[error("NaN and infinity cannot be represented outside Python")]
    NotFinite,
    #[error("the str contains a lone surrogate, so it is not UTF-8")]
    Surrogate,
    #[error("key collision: two keys become the same term, {0}")]
    KeyCollision(String),
    #[error("the value contains itself")]
    Cycle,
    #[error("the value nests deeper than {0} levels")]
    Depth(usize),
    #[error("an atom has at most 255 characters")]
    AtomLength,
    #[error("the bytes of an Opaque must be exactly one pid, reference, port, fun or bitstring")]
    Opaque,
    #[error("the contents of this portpool.{0} are invalid: it was built or changed by hand")]
    Invalid(&'static str),
    #[error("{0} cannot be represented outside Python: it is a class, a function, or an object made by one")]
    Foreign(String),
    #[error("a JSON key must be text")]
    JsonKey,
    #[error("{0} cannot be represented in JSON")]
    JsonValue(&'static str),
}

impl Objection {
    /// The Python type of the value, if known.
    pub(crate) fn type_name(&self) -> Option<String> {
        match self {
            Self::NotFinite => Some("float".to_owned()),
            Self::Surrogate => Some("str".to_owned()),
            Self::AtomLength => Some("portpool.Atom".to_owned()),
            Self::Opaque => Some("portpool.Opaque".to_owned()),
            Self::Invalid(name) => Some(format!("portpool.{name}")),
            Self::Foreign(name) => Some(name.clone()),
            _ => None,
        }
    }
}
