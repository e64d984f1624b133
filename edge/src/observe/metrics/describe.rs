//! Names and help texts, in one place.

use metrics::Recorder;

pub(super) const REQUESTS: &str = "edge_requests_total";
pub(super) const REQUEST_DURATION: &str = "edge_request_duration_seconds";
pub(super) const UPSTREAM_HEAD: &str = "edge_upstream_head_seconds";
pub(super) const CONNECTIONS: &str = "edge_connections";
pub(super) const CONNECTIONS_REFUSED: &str = "edge_connections_refused_total";
pub(super) const CONNECTIONS_TOTAL: &str = "edge_connections_total";
pub(super) const STREAMS: &str = "edge_streams";
pub(super) const EVENT_KEEP_ALIVES: &str = "edge_event_keep_alives_total";
pub(super) const BYTES: &str = "edge_bytes_total";
pub(super) const LIMITED: &str = "edge_limited_total";
pub(super) const BANS: &str = "edge_bans_total";
pub(super) const WORKER_RESTARTS: &str = "edge_worker_restarts_total";
pub(super) const BAN_REQUESTS_DROPPED: &str = "edge_ban_requests_dropped_total";
pub(super) const TLS_HANDSHAKES: &str = "edge_tls_handshakes_total";
pub(super) const QUIC_FAILURES: &str = "edge_quic_handshake_failures_total";
pub(super) const QUIC_RETRIES: &str = "edge_quic_retries_total";
pub(super) const QUIC_MIGRATIONS: &str = "edge_quic_migrations_total";
pub(super) const QUIC_LOST: &str = "edge_quic_packets_lost_total";
pub(super) const QUIC_DATAGRAMS: &str = "edge_quic_datagrams_total";
pub(super) const QUIC_CALLS: &str = "edge_quic_system_calls_total";
pub(super) const HTTP3_STREAMS: &str = "edge_http3_streams";
pub(super) const UPSTREAM_CONNECTIONS: &str = "edge_upstream_connections";
pub(super) const SERVER_UP: &str = "edge_server_up";
pub(super) const SERVER_EJECTED: &str = "edge_server_ejected";
pub(super) const SERVER_IN_FLIGHT: &str = "edge_server_in_flight";
pub(super) const SERVER_CHECKS: &str = "edge_server_checks_total";
pub(super) const UPSTREAM_ERRORS: &str = "edge_upstream_errors_total";
pub(super) const MCP_REQUESTS: &str = "edge_mcp_requests_total";
pub(super) const MCP_TOOL_CALLS: &str = "edge_mcp_tool_calls_total";
pub(super) const MCP_REFUSED: &str = "edge_mcp_refused_total";
pub(super) const MCP_EVENTS: &str = "edge_mcp_events_total";
pub(super) const MCP_TOOL_DURATION: &str = "edge_mcp_tool_seconds";
pub(super) const MCP_STREAM_AGE: &str = "edge_mcp_stream_seconds";
pub(super) const CACHE_REQUESTS: &str = "edge_cache_requests_total";
pub(super) const CACHE_BYTES: &str = "edge_cache_bytes";
pub(super) const CACHE_ENTRIES: &str = "edge_cache_entries";
pub(super) const MCP_SESSIONS: &str = "edge_mcp_sessions";
pub(super) const MCP_SESSIONS_FORGOTTEN: &str = "edge_mcp_sessions_forgotten_total";
pub(super) const ACCESS_LOG_DROPPED: &str = "edge_access_log_dropped_total";
pub(super) const TRACE_SPANS: &str = "edge_trace_spans_total";
pub(super) const TRACE_SPANS_DROPPED: &str = "edge_trace_spans_dropped_total";
pub(super) const BUILD_INFO: &str = "edge_build_info";
pub(super) const CERTIFICATE_NOT_AFTER: &str = "edge_certificate_not_after_seconds";
pub(super) const OCSP_FETCHES: &str = "edge_ocsp_fetches_total";
pub(super) const OCSP_NEXT_UPDATE: &str = "edge_ocsp_next_update_seconds";
pub(super) const SHIELD_ATTACHED: &str = "edge_shield_attached";
pub(super) const SHIELD_PACKETS: &str = "edge_shield_packets_total";
pub(super) const SHIELD_WATCHED: &str = "edge_shield_watched_packets_total";
pub(super) const SHIELD_BANS: &str = "edge_shield_bans";
pub(super) const SHIELD_SAMPLES_LOST: &str = "edge_shield_samples_lost_total";

/// Help of the metrics this module writes itself.
pub(super) const REQUEST_DURATION_HELP: &str =
    "Time from the first byte of a request to the end of its response, event streams included.";
pub(super) const UPSTREAM_HEAD_HELP: &str =
    "Time from a request sent to an upstream to its response head.";
pub(super) const MCP_TOOL_DURATION_HELP: &str =
    "Time of finished tool calls by tool; tools beyond the first 200 are other.";
