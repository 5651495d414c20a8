//! The names that a pickle may contain, in either direction: a few of our own Python package and no others.
//!
//! They travel as codes of Python's extension registry (`copyreg`), filled by this file's twin, `portpool/_types.py`.
//! Loading a code takes 0.2 µs; looking up a module and a name takes 1.6 µs.

/// A member of the package `portpool` that a pickle may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Global {
    /// The class of atoms, called with their text.
    Atom,
    /// The class of opaque terms, called with their bytes.
    Opaque,
    /// The class of improper lists, called with the list of elements and the tail.
    ImproperList,
    /// The identity: the worker's reducers call it with a plain value that replaces one that is not.
    Plain,
    /// The class of `%Date{}`, called with year, month, day.
    Date,
    /// The class of `%Time{}`, called with hour, minute, second, microsecond, `None` and the precision.
    Time,
    /// The class of `%NaiveDateTime{}`, called with the arguments of the two above.
    NaiveDateTime,
    /// The class of `%DateTime{}`, called the same way, with a tuple of time zone, abbreviation and two offsets in
    /// place of `None`.
    DateTime,
    /// Makes an array from `%Portpool.Tensor{}`, called with the kind and bits of its type, shape and data.
    Tensor,
    /// Decodes a struct if it has a decoder, called with its dict.
    Struct,
    /// Makes a dict whose keys only Python can check, called with a tuple of alternating keys and values.
    Dict,
    /// Imports a module for its decoders, called with the names of module and function; only the server sends it.
    Import,
}

impl Global {
    pub(crate) const ALL: [Self; 12] = [
        Self::Atom,
        Self::Opaque,
        Self::ImproperList,
        Self::Plain,
        Self::Date,
        Self::Time,
        Self::NaiveDateTime,
        Self::DateTime,
        Self::Tensor,
        Self::Struct,
        Self::Dict,
        Self::Import,
    ];

    /// The code in the extension registry.
    pub(crate) fn code(self) -> u32 {
        // "pp" and a number, far from the codes that others register.
        0x7070_0000 + self as u32
    }

    /// The name in the package.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Atom => "Atom",
            Self::Opaque => "Opaque",
            Self::ImproperList => "ImproperList",
            Self::Plain => "_plain",
            Self::Date => "Date",
            Self::Time => "Time",
            Self::NaiveDateTime => "NaiveDateTime",
            Self::DateTime => "DateTime",
            Self::Tensor => "_tensor",
            Self::Struct => "_struct",
            Self::Dict => "_dict",
            Self::Import => "_import",
        }
    }

    /// The name of the type that calling it returns.
    pub(crate) fn type_name(self) -> &'static str {
        if self == Self::Tensor { "Tensor" } else { self.name() }
    }

    /// Finds the member with this code.
    pub(crate) fn by_code(code: u32) -> Option<Self> {
        Self::ALL.get(code.wrapping_sub(Self::Atom.code()) as usize).copied()
    }

    /// Finds the member with this module and name.
    pub(crate) fn by_name(module: &[u8], name: &[u8]) -> Option<Self> {
        let ours = module == b"portpool";
        Self::ALL.into_iter().find(|global| ours && global.name().as_bytes() == name)
    }
}
