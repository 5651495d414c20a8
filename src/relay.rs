//! Passes the server's own warnings to an owner that wants the log. docs/protocol.md 14

use std::fmt::{self, Write};
use std::sync::{Arc, OnceLock};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use crate::worker::{self, Log};

/// Passes warnings and errors to the log, once its destination is known. They also go to stderr.
#[derive(Clone, Debug, Default)]
pub struct Relay(Arc<OnceLock<Log>>);

impl Relay {
    /// Also sends warnings there from now on.
    pub fn connect(&self, log: Log) {
        // There is only one session.
        let _ = self.0.set(log);
    }
}

impl<S: Subscriber> Layer<S> for Relay {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let level = match *event.metadata().level() {
            Level::ERROR => worker::Level::Error,
            Level::WARN => worker::Level::Warning,
            _ => return,
        };
        if let Some(log) = self.0.get() {
            let mut words = Words::default();
            event.record(&mut words);
            log.warn(level, words.worker, words.message + &words.fields);
        }
    }
}

/// The content of an event: its message, the worker that it is about, and its other fields as on stderr.
#[derive(Default)]
struct Words {
    worker: Option<u64>,
    message: String,
    fields: String,
}

impl Visit for Words {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "worker" => self.worker = Some(value),
            _ => self.record_debug(field, &value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