pub(super) const MCP_STREAM_AGE_HELP: &str =
    "Age of event streams on MCP routes when they ended, from the first byte of the request.";
pub(super) const CERTIFICATE_NOT_AFTER_HELP: &str =
    "The last moment of the certificate that a host is served with, in Unix time.";
pub(super) const OCSP_NEXT_UPDATE_HELP: &str =
    "The last moment of the OCSP answer stapled for a host, in Unix time.";
pub(super) const SHIELD_ATTACHED_HELP: &str =
    "Whether the kernel program protects the interface: 1 attached, 0 not.";
pub(super) const SHIELD_PACKETS_HELP: &str =
    "Packets seen by the kernel program since it was loaded, by what became of them.";
pub(super) const SHIELD_WATCHED_HELP: &str =
    "Packets that would have been dropped and passed because of monitor.";
pub(super) const SHIELD_BANS_HELP: &str = "Bans in force in the kernel.";
pub(super) const SHIELD_SAMPLES_LOST_HELP: &str =
    "Samples of dropped packets that were lost because they were not taken in time.";

const COUNTERS: [(&str, &str); 27] = [
    (
        REQUESTS,
        "Finished requests; labels say none where no route matched or no upstream was asked.",
    ),
    (
        CONNECTIONS_TOTAL,
        "Client connections accepted, TLS handshake done.",
    ),
    (
        CONNECTIONS_REFUSED,
        "TCP connections closed at once because their client had as many as it may.",
    ),
    (
        CACHE_REQUESTS,
        "Finished requests on routes with a cache, by what it did.",
    ),
    (EVENT_KEEP_ALIVES, "Comments sent on silent event streams."),
    (
        BYTES,
        "Body bytes of finished requests: in from clients, out to clients.",
    ),
    (LIMITED, "Requests answered 429."),
    (BANS, "Addresses banned in the kernel, by who asked for it."),
    (
        WORKER_RESTARTS,
        "Workers that have failed and were started again.",
    ),
    (
        BAN_REQUESTS_DROPPED,
        "Bans asked for by workers that did not fit the queue.",
    ),
    (TLS_HANDSHAKES, "TLS handshakes with clients, by result."),
    (
        QUIC_FAILURES,
        "Attempts at QUIC connections that came to nothing, by reason.",
    ),
    (
        QUIC_RETRIES,
        "QUIC clients that were asked to prove their address first.",
    ),
    (
        QUIC_MIGRATIONS,
        "QUIC clients that came back from another address or port.",
    ),
    (
        QUIC_LOST,
        "QUIC packets sent that did not arrive, as far as clients have told.",
    ),
    (QUIC_DATAGRAMS, "UDP datagrams received and sent for QUIC."),
    (
        QUIC_CALLS,
        "System calls that received and sent them: several datagrams share one.",
    ),
    (
        UPSTREAM_ERRORS,
        "Requests that failed because of an upstream.",
    ),
    (
        MCP_REQUESTS,
        "Finished requests on MCP routes, by JSON-RPC method, era of the protocol and class.",
    ),
    (
        MCP_TOOL_CALLS,
        "Finished tool calls by tool; tools beyond the first 200 are other.",
    ),
    (
        MCP_REFUSED,
        "Requests on MCP routes refused or failed at the edge, by reason.",
    ),
    (
        MCP_EVENTS,
        "Events passed to clients on MCP routes, counted when their stream ends.",
    ),
    (
        MCP_SESSIONS_FORGOTTEN,
        "MCP sessions in use that had to make room for others.",
    ),
    (
        ACCESS_LOG_DROPPED,
        "Access log lines lost because the target was too slow or failed.",
    ),
    (
        OCSP_FETCHES,
        "Questions to certificate authorities about certificates that are served, by result.",
    ),
    (TRACE_SPANS, "Spans that a collector has taken."),
    (
        TRACE_SPANS_DROPPED,
        "Spans lost because the collector was too slow, failed or did not want them.",
    ),
];

const GAUGES: [(&str, &str); 8] = [
    (CONNECTIONS, "Open client connections."),
    (STREAMS, "Open event streams and WebSockets."),
    (HTTP3_STREAMS, "Open request streams of HTTP/3."),
    (CACHE_BYTES, "Bytes of stored answers."),
    (CACHE_ENTRIES, "Questions whose answers are stored."),
    (MCP_SESSIONS, "MCP sessions known."),
    (
        UPSTREAM_CONNECTIONS,
        "Open connections to upstream servers, idle ones included.",
    ),
    (BUILD_INFO, "Always 1; the labels say what runs."),
];

/// Gives every metric of the exporter its help text.
pub(super) fn describe(recorder: &impl Recorder) {
    for (name, help) in COUNTERS {
        recorder.describe_counter(name.into(), None, help.into());
    }
    for (name, help) in GAUGES {
        recorder.describe_gauge(name.into(), None, help.into());
    }
}
