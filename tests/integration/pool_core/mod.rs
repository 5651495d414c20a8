//! The pool's core against a small model: whatever happens in whatever order, its rules hold after each step.
//!
//! - `model`: what must be true; `bench`: the core and the model beside it; `history`: random histories
//! - `races`, `machine`, `rules`: histories of one kind

mod bench;
mod history;
mod machine;
mod model;
mod races;
mod rules;
