//! HTTP messages: fields, heads, targets, and their HTTP/1.1 wire form. Pure: no I/O, no clock.
//!
//! The fronts parse requests with it and the upstream side parses responses with it, so both judge
//! a message by the same rules.

mod authority;
mod fields;
pub mod h1;
mod head;
mod name;
mod target;
mod websocket;

pub use authority::Authority;
pub use fields::Fields;
pub use head::{BodyLength, Frame, RequestHead, ResponseHead, Version};
pub use name::Name;
pub use target::{Target, TargetError};
pub use websocket::{
    Upgrade, WEBSOCKET_VERSION, is_valid_opening, websocket_accept, websocket_key,
};
