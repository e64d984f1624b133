//! `[listen]`: the sockets, and that no two of them are the same.

use std::net::{IpAddr, SocketAddr};

use toml::Spanned;

use crate::cidr::Cidr;
use crate::config::table::Table;
use crate::config::value::parse_listen;
use crate::config::{Listen, Steer};

const STEERING: [(&str, Steer); 3] = [
    ("auto", Steer::Auto),
    ("cpu", Steer::Cpu),
    ("hash", Steer::Hash),
];

/// What is listened on, with the place of each address; `0..0` is a default.
pub(super) struct Sockets {
    pub(super) https: Vec<Spanned<SocketAddr>>,
    /// UDP: these take no port from the others.
    pub(super) quic: Vec<Spanned<SocketAddr>>,
    pub(super) http: Vec<Spanned<SocketAddr>>,
    pub(super) redirect: bool,
    proxy_protocol: Vec<SocketAddr>,
    close_unknown: bool,
    steer: Steer,
}

/// Reads the section. `certificates` says whether any host has one.
pub(super) fn read(table: &Table<'_>, certificates: bool) -> Sockets {
    let any = |port| {
        vec![Spanned::new(
            0..0,
            SocketAddr::new(IpAddr::from([0_u16; 8]), port),
        )]
    };
    let https = addresses(table, "https");
    let https_given = https.is_some();
    let https = https.unwrap_or_else(|| if certificates { any(443) } else { Vec::new() });
    let http = addresses(table, "http").unwrap_or_else(|| any(80));
    let redirect = table.flag("redirect").unwrap_or(!https.is_empty());

    let steer = table.item("steer").and_then(|item| item.choice(&STEERING));

    let error = |name, message: &str| {
        let span = table.item(name).map_or(table.span(), |item| item.span());
        table.report().error(span, message);
    };
    if https_given && !https.is_empty() && !certificates {
        error(
            "https",
            "`https`: no [[host]] has a certificate; add `certificate` and `key` to one, or write `https = []`",
        );
    }
    if https.is_empty() && redirect {
        error(
            "redirect",
            "`redirect`: there is no HTTPS to redirect to; add a `certificate` and `key` to a [[host]], or write `redirect = false`",
        );
    }
    if https.is_empty() && http.is_empty() {
        error(
            "http",
            "`http`: nothing is left to listen on; write `http = [\"[::]:80\"]` or add a certificate",
        );
    }
    let proxy_protocol = addresses(table, "proxy_protocol").unwrap_or_default();
    for address in &proxy_protocol {
        let mut own = https.iter().chain(&http);
        if !own.any(|own| own.get_ref() == address.get_ref()) {
            let message = format!(
                "`proxy_protocol`: {} is no address of `https` or `http`; write it as it stands there",
                address.get_ref()
            );
            table.report().error(address.span(), message);
        }
    }
    let unknown = table
        .item("unknown_host")
        .and_then(|item| item.choice(&[("421", false), ("close", true)]));
    Sockets {
        quic: quic(table, &https, certificates),
        https,
        http,
        redirect,
        proxy_protocol: proxy_protocol
            .into_iter()
            .map(Spanned::into_inner)
            .collect(),
        close_unknown: unknown.unwrap_or(false),
        steer: steer.unwrap_or_default(),
    }
}

/// Where HTTP/3 is served: like HTTPS, unless the file says otherwise.
fn quic(
    table: &Table<'_>,
    https: &[Spanned<SocketAddr>],
    certificates: bool,
) -> Vec<Spanned<SocketAddr>> {
    let Some(item) = table.item("quic") else {
        let same = |address: &Spanned<SocketAddr>| Spanned::new(0..0, *address.get_ref());
        return https.iter().map(same).collect();
    };
    if item.is("off") {
        return Vec::new();
    }
    let quic = addresses(table, "quic").unwrap_or_default();
    if !quic.is_empty() && !certificates {
        item.error(
            "no [[host]] has a certificate; add `certificate` and `key` to one, or write `quic = []`",
        );
    }
    quic
}

