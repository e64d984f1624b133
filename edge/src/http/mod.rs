//! The protocol fronts: from a connection to exchanges. They know no routes and no upstreams.

pub mod h1;
pub mod h2;
pub mod h3;

mod opening;
