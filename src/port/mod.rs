//! The port: `{packet, 4}` and external terms on descriptors 0 and 1. docs/protocol.md.
//!
//! - `stream`: the two descriptors
//! - `reader`: bytes -> packets; `request`: packets -> requests; `options`: the maps in them; `rules`: what they have in common; `intake`: requests -> dispatcher
//! - `reply`: replies -> packets; `writer`: packets -> bytes; `large`: what is left to helper threads

mod intake;
mod large;
mod options;
mod reader;
mod reply;
mod request;
mod rules;
mod stream;
mod writer;

pub use intake::read_requests;
pub use options::{Hello, read_hello};
pub use reader::{Packet, Reader};
pub use reply::{Ready, check_result, write_error, write_ready};
pub use rules::Rules;
pub use stream::{Input, Output, take_stdio};
pub use writer::Writer;
