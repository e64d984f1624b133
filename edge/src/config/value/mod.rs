//! One file per kind of value: text to a type that cannot be wrong, or a sentence saying why not.
//!
//! Nothing here knows of files or sections, so the command line uses the same parsers.

mod duration;
mod field;
mod host_name;
mod htpasswd;
mod invalid;
mod key_line;
mod listen;
mod name;
mod name_rules;
mod network;
mod origin;
mod pin;
mod rate;
mod route_path;
mod server;
mod size;
mod socket_path;
mod template;
mod url;

pub use duration::{format_duration, parse_duration};
pub use invalid::Invalid;
pub use name_rules::{NamePattern, NameRules};

pub(super) use field::{
    check_field_change, check_field_name, is_token, parse_field_match, parse_field_rule,
};
pub(super) use host_name::parse_host_name;
pub(super) use htpasswd::parse_users;
pub(super) use invalid::quote;
pub(super) use key_line::{parse_key_hash, parse_key_line};
pub(super) use listen::parse_listen;
pub(super) use name::{check_account, check_interface, check_upstream_name};
pub(super) use network::parse_cidr;
pub(super) use origin::{check_origin, check_param_name};
pub(super) use pin::check_pin;
pub(super) use rate::parse_rate;
pub(super) use route_path::check_route_path;
pub(crate) use server::usable_addresses;
pub(super) use server::{Resolve, is_server, parse_server, resolve};
pub(super) use size::{format_size, parse_size};
pub(super) use socket_path::{check_socket_path, join};
pub(super) use template::parse_template;
pub(super) use url::{check_collector, check_scope, check_url};
