//! The access log.

use std::path::PathBuf;

/// The access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Where lines go.
    pub access: LogTarget,
    /// What a line looks like.
    pub format: LogFormat,
    /// Of exchanges that went well, one in so many gets a line.
    pub sample: u32,
}

/// Where log lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// Nowhere.
    Off,
    /// Standard output.
    Stdout,
    /// Appended to a file.
    File(PathBuf),
}

/// What a line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// A JSON object with these fields.
    Json(LogFields),
    /// The combined format of Apache and nginx.
    Combined,
}

/// A set of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogFields(u32);

macro_rules! fields {
    ($($field:ident = $name:literal,)+) => {
        /// A field of a JSON line.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "docs/observe.md says what each is")]
        pub enum LogField {
            $($field,)+
        }

        impl LogField {
            /// Every field, in the order of a line.
            pub const ALL: &'static [(&'static str, LogField)] = &[$(($name, LogField::$field),)+];
        }
    };
}

fields! {
    Time = "time",
    Client = "client",
    ClientPort = "client_port",
    Protocol = "protocol",
    Tls = "tls",
    Method = "method",
    Host = "host",
    Path = "path",
    Query = "query",
    Status = "status",
    Route = "route",
    Upstream = "upstream",
    Server = "server",
    BytesIn = "bytes_in",
    BytesOut = "bytes_out",
    DurationMs = "duration_ms",
    UpstreamConnectMs = "upstream_connect_ms",
    UpstreamHeadMs = "upstream_head_ms",
    UpstreamReused = "upstream_reused",
    UserAgent = "user_agent",
    RequestId = "request_id",
    User = "user",
    Cache = "cache",
    Mcp = "mcp",
    Error = "error",
}

impl LogFields {
    /// Every field.
    pub const ALL: LogFields = LogFields((1 << LogField::ALL.len()) - 1);

    /// Whether a field is in it.
    pub fn has(self, field: LogField) -> bool {
        self.0 & 1 << field as u32 != 0
    }
}

impl FromIterator<LogField> for LogFields {
    fn from_iter<I: IntoIterator<Item = LogField>>(fields: I) -> Self {
        LogFields(
            fields
                .into_iter()
                .fold(0, |set, field| set | 1 << field as u32),
        )
    }
}

impl Default for Log {
    fn default() -> Self {
        Log {
            access: LogTarget::Stdout,
            format: LogFormat::Json(LogFields::ALL),
            sample: 1,
        }
    }
}
