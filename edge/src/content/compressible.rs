//! Media types that compression makes shorter.

/// Whether content of a type is text of some kind, or known to compress as well as text. Streams of
/// events are not: every event would wait for the next.
pub fn is_compressible(content_type: &[u8]) -> bool {
    let media_type = content_type.split(|&b| b == b';').next();
    let media_type = media_type
        .unwrap_or_default()
        .trim_ascii()
        .to_ascii_lowercase();
    match &*media_type {
        b"text/event-stream" => false,
        b"application/json"
        | b"application/jsonl"
        | b"application/javascript"
        | b"application/x-javascript"
        | b"application/ecmascript"
        | b"application/wasm"
        | b"application/xml"
        | b"application/rtf"
        | b"application/toml"
        | b"application/yaml"
        | b"application/vnd.ms-fontobject"
        | b"font/otf"
        | b"font/ttf"
        | b"image/bmp"
        | b"image/vnd.microsoft.icon"
        | b"image/x-icon" => true,
        other => {
            other.starts_with(b"text/") || other.ends_with(b"+json") || other.ends_with(b"+xml")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_compressible;

    #[test]
    fn text_of_some_kind() {
        for yes in [
            "text/html; charset=utf-8",
            "Application/JSON",
            "image/svg+xml",
            "text/x",
            "application/ld+json",
        ] {
            assert!(is_compressible(yes.as_bytes()), "{yes}");
        }
        for no in [
            "text/event-stream",
            "Text/Event-Stream;x=y",
            "image/png",
            "application/zip",
            "application/octet-stream",
            "",
            "font/woff2",
        ] {
            assert!(!is_compressible(no.as_bytes()), "{no}");
        }
    }
}
