//! Which generation of the protocol a request speaks.
//!
//! Two generations share one endpoint, so this is decided per request and never per route
//! (<https://modelcontextprotocol.io/specification/2026-07-28/basic/versioning>).

/// The first revision without handshake and sessions. Revisions are dates, so that text order is
/// the order in time.
const FIRST_MODERN: &[u8] = b"2026-07-28";

/// A generation of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Era {
    /// 2024-11-05 to 2025-11-25: a handshake, then sessions.
    #[default]
    Legacy,
    /// 2026-07-28 and everything newer: each request stands alone, and headers mirror the body.
    Modern,
}

/// `MCP-Protocol-Version` is not a date, or there are several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("MCP-Protocol-Version must be one date such as 2026-07-28")]
pub struct BadVersion;

impl Era {
    /// The generation that the values of `MCP-Protocol-Version` stand for; none at all is legacy.
    pub fn of<'a>(mut versions: impl Iterator<Item = &'a [u8]>) -> Result<Era, BadVersion> {
        let Some(version) = versions.next() else {
            return Ok(Era::Legacy);
        };
        if versions.next().is_some() || !is_date(version) {
            return Err(BadVersion);
        }
        Ok(match version >= FIRST_MODERN {
            true => Era::Modern,
            false => Era::Legacy,
        })
    }

    /// For logs and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Era::Legacy => "legacy",
            Era::Modern => "modern",
        }
    }
}

fn is_date(text: &[u8]) -> bool {
    text.len() == FIRST_MODERN.len()
        && text.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn era(versions: &[&str]) -> Result<Era, BadVersion> {
        Era::of(versions.iter().map(|version| version.as_bytes()))
    }

    #[test]
    fn dates_decide_and_newer_ones_are_modern() {
        assert_eq!(era(&[]), Ok(Era::Legacy));
        for old in ["2024-11-05", "2025-03-26", "2025-11-25", "2026-07-27"] {
            assert_eq!(era(&[old]), Ok(Era::Legacy), "{old}");
        }
        for new in ["2026-07-28", "2026-10-01", "2031-01-01"] {
            assert_eq!(era(&[new]), Ok(Era::Modern), "{new}");
        }
    }

    #[test]
    fn what_is_not_one_date_is_refused() {
        for bad in [
            "",
            "2026",
            "DRAFT-2026",
            "2026/07/28",
            "2026-07-28 ",
            "2026-07-2x",
        ] {
            assert_eq!(era(&[bad]), Err(BadVersion), "{bad:?}");
        }
        assert_eq!(era(&["2025-11-25", "2026-07-28"]), Err(BadVersion));
        assert_eq!(era(&["2025-11-25", "2025-11-25"]), Err(BadVersion));
    }
}
