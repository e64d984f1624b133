//! What a cache did for a request: the same word in log lines, metrics and `X-Cache`.

/// What a cache did for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheResult {
    /// It answered.
    Hit,
    /// The upstream was asked.
    Miss,
    /// It answered with what is no longer fresh.
    Stale,
    /// It was not asked.
    Bypass,
    /// It answered with what the upstream has confirmed.
    Revalidated,
}

impl CacheResult {
    /// Every result; the position of one is its number.
    pub const ALL: [CacheResult; 5] = [
        CacheResult::Hit,
        CacheResult::Miss,
        CacheResult::Stale,
        CacheResult::Bypass,
        CacheResult::Revalidated,
    ];

    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            CacheResult::Hit => "HIT",
            CacheResult::Miss => "MISS",
            CacheResult::Stale => "STALE",
            CacheResult::Bypass => "BYPASS",
            CacheResult::Revalidated => "REVALIDATED",
        }
    }
}
