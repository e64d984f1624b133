//! `[[host]]`: names and certificate.

use std::collections::HashMap;

use super::authentication;
use super::error_page;
use super::headers::Rules;
use super::limits::{Guards, Limits};
use super::listen::Sockets;
use super::maintenance;
use super::route::{self, Outer};
use super::tls::{self, Places};
use super::upstream::Upstreams;
use crate::config::schema::HOST;
use crate::config::table::Table;
use crate::config::types::claims::claims_named;
use crate::config::value::parse_host_name;
use crate::config::{Authentication, Certificate, Host, HostName, Maintenance, Ocsp};

/// Every `[[host]]` table, before its routes can be read.
pub(super) struct Hosts<'a> {
    tables: Vec<Table<'a>>,
    certificates: Vec<Option<Certificate>>,
    places: Places,
    maintenance: Option<Maintenance>,
}

impl<'a> Hosts<'a> {
    /// Reads the certificates: what is listened on depends on whether there are any.
    pub(super) fn read(top: &Table<'a>) -> Self {
        let missing = "there is no [[host]]; add one with `names = [\"*\"]`, and under it a \
             [[host.route]] with `upstream = \"http://127.0.0.1:8000\"`";
        let tables = top.tables("host", HOST, missing);
        let mut places = Places::new();
        let certificates = tables.iter().map(|table| certificate(table, &mut places));
        Self {
            certificates: certificates.collect(),
            tables,
            places,
            maintenance: maintenance::read(top, None),
        }
    }

    /// Whether any host is reached over TLS; a host with half a certificate is meant to be.
    pub(super) fn have_certificates(&self) -> bool {
        let meant =
            |table: &Table<'_>| table.item("certificate").is_some() || table.item("key").is_some();
        self.tables.iter().any(meant)
    }

    /// Reads names and routes.
    pub(super) fn finish(
        self,
        limits: &Limits,
        upstreams: &mut Upstreams<'a>,
        sockets: &Sockets,
    ) -> (Vec<Host>, Places) {
        let mut seen = HashMap::new();
        let mut hosts = Vec::new();
        let mut places = self.places;
        let outer_maintenance = self.maintenance;
        for (table, certificate) in self.tables.iter().zip(self.certificates) {
            warn_unreachable(table, certificate.is_some(), sockets);
            let names = names(table, &mut seen);
            let rules = Rules::of_host(table);
            let guards = limits.guards(table, &Guards::default());
            let auth = authentication::read(
                table,
                &Authentication::default(),
                upstreams,
                sockets,
                &mut places,
            );
            let mut outer = Outer {
                rules: &rules,
                guards: &guards,
                auth: &auth,
                limits,
                upstreams: &mut *upstreams,
                sockets,
                places: &mut places,
            };
            let routes = route::read(table, &mut outer);
            if routes.iter().all(|route| route.auth.jwt.is_none()) && !routes.is_empty() {
                check_claims(table, &rules);
            }
            // Over QUIC no certificate is asked for: clients need not be told of it.
            let client_auth = tls::client_auth(table, &mut places);
            hosts.push(Host {
                names,
                certificate,
                http3: table.flag("http3").unwrap_or(client_auth.is_none()),
                client_auth,
                routes,
                error_pages: error_page::read(table),
                maintenance: maintenance::read(table, outer_maintenance.as_ref()),
                response_rules: rules.response,
            });
        }
        (hosts, places)
    }
}

/// A claim in the rules of a host none of whose routes asks for tokens would be empty.
fn check_claims(table: &Table<'_>, rules: &Rules) {
    let Some(claim) = claims_named(&rules.request).next() else {
        return;
    };
    let item = table.item("request_headers");
    let span = item.map_or(table.span(), |item| item.span());
    let message = format!(
        "`request_headers`: {{claim:{claim}}} would be empty, for no route here checks tokens; add \
         [host.route.jwt] with `issuer` and `audiences`, or leave it out"
    );
    table.report().error(span, message);
}

fn names(table: &Table<'_>, seen: &mut HashMap<HostName, usize>) -> Vec<HostName> {
    let expected = "a list of names such as [\"mcp.example.com\"]";
    let Some(list) = table.required("names", "[\"mcp.example.com\"]") else {
        return Vec::new();
    };
    let Some(items) = list.list(expected) else {
        return Vec::new();
    };
    if items.is_empty() {
        list.error("is empty; write at least one name, or \"*\" for everything");
    }
    let mut names = Vec::new();
    for item in items {
        let Some(name) = item.parse("a name such as \"mcp.example.com\"", parse_host_name) else {
            continue;
        };
        let line = item.report().line(item.span().start);
        match seen.insert(name.clone(), line) {
            Some(first) => item.error(format!("{:?} is already on line {first}", name.to_string())),
            None => names.push(name),
        }
    }
    names
}

fn certificate(table: &Table<'_>, places: &mut Places) -> Option<Certificate> {
    let ocsp = ocsp(table, places);
    match (table.item("certificate"), table.item("key")) {
        (None, None) => None,
        (Some(certificate), None) => {
            if table.lacks("key") {
                certificate.error("its private key is missing; add `key = \"privkey.pem\"`");
            }
            None
        }
        (None, Some(key)) => {
            if table.lacks("certificate") {
                key.error("its certificate is missing; add `certificate = \"fullchain.pem\"`");
            }
            None
        }
        (Some(certificate), Some(key)) => {
            let chain = tls::file(&certificate, "PEM", places);
            let key = tls::file(&key, "PEM", places);
            Some(Certificate {
                chain: chain?,
                key: key?,
                ocsp,
            })
        }
    }
}

/// A word, or the path of a file.
fn ocsp(table: &Table<'_>, places: &mut Places) -> Ocsp {
    let Some(item) = table.item("ocsp") else {
        return Ocsp::default();
    };
    if table.lacks("certificate") {
        item.error("means nothing without `certificate` and `key`");
    }
    match item {
        item if item.is("fetch") => Ocsp::Fetch,
        item if item.is("off") => Ocsp::Off,
        item => match tls::file(&item, "DER", places) {
            Some(path) => Ocsp::File(path),
            None => Ocsp::Off,
        },
    }
}

fn warn_unreachable(table: &Table<'_>, certificate: bool, sockets: &Sockets) {
    if certificate && sockets.https.is_empty() {
        let message = "this host has a certificate, and `https = []` leaves it without use";
        table.report().warning(table.span(), message);
    }
}
