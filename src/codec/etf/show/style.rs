//! How a term is shown.

/// The maximum line length, where the line can be broken.
pub(super) const WIDTH: usize = 100;
/// The maximum indentation, however deep a term is.
pub(super) const MAX_INDENT: usize = 40;

/// The syntax of a language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// `#{name => <<"a">>}`
    Erlang,
    /// `%{name: "a"}`
    Elixir,
}

/// How a term is shown.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// The syntax.
    pub syntax: Syntax,
    /// Shows long binaries, strings and integers in full instead of their beginning and size.
    pub full: bool,
}
