//! What happens to a request, whichever protocol brought it: host, route, guards, upstream, and the
//! pump that moves both bodies.

mod account;
mod alt_svc;
mod answer;
mod authenticate;
mod cache;
mod caller;
mod client_certificate;
mod compress;
mod configured;
mod deliver;
mod drain;
mod early_data;
mod exchange;
mod explain;
mod facts;
mod files;
mod forward;
mod guard;
mod identities;
mod intake;
mod limits;
mod matching;
mod mcp;
mod offence;
mod pace;
mod pass;
mod relay;
mod reply;
mod request_id;
mod rewrite;
mod router;
mod rules;
mod service;
mod snapshot;
mod trace;

pub use client_certificate::{ClientAuthentication, ClientCertificate};
pub use configured::Proxy;
pub use drain::Drain;
pub use exchange::{ClientError, Downstream, Exchange, Peer};
pub use explain::{Candidate, Explanation, Question, QuestionError, explain};
pub use matching::Taken;
pub(crate) use reply::push_date;
pub use router::{Match, Router, Site};
pub use service::{BanSender, Service, WorkerParts};
pub use snapshot::Snapshot;
