//! Representations of a resource (RFC 9110 §8, §12 to §14): media types, validators, ranges and
//! content codings. Pure: no I/O, no clock.

mod coding;
mod media_type;
mod precondition;
mod range;

pub use coding::{Accepted, Coding};
pub use media_type::media_type;
pub use precondition::{Validators, Verdict};
pub use range::{Ranges, Span};
