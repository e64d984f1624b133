//! The lines that go over the admin socket.
//!
//! ```text
//! {"ban":{"addr":"203.0.113.7","for_ms":600000,"reason":"scraper"}}   {"ok":{"addr":"203.0.113.7","for_ms":600000}}
//! {"unban":{"addr":"203.0.113.7"}}                                    {"ok":{"was_banned":true}}
//! "bans"                                                              {"ok":[{"addr":"203.0.113.7","prefix":32,"remaining_ms":598000,"origin":"admin","reason":"scraper","count":1}]}
//! {"list_add":{"list":"deny","cidrs":["198.51.100.0/24"]}}            {"ok":{"done":["198.51.100.0/24"],"left":[]}}
//! {"list":{"list":"deny"}}                                            {"ok":[{"cidr":"198.51.100.0/24","config":false,"operator":true}]}
//! "status"                                                            {"ok":{"version":"0.1.0",...}}
//! {"maintenance":{"host":"a.example","on":true}}                      {"ok":{"all":null,"hosts":[["a.example",true]]}}
//! "reload"                                                            {"ok":{"errors":[],"warnings":[]}}
//! anything else                                                       {"error":"..."}
//! ```

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use edge_common::{REASON_BYTES, Reason};
use serde::{Deserialize, Serialize};

use super::shield::{Care, ListName, NewBan};

/// The longest ban that can be asked for.
pub const BAN_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Bans taken in with one request.
pub const IMPORT_MAX: usize = 100;

/// Networks changed with one request.
pub const CIDRS_MAX: usize = 1000;

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
        /// Who asks, and whether to shut out what must stay reachable.
        #[serde(default, skip_serializing_if = "Care::is_default")]
        care: Care,
    },
    /// Enter bans of a list; answered with [`Imported`](super::Imported).
    Import {
        /// The bans.
        bans: Vec<NewBan>,
        /// As above.
        #[serde(default, skip_serializing_if = "Care::is_default")]
        care: Care,
    },
    /// Lift a ban; answered with [`Unbanned`].
    Unban {
        /// The address.
        addr: IpAddr,
    },
    /// List the bans; answered with a list of [`Ban`].
    Bans,
    /// Put networks on a list; answered with [`Changed`](super::Changed).
    ListAdd {
        /// Which.
        list: ListName,
        /// Addresses or networks.
        cidrs: Vec<String>,
        /// As above; for the deny list.
        #[serde(default, skip_serializing_if = "Care::is_default")]
        care: Care,
    },
    /// Take networks off a list; answered with [`Changed`](super::Changed).
    ListDel {
        /// Which.
        list: ListName,
        /// Addresses or networks.
        cidrs: Vec<String>,
    },
    /// What is on a list; answered with a list of [`Entry`](super::Entry).
    List {
        /// Which.
        list: ListName,
    },
    /// What the shield does now; answered with [`Top`](super::Top).
    Top,
    /// What runs; answered with [`Status`].
    Status,
    /// Switch maintenance by hand, or `null` for what is switched; answered with [`Switched`].
    Maintenance(Option<Switch>),
    /// Read the configuration anew; answered with [`Reloaded`] once that is in force or refused.
    Reload,
}

/// A switch of maintenance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// A name of the host; without it all of them are meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Whether it is worked on; `null` for what the configuration says.
    pub on: Option<bool>,
}

/// What is switched by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switched {
    /// For hosts without a switch of their own; `null` for what the configuration says.
    pub all: Option<bool>,
    /// Switches of hosts, by their names.
    pub hosts: Vec<(String, bool)>,
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
    /// The address, or the first one of the IPv6 prefix.
    pub addr: IpAddr,
    /// The length of the prefix.
    pub prefix: u8,
    /// For how many milliseconds from now.
    pub for_ms: u64,
    /// It was banned for longer than is asked, and stays so.
    pub was_longer: bool,
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
    /// The length of the banned prefix: 32 for IPv4.
    pub prefix: u8,
    /// Milliseconds until it expires.
    pub remaining_ms: u64,
    /// Who set it: `limit`, `handshake`, `protocol`, `auth`, `admin`, `import`.
    pub origin: String,
    /// What led to it, a short word; of a ban by hand what was given as its reason.
    pub reason: String,
    /// Which of the address's bans it is, from 1.
    pub count: u16,
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
    /// Where the shield is pinned, if it outlives edge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<PathBuf>,
    /// Bans in force.
    pub bans: usize,
    /// Networks on the allow list.
    pub allow: usize,
    /// Networks on the deny list.
    pub deny: usize,
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

