//! Refusals: the compact form of the hot loops ([`Fault`]), and the form for everyone else ([`CodecError`]).

use thiserror::Error;

/// Why bytes or a value were refused, with the address of the offending value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}{message}", Address(path))]
pub struct CodecError {
    /// The kind of refusal, which decides who is to blame.
    pub kind: CodecErrorKind,
    /// Where the value is: `argument 2, key "stops", element 17`, counting from 1; empty for the whole input.
    pub path: String,
    /// What is wrong and, where possible, what to do about it; without the path.
    pub message: String,
    /// The Python type of the offending value, if known.
    pub type_name: Option<String>,
}

/// The kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodecErrorKind {
    /// The bytes are not a term, or not a pickle as our workers write it.
    Malformed,
    /// The value is valid, but the other side cannot represent it.
    Unencodable,
    /// The value is larger than allowed.
    TooLarge {
        /// Its size in bytes (18,446,744,073,709,551,615 means at least that).
        bytes: u64,
        /// The limit in bytes.
        limit: u64,
    },
}

impl CodecError {
    /// A refusal of the bytes themselves.
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self { kind: CodecErrorKind::Malformed, path: String::new(), message: message.into(), type_name: None }
    }

    /// A refusal of a value at `path`.
    pub(crate) fn unencodable(path: String, message: impl Into<String>) -> Self {
        Self { kind: CodecErrorKind::Unencodable, path, message: message.into(), type_name: None }
    }

    /// A refusal because of size.
    pub(crate) fn too_large(bytes: u64, limit: usize) -> Self {
        let limit = limit as u64;
        let message = format!("{bytes} bytes are more than the {limit} that are allowed");
        Self { kind: CodecErrorKind::TooLarge { bytes, limit }, path: String::new(), message, type_name: None }
    }
}

/// Displays a path before a message.
struct Address<'a>(&'a str);

impl std::fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            "" => Ok(()),
            path => write!(f, "{path}: "),
        }
    }
}

/// A refusal in the hot loops: no text and nothing to drop, so that it costs nothing in the good case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The offset of the offending byte or value.
    pub(crate) at: usize,
    /// What is wrong with it.
    pub(crate) what: What,
}

/// Everything that can be wrong with a term or a pickle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum What {
    #[error("the bytes end in the middle of a value")]
    Truncated,
    #[error("a length or count exceeds the bytes that are left")]
    Count,
    #[error("bytes follow the value")]
    Trailing,
    #[error("no term has the tag {0}")]
    Tag(u8),
    #[error("an atom is not UTF-8")]
    AtomText,
    #[error("an atom has more than 255 characters")]
    AtomLength,
    #[error("a float is not a finite number")]
    Float,
    #[error("a bitstring has a wrong number of bits in its last byte")]
    Bits,
    #[error("a pid, port, reference or fun is not well formed")]
    Identifier,
    #[error("a map has a duplicate key")]
    DuplicateKey,
    #[error("expected a proper list")]
    NotAList,
    #[error("expected a map")]
    NotAMap,
    #[error("a pid, reference, port, fun or bitstring is not allowed here")]
    ControlTerm,
    #[error("the term nests deeper than 64 levels")]
    ControlDepth,
    #[error("an argument's keyword must be an atom or a UTF-8 binary")]
    Keyword,
    #[error(
        "the binary is not UTF-8, so it cannot become a str: wrap it with Portpool.bytes/1 or set binaries: :bytes"
    )]
    BinaryText,
    #[error("key collision: in Python this key is equal to another key of the same map")]
    KeyCollision,
    #[error("a key that is or contains a list or a map cannot be hashed in Python")]
    UnhashableKey,
    #[error("a key that contains a struct must not have structs among its own keys")]
    StructInKey,
    #[error("map keys may nest at most 64 tuples deep")]
    DeepKey,
    #[error("opcode 0x{0:02x} is not one that a worker writes")]
    Opcode(u8),
    #[error("a pickle instruction finds the wrong thing on its stack")]
    Stack,
    #[error("nothing is stored in the memo at that index")]
    Memo,
    #[error("the pickle calls something that a worker may not name")]
    Callable,
}

impl What {
    /// Returns whether the value is valid but the other side cannot represent it.
    pub(crate) fn is_unencodable(self) -> bool {
        matches!(self, Self::BinaryText | Self::KeyCollision | Self::UnhashableKey | Self::StructInKey | Self::DeepKey)
    }
}

impl Fault {
    /// Makes a fault.
    pub(crate) fn new(at: usize, what: What) -> Self {
        Self { at, what }
    }

    /// Reports the byte offset, for bytes that are invalid in themselves.
    pub(crate) fn at_byte(self) -> CodecError {
        CodecError::malformed(format!("{} (at byte {})", self.what, self.at))
    }
}
