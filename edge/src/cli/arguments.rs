//! The command line: what there is, said so that `--help` is enough, and the way to each command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::{
    ban, bans, check, config, import, keeper, lists, maintenance, passwd, reload, routes, run,
    shield, status, top, unban,
};

/// One program in front of MCP servers: kernel shield, TLS, HTTP/1.1, HTTP/2 and HTTP/3, streaming proxy
#[derive(Debug, Parser)]
#[command(
    name = "edge",
    version,
    after_help = "\
Examples:
  edge check edge.toml              every error in a configuration at once
  edge config show edge.toml        the same with every default
  edge routes https://h/mcp         what a request would hit, and why
  edge import nginx nginx.conf      an nginx configuration as TOML
  edge run --config edge.toml       serve until SIGTERM
  edge reload                       take over a changed configuration
  edge maintenance on               answer 503 until it is switched back
  edge passwd users ann             set a password for basic_auth
  edge ban 203.0.113.7 --for 10m    drop an address in the kernel
  edge bans                         who is banned, why, and for how long
  edge deny add 198.51.100.0/24     drop a network in the kernel
  edge top                          what the shield does, live

Exit codes: 0 done, 1 the machine did not let it be done, 2 the configuration or the command line
is wrong."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Check(check::Check),
    Config(config::Config),
    Reload(reload::Reload),
    Maintenance(maintenance::Maintenance),
    Passwd(passwd::Passwd),
    Routes(routes::Routes),
    Import(import::Import),
    Ban(ban::Ban),
    Unban(unban::Unban),
    Bans(bans::Bans),
    Allow(lists::Allow),
    Deny(lists::Deny),
    Shield(shield::Shield),
    Status(status::Status),
    Top(top::Top),
    #[command(hide = true)]
    Keeper(keeper::Keeper),
}

/// Does what the command line of this process asks.
pub fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Config(command) => command.run(),
        Command::Reload(command) => command.run(),
        Command::Maintenance(command) => command.run(),
        Command::Passwd(command) => command.run(),
        Command::Routes(command) => command.run(),
        Command::Import(command) => command.run(),
        Command::Ban(command) => command.run(),
        Command::Unban(command) => command.run(),
        Command::Bans(command) => command.run(),
        Command::Allow(command) => command.run(),
        Command::Deny(command) => command.run(),
        Command::Shield(command) => command.run(),
        Command::Status(command) => command.run(),
        Command::Top(command) => command.run(),
        Command::Keeper(command) => command.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

#[cfg(test)]
mod tests {
    use super::Arguments;
    use clap::{CommandFactory, Parser};

    fn refusal(line: &str) -> String {
        let error = Arguments::try_parse_from(line.split_whitespace()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    }

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_is_accepted() {
        for line in [
            "edge run",
            "edge run --config edge.toml",
            "edge check",
            "edge check edge.toml",
            "edge check --config edge.toml",
            "edge config show edge.toml",
            "edge config show --config edge.toml",
            "edge config schema",
            "edge routes https://h/ --method POST --header X-A:1 --config edge.toml --json",
            "edge import nginx nginx.conf conf.d/mcp.conf",
            "edge ban 203.0.113.7",
            "edge ban 2001:db8::7 --for 7d --reason scraper --socket /tmp/admin.sock",
            "edge unban 203.0.113.7 --config edge.toml",
            "edge bans --json",
            "edge maintenance",
            "edge maintenance on --host a.example --socket /tmp/admin.sock",
            "edge maintenance auto",
            "edge passwd users ann",
            "edge passwd --delete users ann",
            "edge bans export --config edge.toml",
            "edge bans import bans.json --force",
            "edge allow list --json",
            "edge deny add 198.51.100.0/24 2001:db8::/32 --force",
            "edge deny del 198.51.100.0/24 --socket /tmp/admin.sock",
            "edge status --json",
            "edge top --json",
            "edge shield status --json",
            "edge shield detach --pin /sys/fs/bpf/edge --force",
        ] {
            let parsed = Arguments::try_parse_from(line.split_whitespace());
            assert!(parsed.is_ok(), "{line}: {parsed:?}");
        }
    }

    #[test]
    fn what_is_refused() {
        insta::assert_snapshot!(refusal("edge ban 203.0.113.7 --for 10"), @r#"
        error: invalid value '10' for '--for <TIME>': "10" has no unit; write "10s" for seconds, or use ms, m, h or d

        For more information, try '--help'.
        "#);
        insta::assert_snapshot!(refusal("edge ban 203.0.113.7 --for 0s"), @"
        error: invalid value '0s' for '--for <TIME>': write 1ms to 365d

        For more information, try '--help'.
        ");
        insta::assert_snapshot!(refusal("edge ban 203.0.113.7 --for 366d"), @"
        error: invalid value '366d' for '--for <TIME>': write 1ms to 365d

        For more information, try '--help'.
        ");
        insta::assert_snapshot!(refusal("edge ban 203.0.113.0/24"), @"
        error: invalid value '203.0.113.0/24' for '<ADDR>': bans are for single addresses (IPv6: the configured prefix around one)

        For more information, try '--help'.
        ");
        insta::assert_snapshot!(refusal("edge unban example.com"), @"
        error: invalid value 'example.com' for '<ADDR>': write an address, such as 203.0.113.7 or 2001:db8::7

        For more information, try '--help'.
        ");
        insta::assert_snapshot!(refusal("edge bans --socket a --config b"), @"
        error: the argument '--socket <PATH>' cannot be used with '--config <FILE>'

        Usage: edge bans --socket <PATH>

        For more information, try '--help'.
        ");
        insta::assert_snapshot!(refusal("edge chekc"), @"
        error: unrecognized subcommand 'chekc'

          tip: a similar subcommand exists: 'check'

        Usage: edge <COMMAND>

        For more information, try '--help'.
        ");
    }
}
