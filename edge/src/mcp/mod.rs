//! What the edge knows about the Model Context Protocol and its event streams.
//!
//! Pure: bytes and times come in, decisions go out. Bodies are never parsed, only watched: requests
//! for what they ask for, event streams for the places where a comment may go between two events. Only
//! lists that a route keeps are read whole.

mod boundary;
mod class;
mod endpoint;
mod era;
mod events;
mod header;
mod keep_alive;
mod list;
mod media_type;
mod origin;
mod rpc_error;
mod scan;
mod sealed;
mod session;
mod subject;
mod text;

pub use boundary::SseBoundary;
pub use class::{Class, HeadFacts, class_of};
pub use endpoint::{Endpoint, EndpointWatch, session_of};
pub use era::{BadVersion, Era};
pub use events::EventCount;
pub use header::{BadValue, VALUE_MAX, decode, decode_into};
pub use keep_alive::{BodyFacts, KEEP_ALIVE, KeepAlive};
pub use list::{ChangeWatch, ListAnswer, ListQuestion, Scope, is_list};
pub use media_type::{is_event_stream, is_plain_json};
pub use origin::origin_allowed;
pub use rpc_error::{Refusal, error_body};
pub use scan::{BodyScan, ID_MAX, METHOD_MAX, NAME_MAX, Scanned, needs_name};
pub use sealed::Sealer;
pub use session::{ServerTag, SessionKey, Sessions};
pub use subject::Subject;
pub use text::Text;