/// The list under a key; `None` when it is not there or not right.
fn addresses(table: &Table<'_>, name: &'static str) -> Option<Vec<Spanned<SocketAddr>>> {
    let items = table
        .item(name)?
        .list("a list of addresses such as [\"[::]:443\"]")?;
    // Every item is read, so that every wrong one is reported.
    let addresses: Vec<_> = items
        .iter()
        .map(|item| {
            let address = item.parse("an address such as \"[::]:443\"", parse_listen)?;
            Some(Spanned::new(item.span(), address))
        })
        .collect();
    addresses.into_iter().collect()
}

impl Sockets {
    /// Records every address that an earlier one already covers, the metrics page's included.
    pub(super) fn check_overlaps(&self, metrics: Option<&Spanned<SocketAddr>>, table: &Table<'_>) {
        let mut earlier: Vec<(&str, &Spanned<SocketAddr>)> = Vec::new();
        let https = self.https.iter().map(|address| ("https", address));
        let http = self.http.iter().map(|address| ("http", address));
        let metrics = metrics.into_iter().map(|address| ("metrics", address));
        let quic = self.quic.iter().map(|address| ("quic", address));
        for (what, address) in https.chain(http).chain(metrics).chain(quic) {
            let overlap = earlier.iter().find(|(other_what, other)| {
                // UDP and TCP have their own ports.
                (what == "quic") == (*other_what == "quic")
                    && overlaps(*other.get_ref(), *address.get_ref())
            });
            if let Some((other_what, other)) = overlap {
                table.report().error(
                    if address.span() == (0..0) {
                        other.span()
                    } else {
                        address.span()
                    },
                    format!(
                        "{what} on {} and {other_what} on {} take the same port; give each its own",
                        address.get_ref(),
                        other.get_ref()
                    ),
                );
            }
            earlier.push((what, address));
        }
    }

    /// The socket that a connection to `target` on this machine would reach.
    pub(super) fn reached_by(&self, target: SocketAddr) -> Option<SocketAddr> {
        self.https
            .iter()
            .chain(&self.http)
            .map(|own| *own.get_ref())
            .find(|own| {
                own.port() == target.port()
                    && (own.ip() == target.ip()
                        || (own.ip().is_unspecified() && target.ip().is_loopback()))
            })
    }

    /// Whoever may send a PROXY protocol header may be anybody he likes.
    pub(super) fn check_trusted(&self, table: &Table<'_>, trusted: &[Cidr]) {
        let item = table.item("proxy_protocol");
        if let (Some(item), false, true) =
            (item, self.proxy_protocol.is_empty(), trusted.is_empty())
        {
            item.error(
                "nobody is trusted to send it; name the proxies in `trusted` of [forwarding]",
            );
        }
    }

    /// Without the places.
    pub(super) fn into_listen(self) -> Listen {
        let plain = |list: Vec<Spanned<SocketAddr>>| list.into_iter().map(Spanned::into_inner);
        Listen {
            https: plain(self.https).collect(),
            quic: plain(self.quic).collect(),
            http: plain(self.http).collect(),
            redirect: self.redirect,
            proxy_protocol: self.proxy_protocol,
            close_unknown: self.close_unknown,
            steer: self.steer,
        }
    }
}

/// Whether two sockets would take the same connections: `[::]` takes IPv4 too (ipv6(7),
/// IPV6_V6ONLY).
fn overlaps(one: SocketAddr, other: SocketAddr) -> bool {
    let covers = |one: IpAddr, other: IpAddr| {
        one == other || (one.is_unspecified() && (one.is_ipv6() || other.is_ipv4()))
    };
    one.port() == other.port() && (covers(one.ip(), other.ip()) || covers(other.ip(), one.ip()))
}
