//! What the edge knows about the Model Context Protocol and its event streams.
//!
//! Pure: bytes and times come in, decisions go out. Bodies are never parsed, only watched for the
//! places where a comment may go between two events.

mod boundary;
mod keep_alive;
mod media_type;

pub use boundary::SseBoundary;
pub use keep_alive::{BodyFacts, KEEP_ALIVE, KeepAlive};
pub use media_type::is_event_stream;
