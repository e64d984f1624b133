//! The lines that go over the admin socket.
//!
//! ```text
//! {"ban":{"addr":"203.0.113.7","for_ms":600000,"reason":"scraper"}}   {"ok":{"addr":"203.0.113.7","for_ms":600000}}
//! {"unban":{"addr":"203.0.113.7"}}                                    {"ok":{"was_banned":true}}
//! "bans"                                                              {"ok":[{"addr":"203.0.113.7","remaining_ms":598000}]}
//! "status"                                                            {"ok":{"version":"0.1.0",...}}
//! "reload"                                                            {"ok":{"errors":[],"warnings":[]}}
//! anything else                                                       {"error":"..."}
//! ```

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest ban that can be asked for.
pub const BAN_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Drop every packet of an address to the guarded ports; answered with [`Banned`].
    Ban {
        /// The address; of an IPv6 address the configured prefix is banned.
        addr: IpAddr,
        /// For how many milliseconds, at least 1 and at most [`BAN_MAX`].
        for_ms: u64,
        /// For the log.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Lift a ban; answered with [`Unbanned`].
    Unban {
        /// The address.
        addr: IpAddr,
    },
    /// List the bans; answered with a list of [`Ban`].
    Bans,
    /// What runs; answered with [`Status`].
    Status,
    /// Read the configuration anew; answered with [`Reloaded`] once that is in force or refused.
    Reload,
}

/// What a client gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply<T> {
    /// It was done; what came of it.
    Ok(T),
    /// It was not done, and why.
    Error(String),
}

/// A ban that was entered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Banned {
    /// The address.
    pub addr: IpAddr,
    /// For how many milliseconds from now.
    pub for_ms: u64,
}

/// A ban that was lifted, or was not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unbanned {
    /// There was a ban to lift.
    pub was_banned: bool,
}

/// An active ban.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// The address, or the first one of an IPv6 prefix.
    pub addr: IpAddr,
    /// Milliseconds until it expires.
    pub remaining_ms: u64,
}

/// What came of a reload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Why everything stays as it was; none if the configuration is in force.
    pub errors: Vec<String>,
    /// What works but is hardly meant, or takes effect only with a restart.
    pub warnings: Vec<String>,
}

/// A running edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Seconds since it was started.
    pub uptime_secs: u64,
    /// Its worker threads.
    pub workers: usize,
    /// The interfaces the kernel program should protect; empty when it is switched off.
    pub shield: Vec<ShieldStatus>,
}

/// One interface and whether it is protected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShieldStatus {
    /// Its name.
    pub interface: String,
    /// `native`, `generic`, or `none` where nothing is attached.
    pub mode: String,
    /// The kernel program is attached.
    pub attached: bool,
}

impl Request {
    /// Reads one line, without its newline. The error is meant for the client.
    pub(super) fn parse(line: &[u8]) -> Result<Request, String> {
        let request =
            serde_json::from_slice(line).map_err(|error| format!("bad request: {error}"))?;
        match request {
            Request::Ban { for_ms, .. }
                if for_ms == 0 || Duration::from_millis(for_ms) > BAN_MAX =>
            {
                let max = BAN_MAX.as_millis();
                Err(format!(
                    "bad request: for_ms is {for_ms}, not between 1 and {max}"
                ))
            }
            request => Ok(request),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json(value: &impl Serialize) -> String {
        serde_json::to_string(value).expect("it serializes")
    }

    #[test]
    fn requests_read_as_documented() {
        let addr: IpAddr = "203.0.113.7".parse().expect("an address");
        let reason = Some("scraper".to_owned());
        for (line, expected) in [
            (
                r#"{"ban":{"addr":"203.0.113.7","for_ms":600000,"reason":"scraper"}}"#,
                Request::Ban {
                    addr,
                    for_ms: 600_000,
                    reason,
                },
            ),
            (
                r#"{"ban":{"addr":"203.0.113.7","for_ms":1}}"#,
                Request::Ban {
                    addr,
                    for_ms: 1,
                    reason: None,
                },
            ),
            (
                r#"{"unban":{"addr":"203.0.113.7"}}"#,
                Request::Unban { addr },
            ),
            (r#""bans""#, Request::Bans),
            (r#""status""#, Request::Status),
        ] {
            assert_eq!(Request::parse(line.as_bytes()).as_ref(), Ok(&expected));
            assert_eq!(json(&expected), line);
        }
    }

    #[test]
    fn bad_requests_say_what_is_wrong() {
        for (line, complaint) in [
            ("", "EOF"),
            ("{", "EOF"),
            (r#""restart""#, "unknown variant `restart`"),
            (
                r#"{"ban":{"addr":"203.0.113.7"}}"#,
                "missing field `for_ms`",
            ),
            (
                r#"{"ban":{"addr":"203.0.113.7/8","for_ms":1}}"#,
                "invalid IP address",
            ),
            (r#"{"ban":{"addr":"::1","for_ms":0}}"#, "for_ms is 0"),
            (r#"{"ban":{"addr":"::1","for_ms":-1}}"#, "expected u64"),
            (
                r#"{"ban":{"addr":"::1","for_ms":31536000001}}"#,
                "not between 1 and 31536000000",
            ),
            (
                r#"{"unban":{"addr":"::1","force":true}}"#,
                "unknown field `force`",
            ),
            ("\"bans\" \"bans\"", "trailing characters"),
        ] {
            let error = Request::parse(line.as_bytes()).expect_err(line);
            assert!(error.contains(complaint), "{line}: {error}");
        }
    }

    #[test]
    fn replies_read_as_documented() {
        assert_eq!(
            json(&Reply::Ok(Unbanned { was_banned: true })),
            r#"{"ok":{"was_banned":true}}"#
        );
        assert_eq!(json(&Reply::<()>::Error("no".into())), r#"{"error":"no"}"#);
    }

    proptest! {
        #[test]
        fn no_line_panics(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Request::parse(&line);
        }
    }
}
