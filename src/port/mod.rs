//! The port: `{packet, 4}` and external terms on descriptors 0 and 1. docs/protocol.md.
//!
//! - `stream`: the two descriptors
//! - `reader`: bytes -> packets; `request`: packets -> requests; `options`: the maps in them; `intake`: requests -> dispatcher
//! - `reply`: replies -> packets; `writer`: packets -> bytes

mod intake;
mod options;
mod reader;
mod reply;
mod request;
mod stream;
mod writer;

pub use intake::{Rules, take_in};
pub use options::{Hello, read_hello};
pub use reader::{Packet, Reader};
pub use reply::{Ready, write_error, write_ready};
pub use stream::{Input, Output, take_stdio};
pub use writer::Writer;

/// Packets and replies larger than this are worked on by a helper thread.
const LARGE: usize = 256 << 10;
