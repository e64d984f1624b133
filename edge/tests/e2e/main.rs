//! End-to-end tests: the real `edge` binary, driven from outside, with real peers.
//!
//! They need root (namespaces, XDP, memory limits), the binaries of the `bench` crate and the Python
//! environments that `cargo xtask setup --tests` makes. What is missing fails; nothing is skipped.
#![allow(
    clippy::disallowed_methods,
    reason = "the real program runs on the real clock, and the tests block their own threads only"
)]

mod support;

mod alike;
mod auth;
mod bad_requests;
mod bad_upstreams;
mod beside_nginx;
mod bodies;
mod cache;
mod client_certificates;
mod compression;
mod config;
mod crowds;
mod files;
mod forwarding;
mod full_disk;
mod headers;
mod hints;
mod http1;
mod http2;
mod http3;
mod jwt;
mod limits;
mod maintenance;
mod mcp;
mod mcp_auth;
mod mcp_browser;
mod mcp_conformance;
mod mcp_lists;
mod mcp_routes;
mod mcp_sessions;
mod named_limits;
mod ocsp;
mod operator;
mod proxy_protocol;
mod reload;
mod reload_storm;
mod renewals;
mod routes;
mod shield;
mod silence;
mod slow_readers;
mod startup;
mod streaming;
mod streams;
mod tickets;
mod traces;
mod upstream_h2;
mod upstream_tls;
mod upstreams;
mod websocket;
