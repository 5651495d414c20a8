//! The promises of the whole program, one file per topic.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop at the first surprise"
)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what a test measured or saw before it failed")]
#![allow(missing_docs, unreachable_pub, reason = "nobody reads these from outside")]

mod ahead;
mod allow;
mod awake;
mod bench;
mod bounds;
mod buffers;
mod cgroup;
mod change;
mod chaos;
mod cli;
mod codec;
mod copies;
mod coroutines;
mod death;
mod docs;
mod fair;
mod faults;
mod half_imports;
mod harness;
mod idle_deaths;
mod installed;
mod interpreter;
mod lease;
mod limits;
mod logs;
mod lookup;
mod own_venv;
mod parallel;
mod pidfd;
mod pool;
mod pool_core;
mod port;
mod races;
mod readme;
mod signals;
mod start;
mod stdlib;
mod template;
mod template_end;
mod term;
mod tidy;
mod trackers;
mod types;
mod values;
mod venv;
mod warnings;
mod watch;
mod worker;
