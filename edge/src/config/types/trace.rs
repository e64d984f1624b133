//! `[trace]`: spans of OpenTelemetry.

/// Where spans go, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracing {
    /// The URL of a collector that takes OTLP over HTTP.
    pub endpoint: String,
    /// Of the traces that nobody has decided on, one in so many is recorded.
    pub sample: u32,
    /// `service.name` of the spans.
    pub service: String,
}