/// A reason as it is kept and shown: cut to what there is room for, and without what would move the
/// cursor of a terminal.
pub fn one_line(reason: &str) -> String {
    let plain: String = reason
        .chars()
        .take(REASON_BYTES)
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect();
    Reason::new(&plain).text().to_owned()
}

impl Request {
    /// Reads one line, without its newline. The error is meant for the client.
    pub(super) fn parse(line: &[u8]) -> Result<Request, String> {
        let mut request =
            serde_json::from_slice(line).map_err(|error| format!("bad request: {error}"))?;
        match &mut request {
            Request::Ban { reason, .. } => *reason = reason.as_deref().map(one_line),
            Request::Import { bans, .. } => {
                for ban in bans {
                    ban.reason = ban.reason.as_deref().map(one_line);
                }
            }
            _ => {}
        }
        match request {
            Request::Ban { for_ms, .. }
                if for_ms == 0 || Duration::from_millis(for_ms) > BAN_MAX =>
            {
                let max = BAN_MAX.as_millis();
                Err(format!(
                    "bad request: for_ms is {for_ms}, not between 1 and {max}"
                ))
            }
            Request::Import { bans, .. } if bans.len() > IMPORT_MAX => {
                Err(format!("bad request: more than {IMPORT_MAX} bans at once"))
            }
            Request::ListAdd { cidrs, .. } | Request::ListDel { cidrs, .. }
                if cidrs.len() > CIDRS_MAX =>
            {
                Err(format!(
                    "bad request: more than {CIDRS_MAX} networks at once"
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
                    care: Care::default(),
                },
            ),
            (
                r#"{"ban":{"addr":"203.0.113.7","for_ms":1}}"#,
                Request::Ban {
                    addr,
                    for_ms: 1,
                    reason: None,
                    care: Care::default(),
                },
            ),
            (
                r#"{"unban":{"addr":"203.0.113.7"}}"#,
                Request::Unban { addr },
            ),
            (r#""bans""#, Request::Bans),
            (r#"{"maintenance":null}"#, Request::Maintenance(None)),
            (
                r#"{"maintenance":{"host":"a.example","on":true}}"#,
                Request::Maintenance(Some(Switch {
                    host: Some("a.example".into()),
                    on: Some(true),
                })),
            ),
            (r#""status""#, Request::Status),
            (
                r#"{"list_add":{"list":"deny","cidrs":["198.51.100.0/24"],"care":{"force":true,"ssh":"203.0.113.7"}}}"#,
                Request::ListAdd {
                    list: ListName::Deny,
                    cidrs: vec!["198.51.100.0/24".into()],
                    care: Care {
                        force: true,
                        ssh: Some(addr),
                    },
                },
            ),
            (
                r#"{"list":{"list":"allow"}}"#,
                Request::List {
                    list: ListName::Allow,
                },
            ),
        ] {
            assert_eq!(Request::parse(line.as_bytes()).as_ref(), Ok(&expected));
            assert_eq!(json(&expected), line);
        }
    }

    #[test]
    fn reasons_are_one_line_that_fits() {
        let request = |reason: &str| {
            let reason = serde_json::to_string(reason).expect("it serializes");
            let line = format!(
                r#"{{"import":{{"bans":[{{"addr":"::1","for_ms":1,"reason":{reason}}}]}}}}"#
            );
            let request = Request::parse(line.as_bytes()).expect("it reads");
            let Request::Import { bans, .. } = request else {
                panic!("{request:?}")
            };
            bans[0].reason.clone().expect("it has one")
        };
        assert_eq!(request("a\u{1b}[2J\0\nb"), "a [2J  b");
        assert_eq!(request(&"\u{e4}".repeat(9_999)), "\u{e4}".repeat(128));
        let ban = br#"{"ban":{"addr":"::1","for_ms":1,"reason":"\u009b"}}"#;
        let ban = Request::parse(ban).expect("it reads");
        assert!(matches!(ban, Request::Ban { reason: Some(reason), .. } if reason == " "));
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
