//! Each fault of docs/faults.md that no other file is about: what the caller gets, and that nobody else is harmed.

mod results;
