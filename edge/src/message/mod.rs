//! HTTP messages: fields, heads, targets, and their wire forms. Pure: no I/O, no clock.
//!
//! The fronts parse requests with it and the upstream side parses responses with it, so both judge
//! a message by the same rules.

mod allowance;
mod authority;
mod coding;
mod fields;
pub mod h1;
pub mod h2;
pub mod h3;
mod head;
mod name;
mod proxy_header;
mod proxy_protocol;
mod section;
mod target;
mod trailer;
mod websocket;
mod websocket_frames;

pub use allowance::Allowance;
pub use authority::Authority;
pub use fields::Fields;
pub use head::{BodyLength, Frame, RequestHead, ResponseHead, SentAs, Version};
pub use name::Name;
pub use proxy_header::{ProxyVersion, write_proxy_header};
pub use proxy_protocol::{ProxyHeader, ProxyHeaderError, parse_proxy_header};
pub use section::{RequestSection, SectionError, trailer_line};
pub use target::{Target, TargetError};
pub use trailer::is_alike;
pub use websocket::{
    Upgrade, WEBSOCKET_VERSION, is_valid_opening, websocket_accept, websocket_key,
};
pub use websocket_frames::{FrameTracker, close_frame};
