//! Portpool: a pool of Python workers for Elixir and Erlang, run as a port. ARCHITECTURE.md maps the code.

pub mod allow_list;
pub mod allowance;
mod buffer;
mod busy_poll;
pub mod call;
pub mod cgroup;
pub mod cli;
pub mod codec;
pub mod config;
pub mod dispatcher;
pub mod outbox;
pub mod pool;
pub mod port;
pub mod relay;
pub mod server;
pub mod shutdown;
pub mod startup;
pub mod telemetry;
pub mod watch;
pub mod worker;
