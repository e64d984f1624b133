//! `edge maintenance`.

use clap::{Args, ValueEnum};

use super::failure::Failure;
use super::output;
use super::socket::Socket;
use crate::observe::admin::{Request, Switch, Switched};

/// Answer 503 to everybody but the exempt, for a host or for all, until it is switched back
///
/// `on` and `off` hold over what the configuration and its file say, also after a reload, until
/// `auto` or the end of the process. Without a word it says what is switched. Who is exempt and when
/// clients are told to come back is said in [maintenance] or a host's `maintenance`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  edge maintenance on
  edge maintenance off --host mcp.example.com
  edge maintenance auto
  edge maintenance")]
pub(super) struct Maintenance {
    /// What to do; without it, what is switched is shown
    #[arg(value_enum)]
    to: Option<To>,
    /// One host only, by a name as the configuration has it
    #[arg(long, value_name = "NAME", requires = "to")]
    host: Option<String>,
    #[command(flatten)]
    socket: Socket,
}

/// What a host can be switched to.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum To {
    /// Answer 503
    On,
    /// Serve
    Off,
    /// As the configuration says
    Auto,
}

impl Maintenance {
    pub(super) fn run(self) -> Result<(), Failure> {
        let switch = self.to.map(|to| Switch {
            host: self.host.clone(),
            on: match to {
                To::On => Some(true),
                To::Off => Some(false),
                To::Auto => None,
            },
        });
        let switched: Switched = self.socket.call(&Request::Maintenance(switch))?;
        output::result(&shown(&switched));
        Ok(())
    }
}

/// A line for all hosts, then one for each that has a switch of its own.
fn shown(switched: &Switched) -> String {
    let word = |on: Option<bool>| match on {
        Some(true) => "on",
        Some(false) => "off",
        None => "as configured",
    };
    let mut lines = vec![format!("maintenance is {}", word(switched.all))];
    let hosts = switched.hosts.iter();
    lines.extend(hosts.map(|(name, on)| format!("{name}: {}", word(Some(*on)))));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_switched_is_shown() {
        let switched = Switched {
            all: None,
            hosts: vec![("a.example".to_owned(), true), ("*".to_owned(), false)],
        };
        let expected = "maintenance is as configured\na.example: on\n*: off";
        assert_eq!(shown(&switched), expected);
    }
}
