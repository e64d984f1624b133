//! How much each client may ask for: requests per address, and what becomes of those who go on.
//!
//! Pure: time comes in as nanoseconds, decisions go out. A refused request costs a few loads and
//! writes nothing, so that a flood of them is cheap. Memory is fixed at start; when more clients owe
//! time than there is room for, the one that owes least is forgotten (it may get its burst again)
//! rather than a newcomer refused.

mod buckets;
mod connections;
mod counts;
mod expelled;
mod key;
mod limiter;
mod marks;
mod offence;
mod offenders;
mod penalties;
mod spared;
mod table;

pub use buckets::{Buckets, rate};
pub use connections::Connections;
pub use counts::{Counts, Full, Held};
pub use expelled::Expelled;
pub use key::ClientKey;
pub use limiter::{Limiter, RetryAfter};
pub use offence::Offence;
pub use offenders::{Offenders, Sentence};
pub use penalties::Penalties;
pub use spared::Spared;
pub use table::CLIENTS;
