//! Files of networks: one a line, `#` begins a comment.
//!
//! What can be put right is, with a warning: a network written with bits beyond its prefix is the
//! network. What cannot be meant is refused with its line, and with it the whole file: half a list
//! is no list.

use std::net::{IpAddr, Ipv6Addr};

use super::{Cidr, Parsed};

/// What a list is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListUse {
    /// Who is let in.
    Allow,
    /// Who is not.
    Deny,
}

impl ListUse {
    /// The name in commands and messages.
    pub fn name(self) -> &'static str {
        match self {
            ListUse::Allow => "allow",
            ListUse::Deny => "deny",
        }
    }
}

/// A list that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CidrList {
    /// The networks in order, each once. Networks within others are kept: they stay when the wider
    /// one is taken away.
    pub cidrs: Vec<Cidr>,
    /// What cannot be used.
    pub errors: Vec<Finding>,
    /// What was put right.
    pub warnings: Vec<Finding>,
}

/// Something about a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// From 1.
    pub line: usize,
    /// A sentence.
    pub message: String,
}

/// Findings of a kind that are kept; whoever gets that many needs no more to see what is wrong.
const FINDINGS_MAX: usize = 20;

/// Characters of a line that a message repeats.
const SHOWN_CHARS_MAX: usize = 60;

/// Reads the text of a list file. Only spaces and a comment may stand beside the network.
pub fn read_list(text: &str, list_use: ListUse) -> CidrList {
    let mut list = CidrList::default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let entry = line.split('#').next().unwrap_or_default().trim();
        if entry.is_empty() {
            continue;
        }
        let found = |findings: &mut Vec<Finding>, message: String| {
            if findings.len() < FINDINGS_MAX {
                let line = index + 1;
                findings.push(Finding { line, message });
            }
        };
        match parse_entry(entry, list_use) {
            Ok((cidr, warning)) => {
                list.cidrs.push(cidr);
                if let Some(warning) = warning {
                    found(&mut list.warnings, warning);
                }
            }
            Err(error) => found(&mut list.errors, error),
        }
    }
    list.cidrs.sort_unstable();
    list.cidrs.dedup();
    list
}

/// A network of a list, with what is to be said about it.
pub fn parse_entry(text: &str, list_use: ListUse) -> Result<(Cidr, Option<String>), String> {
    let shown = || text.chars().take(SHOWN_CHARS_MAX).collect::<String>();
    let parsed: Parsed = text
        .parse()
        .map_err(|error| format!("{:?}: {error}", shown()))?;
    check_use(&parsed.cidr, list_use)?;
    let warning = parsed.has_host_bits.then(|| {
        let (cidr, addr) = (parsed.cidr, shown());
        let addr = addr.split('/').next().unwrap_or_default();
        format!(
            "{} is taken as {cidr}; write {addr} for one address",
            shown()
        )
    });
    Ok((parsed.cidr, warning))
}

/// Refuses to deny what nobody means to: a quarter of all IPv4 addresses or more, or all IPv6
/// addresses in use (2000::/3).
pub fn check_use(cidr: &Cidr, list_use: ListUse) -> Result<(), String> {
    const GLOBAL_UNICAST: Ipv6Addr = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0);
    if list_use == ListUse::Allow {
        return Ok(());
    }
    let is_absurd = match cidr.addr() {
        IpAddr::V4(_) => cidr.prefix() <= 2,
        IpAddr::V6(_) => cidr.prefix() <= 3 && cidr.contains(GLOBAL_UNICAST.into()),
    };
    if is_absurd {
        return Err(format!(
            "{cidr} would shut out most of the Internet; to let in only whom you name, \
             write `only = true` and an `allow` list"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(list: &CidrList) -> Vec<String> {
        list.cidrs.iter().map(Cidr::to_string).collect()
    }

    #[test]
    fn a_file_is_read_line_by_line() {
        let text = "\u{feff}# blocklist\r\n\r\n  10.0.0.0/8\t# private\n10.1.0.0/16\n10.0.0.0/8\n\
                    ::ffff:192.0.2.0/120#mapped\n2001:db8::/32\n";
        let list = read_list(text, ListUse::Deny);
        assert_eq!(
            shown(&list),
            ["10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24", "2001:db8::/32"]
        );
        assert_eq!((list.errors, list.warnings), (vec![], vec![]));
        assert_eq!(read_list("", ListUse::Deny), CidrList::default());
    }

    #[test]
    fn findings_name_their_line() {
        let text = "10.1.2.3/8\nten\n# fine\n0.0.0.0/0\n::/0\n10.0.0.0/8 10.0.0.0/8\n";
        let list = read_list(text, ListUse::Deny);
        let lines = |findings: &[Finding]| -> Vec<usize> {
            findings.iter().map(|finding| finding.line).collect()
        };
        assert_eq!(lines(&list.warnings), [1]);
        assert_eq!(
            list.warnings[0].message,
            "10.1.2.3/8 is taken as 10.0.0.0/8; write 10.1.2.3 for one address"
        );
        assert_eq!(lines(&list.errors), [2, 4, 5, 6]);
        let many = "x\n".repeat(1000);
        assert_eq!(read_list(&many, ListUse::Allow).errors.len(), FINDINGS_MAX);
    }

    #[test]
    fn nobody_means_to_deny_the_internet() {
        let refused = |text: &str| parse_entry(text, ListUse::Deny).is_err();
        for text in ["0.0.0.0/0", "128.0.0.0/1", "192.0.0.0/2", "::ffff:0:0/96"] {
            assert!(refused(text), "{text}");
        }
        for text in ["::/0", "::/1", "2000::/3"] {
            assert!(refused(text), "{text}");
        }
        // Published lists of addresses nobody may have hold these.
        for text in [
            "224.0.0.0/3",
            "10.0.0.0/8",
            "8000::/1",
            "4000::/2",
            "2000::/4",
        ] {
            assert!(!refused(text), "{text}");
        }
        assert!(parse_entry("0.0.0.0/0", ListUse::Allow).is_ok());
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in "[0-9a-f:./# \n]{0,200}") {
            let list = read_list(&text, ListUse::Deny);
            // What was read is read again as it was.
            let again = read_list(&shown(&list).join("\n"), ListUse::Deny);
            prop_assert_eq!(again.cidrs, list.cidrs);
            prop_assert!(again.errors.is_empty() && again.warnings.is_empty());
        }

        #[test]
        fn every_network_survives_being_written(bits: u128, v4: bool, prefix in 0u8..=128) {
            let addr = if v4 {
                IpAddr::from((bits as u32).to_be_bytes())
            } else {
                IpAddr::from(bits.to_be_bytes())
            };
            let Some(cidr) = Cidr::new(addr, prefix) else { return Ok(()) };
            let parsed: Parsed = cidr.to_string().parse().unwrap();
            prop_assert_eq!(parsed.cidr, cidr);
            prop_assert!(!parsed.has_host_bits);
            prop_assert!(cidr.contains(addr));
        }
    }
}
