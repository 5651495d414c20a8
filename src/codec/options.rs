//! The two choices that a pool or a call has about values (docs/types.md 1.5 and 1.6).

/// How values are turned into each other where there is more than one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// What binaries become in Python. Default: `str`.
    pub binaries: Binaries,
    /// Which atom is `None`, in both directions. Default: `nil`.
    pub none: NoneIs,
}

/// What binaries become in Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Binaries {
    /// `str`; a binary that is not UTF-8 is refused.
    #[default]
    Str,
    /// `bytes`, map keys too.
    Bytes,
}

/// The atom that is `None`; the other one is an atom like any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NoneIs {
    /// `nil`, as Elixir has it.
    #[default]
    Nil,
    /// `undefined`, as Erlang has it.
    Undefined,
}

impl NoneIs {
    /// The text of the atom.
    pub(crate) fn atom(self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Undefined => "undefined",
        }
    }
}
