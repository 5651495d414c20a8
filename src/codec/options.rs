//! The two options about values, of a pool or a call (docs/types.md 1.5 and 1.6).

/// How to convert values where there is a choice.
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

/// The atom that is `None`; the other one is an ordinary atom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NoneIs {
    /// `nil`, the convention of Elixir.
    #[default]
    Nil,
    /// `undefined`, the convention of Erlang.
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
