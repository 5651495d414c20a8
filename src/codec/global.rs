//! What a pickle may name, in either direction: a few things of our own Python package and nothing else.
//!
//! They travel as codes of Python's extension registry (`copyreg`), which `portpool/_types.py`, the twin of this
//! file, fills: loading one takes 0.2 µs, where a look-up by module and name takes 1.6.

/// Something of the package `portpool` that a pickle may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Global {
    /// The class of atoms, called with their text.
    Atom,
    /// The class of terms that Python can only carry, called with their bytes.
    Opaque,
    /// The class of improper lists, called with the list of elements and the tail.
    ImproperList,
    /// The identity: what the worker's reducers call with a plain value in place of one that is not plain.
    Plain,
    /// The class of `%Date{}`, called with year, month, day.
    Date,
    /// The class of `%Time{}`, called with hour, minute, second, microsecond, `None` and the precision.
    Time,
    /// The class of `%NaiveDateTime{}`, called with what the two above are called with.
    NaiveDateTime,
    /// The class of `%DateTime{}`, called likewise, with a tuple of time zone, abbreviation and two offsets for `None`.
    DateTime,
    /// What makes an array of `%Portpool.Tensor{}`, called with kind and bits of its type, shape and data.
    Tensor,
    /// What may make something else of a struct, called with its dict.
    Struct,
    /// What makes a dict of keys that only Python can look through, called with a tuple of keys and values in turn.
    Dict,
    /// What imports a module, called with the names of module and function, so that its decoders are there; from the server only.
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

    /// The name of the type of what calling it makes.
    pub(crate) fn type_name(self) -> &'static str {
        if self == Self::Tensor { "Tensor" } else { self.name() }
    }

    /// Finds what a code names.
    pub(crate) fn by_code(code: u32) -> Option<Self> {
        Self::ALL.get(code.wrapping_sub(Self::Atom.code()) as usize).copied()
    }

    /// Finds what a module and a name in it name.
    pub(crate) fn by_name(module: &[u8], name: &[u8]) -> Option<Self> {
        let ours = module == b"portpool";
        Self::ALL.into_iter().find(|global| ours && global.name().as_bytes() == name)
    }
}
