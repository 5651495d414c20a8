//! The pool's core against a small model: whatever happens in whatever order, its rules hold after each step.
//!
//! - `model`: what must be true, with the `pipe` of each worker; `bench`: the core and the model beside it; `history`: random histories
//! - `races`, `machine`, `rules`: histories of one kind

mod bench;
mod history;
mod machine;
mod model;
mod pipe;
mod races;
mod rules;
