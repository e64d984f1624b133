//! Spans as OTLP has them, with the attributes of OpenTelemetry's semantic conventions for HTTP and
//! MCP (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>,
//! <https://opentelemetry.io/docs/specs/semconv/gen-ai/mcp/>).

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{self as otlp, ResourceSpans, ScopeSpans, Status};

use super::span::Span;
use crate::mcp::Era;
use crate::observe::Protocol;

/// A message with these spans.
pub(super) fn request(spans: Vec<Span>, service: &str) -> ExportTraceServiceRequest {
    let version = env!("CARGO_PKG_VERSION");
    let resource = Resource {
        attributes: vec![
            text("service.name", service),
            text("service.version", version),
        ],
        ..Resource::default()
    };
    let scope = InstrumentationScope {
        name: "edge".to_owned(),
        version: version.to_owned(),
        ..InstrumentationScope::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope),
                spans: spans.into_iter().map(message).collect(),
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

fn message(span: Span) -> otlp::Span {
    otlp::Span {
        trace_id: span.ids.trace.into(),
        span_id: span.ids.span.into(),
        parent_span_id: span.ids.parent.map(Vec::from).unwrap_or_default(),
        trace_state: span.trace_state.as_deref().unwrap_or_default().to_owned(),
        // The paths of the edge's own questions are those of the configuration.
        name: match (&span.route, span.asks) {
            (Some(route), _) => format!("{} {route}", span.method),
            (None, true) => format!("{} {}", span.method, span.path),
            (None, false) => span.method.to_string(),
        },
        kind: match span.asks {
            true => SpanKind::Client.into(),
            false => SpanKind::Server.into(),
        },
        start_time_unix_nano: span.end_ns.saturating_sub(span.duration_us * 1000),
        end_time_unix_nano: span.end_ns,
        // Of a server's span, only what the server did wrong is an error; of a client's, any refusal.
        status: is_error(&span).then(|| Status {
            code: StatusCode::Error.into(),
            ..Status::default()
        }),
        attributes: attributes(&span),
        ..otlp::Span::default()
    }
}

fn is_error(span: &Span) -> bool {
    match span.asks {
        true => span.status >= 400 || span.error.is_some(),
        false => span.status >= 500,
    }
}

fn attributes(span: &Span) -> Vec<KeyValue> {
    let version = match span.protocol {
        Protocol::Http10 => "1.0",
        Protocol::Http11 => "1.1",
        Protocol::H2 => "2",
        Protocol::H3 => "3",
    };
    let mut attributes = vec![
        text("http.request.method", &span.method),
        text("url.path", &span.path),
        text("url.scheme", if span.is_tls { "https" } else { "http" }),
        text("network.protocol.version", version),
    ];
    if span.status > 0 {
        attributes.push(number("http.response.status_code", span.status.into()));
    }
    if !span.asks {
        attributes.push(number("http.request.body.size", span.bytes_in));
        attributes.push(number("http.response.body.size", span.bytes_out));
    }
    if let Some(client) = span.client {
        attributes.push(text("client.address", &client.to_string()));
    }
    let mut also =
        |name, value: Option<&str>| attributes.extend(value.map(|value| text(name, value)));
    also("edge.request_id", span.request_id.as_deref());
    also("server.address", span.host.as_deref());
    also("http.route", span.route.as_deref());
    also("user_agent.original", span.user_agent.as_deref());
    also("edge.upstream", span.upstream.as_deref());
    also("edge.server", span.server.as_deref());
    also("error.type", span.error);
    if let Some(mcp) = &span.mcp {
        let read = |bytes: Option<&'_ [u8]>| {
            let bytes = bytes.filter(|bytes| !bytes.is_empty())?;
            Some(String::from_utf8_lossy(bytes).into_owned())
        };
        also("mcp.method.name", read(mcp.subject.method.get()).as_deref());
        also(
            "gen_ai.tool.name",
            read(Some(mcp.subject.tool())).as_deref(),
        );
        also("edge.mcp.class", Some(mcp.class.as_str()));
        let is_modern = mcp.era == Era::Modern;
        also(
            "edge.mcp.era",
            Some(if is_modern { "modern" } else { "legacy" }),
        );
        // A hash: the id itself is as good as a password.
        let session = mcp.session.map(|hash| format!("{hash:016x}"));
        also("edge.mcp.session", session.as_deref());
        if mcp.is_stream {
            attributes.push(number("edge.mcp.events", mcp.events));
        }
    }
    attributes.extend(
        span.head_us
            .map(|head_us| number("edge.upstream.head_us", head_us)),
    );
    attributes
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn number(key: &str, value: u64) -> KeyValue {
    attribute(
        key,
        Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX)),
    )
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}
