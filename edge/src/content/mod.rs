//! Representations of a resource (RFC 9110 §8, §12 to §14): media types, validators, ranges and
//! content codings, freshness. Pure: no I/O, no clock.

mod cache_control;
mod coding;
mod compressible;
mod media_type;
mod precondition;
mod range;

pub use cache_control::{CacheControl, age};
pub use coding::{Accepted, Coding};
pub use compressible::is_compressible;
pub use media_type::{extension, media_type, type_of_extension};
pub use precondition::{Validators, Verdict};
pub use range::{Ranges, Span};
