//! The number of the maps' layout.

/// Maps that one version of `edge` leaves behind are taken over by another only if this is the same.
///
/// Raise it whenever a map changes its name, kind, size, key or value, or what they mean. In every
/// layout the map `BANS` has keys of [`SourceKey`](crate::SourceKey) and values that begin with the
/// time at which the ban ends: so bans are carried over from any layout to any other.
pub const LAYOUT: u32 = 4;
