//! The HTTP/1.1 wire form (RFC 9112), strict: what two recipients could read differently is refused.

mod body;
mod encode;
mod framing;
mod lines;
mod options;
mod request;
mod response;

pub use body::{BodyDecoder, BodyError, Decoded};
pub use encode::{LAST_CHUNK, chunk_head, request_head, response_head, trailers};
pub use framing::FramingError;
pub(super) use framing::parse_length;
pub use lines::{HeadScan, LineError};
pub use request::{RequestError, check_partial, parse_request};
pub use response::{ParsedResponse, ResponseError, parse_response};
