//! Why a value from Python cannot be written as a term, or as JSON.

use thiserror::Error;

/// A value that cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Objection {
    #[error("NaN and infinity have no form outside Python")]
    NotFinite,
    #[error("the str contains a lone surrogate, so it is not UTF-8")]
    Surrogate,
    #[error("key collision: the key {0} is there twice once its type is gone")]
    KeyCollision(String),
    #[error("the value contains itself")]
    Cycle,
    #[error("the value nests deeper than {0} levels")]
    Depth(usize),
    #[error("an atom has at most 255 characters")]
    AtomLength,
    #[error("the bytes of an Opaque must be exactly one pid, reference, port, fun or bitstring")]
    Opaque,
    #[error("what this portpool.{0} holds has no form as a term: it was made or changed by hand")]
    Invalid(&'static str),
    #[error("{0} has no form outside Python: it is a class, a function, or an object that one of them makes")]
    Foreign(String),
    #[error("a key must be text to have a form in JSON")]
    JsonKey,
    #[error("{0} has no form in JSON")]
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
