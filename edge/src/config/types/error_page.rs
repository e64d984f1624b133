//! Pages that stand for statuses.

use std::sync::Arc;

use http::StatusCode;

/// A page of a host for answers of the edge's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorPage {
    /// The lowest status it is for.
    pub first: u16,
    /// The highest.
    pub last: u16,
    /// Its content.
    pub content: Arc<[u8]>,
    /// Its media type.
    pub content_type: &'static str,
}

impl ErrorPage {
    /// Whether it is for a status.
    pub fn is_for(&self, status: StatusCode) -> bool {
        (self.first..=self.last).contains(&status.as_u16())
    }
}
