//! Spans of OpenTelemetry, one for each exchange that is sampled.
//!
//! A worker puts a finished exchange into its own batch ([`SpanLog`]) and hands full batches to one
//! thread ([`SpanExporter`]) over a bounded queue, which turns them into OTLP and posts them to a
//! collector. A collector that is slow or gone never slows a request: spans that do not fit are
//! dropped and counted.

mod exporter;
mod log;
mod otlp;
mod parent;
mod span;

pub use exporter::{SpanExporter, SpanOutput};
pub use log::SpanLog;
pub use parent::TraceParent;
pub use span::{Asked, Span, SpanIds};
