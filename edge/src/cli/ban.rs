//! `edge ban`.

use std::net::IpAddr;
use std::time::Duration;

use clap::Args;

use super::bans::network;
use super::care::CareOptions;
use super::failure::Failure;
use super::socket::Socket;
use super::table::remaining;
use super::{address, output};
use crate::config::{format_duration, parse_duration};
use crate::observe::admin::{BAN_MAX, Banned, Request};

/// Characters of a reason: it is one field of one log line.
const REASON_CHARS_MAX: usize = 200;

/// Drop every packet of an address to the ports edge listens on
///
/// The kernel drops them before they cost anything. Other ports, such as SSH's, are not touched.
/// The ban ends by itself and outlives edge. An address that is already banned gets the new time if that is
/// longer. This machine's own addresses, its default gateway, loopback and the address you are
/// logged in from over SSH are refused without --force.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  edge ban 203.0.113.7
  edge ban 2001:db8::7 --for 7d --reason scraper
  edge ban 203.0.113.7 --config edge.toml")]
pub(super) struct Ban {
    /// The address; of an IPv6 address the configured prefix (/64) is banned
    #[arg(value_name = "ADDR", value_parser = address::parse)]
    address: IpAddr,
    /// How long: 30s, 10m, 1h, 7d
    #[arg(long = "for", value_name = "TIME", default_value = "10m", value_parser = time)]
    time: Duration,
    /// Why, for the log
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
    #[command(flatten)]
    care: CareOptions,
    #[command(flatten)]
    socket: Socket,
}

impl Ban {
    pub(super) fn run(self) -> Result<(), Failure> {
        let banned: Banned = self.socket.call(&Request::Ban {
            addr: self.address,
            for_ms: u64::try_from(self.time.as_millis()).unwrap_or(u64::MAX),
            reason: self.reason,
            care: self.care.care(),
        })?;
        output::result(&said(&banned));
        Ok(())
    }
}

fn said(banned: &Banned) -> String {
    let network = network(banned.addr, banned.prefix);
    match banned.was_longer {
        true => format!(
            "{network} is banned for another {} already; `edge unban` lifts that",
            remaining(banned.for_ms)
        ),
        false => {
            let time = format_duration(Duration::from_millis(banned.for_ms));
            format!("banned {network} for {time}")
        }
    }
}

fn time(text: &str) -> Result<Duration, String> {
    let time = parse_duration(text).map_err(|invalid| invalid.to_string())?;
    match time.is_zero() || time > BAN_MAX {
        true => Err(format!("write 1ms to {}", format_duration(BAN_MAX))),
        false => Ok(time),
    }
}

fn reason(text: &str) -> Result<String, String> {
    match text.chars().count() <= REASON_CHARS_MAX && !text.contains(char::is_control) {
        true => Ok(text.to_owned()),
        false => Err(format!("one line of up to {REASON_CHARS_MAX} characters")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_banned_is_said_whole() {
        let banned = |addr: &str, prefix, for_ms, was_longer| {
            said(&Banned {
                addr: addr.parse().expect("an address"),
                prefix,
                for_ms,
                was_longer,
            })
        };
        insta::assert_snapshot!(
            [
                banned("203.0.113.7", 32, 3_600_000, false),
                banned("2001:db8:1::", 64, 600_000, false),
                banned("203.0.113.7", 32, 3_598_200, true),
            ]
            .join("\n"),
            @r"
        banned 203.0.113.7 for 1h
        banned 2001:db8:1::/64 for 10m
        203.0.113.7 is banned for another 59m 59s already; `edge unban` lifts that
        "
        );
    }
}
