//! A file as a response: whole, in parts, or not at all because the client has it.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Method, StatusCode};

use super::lookup::{Found, open};
use crate::config::FilesAction;
use crate::content::{
    Accepted, Coding, Ranges, Span, Validators, Verdict, extension, media_type, type_of_extension,
};
use crate::message::{BodyLength, Fields, Name, RequestHead, ResponseHead};
use crate::net::OpenFile;
use crate::proxy::deliver::{Content, Part};
use crate::proxy::reply::Reply;
use crate::proxy::request_id::RequestId;

/// A file that is younger may change once more without its time of change becoming another.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// What the route says of the end of a name, before what is known of it anyway.
fn type_of<'a>(action: &'a FilesAction, path: &[u8]) -> &'a str {
    let own = (!action.types.is_empty() || action.default_type.is_some()).then(|| extension(path));
    let Some(extension) = own else {
        return media_type(path);
    };
    let extension = extension.unwrap_or_default();
    let own = action.types.get(&*extension).map(|own| &**own);
    own.or_else(|| type_of_extension(&extension))
        .or(action.default_type.as_deref())
        .unwrap_or_else(|| media_type(path))
}

/// The response for a file, or the answer for conditions and ranges that do not fit it.
pub(super) async fn response(
    action: &FilesAction,
    found: Found,
    head: &RequestHead,
) -> Result<(ResponseHead, Content), Reply> {
    let media_type = type_of(action, &found.path);
    let (file, coding) = match action.precompressed {
        true => compressed(action, found, head).await,
        false => (found.file, None),
    };
    let len = file.metadata().len();
    let state = State::of(&file, coding);
    let mut fields = Fields::with_capacity(10, 512);
    if let Some(coding) = coding {
        fields.push_known(Name::ContentEncoding, coding.name().as_bytes());
    }
    if action.precompressed {
        fields.push(b"vary", b"accept-encoding");
    }
    state.push(&mut fields);
    if let Some(cache_control) = &action.cache_control {
        fields.push(b"cache-control", cache_control.as_bytes());
    }
    let validators = Validators {
        etag: state.etag.as_deref().map(str::as_bytes),
        modified: state.modified,
    };
    match validators.judge(&head.fields) {
        Verdict::Proceed => {}
        Verdict::Failed => return Err(Reply::new(StatusCode::PRECONDITION_FAILED)),
        Verdict::NotModified => {
            fields.remove(Name::ContentEncoding);
            let head = ResponseHead {
                status: StatusCode::NOT_MODIFIED,
                fields,
                length: BodyLength::Empty,
            };
            return Ok((head, Content::default()));
        }
    }
    fields.push(b"accept-ranges", b"bytes");
    // RFC 9110 §14.2: `Range` means something to GET alone.
    let ranges = match head.method == Method::GET && validators.allow_range(&head.fields) {
        true => Ranges::of(&head.fields, len),
        false => Ranges::Whole,
    };
    let whole = Span { first: 0, len };
    let (status, parts, bytes) = match ranges {
        Ranges::Unsatisfiable => {
            let reply = Reply::new(StatusCode::RANGE_NOT_SATISFIABLE);
            return Err(reply.with("content-range", &format!("bytes */{len}")));
        }
        Ranges::Whole => {
            fields.push_known(Name::ContentType, media_type.as_bytes());
            let parts = (len > 0).then_some(Part::File(whole));
            (StatusCode::OK, Vec::from_iter(parts), len)
        }
        Ranges::Parts(spans) => {
            let (parts, bytes) = match spans[..] {
                [span] => {
                    fields.push_known(Name::ContentType, media_type.as_bytes());
                    fields.push(b"content-range", content_range(span, len).as_bytes());
                    (vec![Part::File(span)], span.len)
                }
                _ => multipart(&spans, media_type, len, &mut fields),
            };
            (StatusCode::PARTIAL_CONTENT, parts, bytes)
        }
    };
    let head = ResponseHead {
        status,
        fields,
        length: BodyLength::Exact(bytes),
    };
    Ok((head, Content::of_file(file, parts)))
}

/// The form of the file that the client wants most, of those that lie beside it.
async fn compressed(
    action: &FilesAction,
    found: Found,
    head: &RequestHead,
) -> (OpenFile, Option<Coding>) {
    if let Some(directory) = &action.directory {
        for coding in Accepted::of(&head.fields).in_order() {
            let path = [&*found.path, b".", coding.extension().as_bytes()].concat();
            match open(directory, &path).await {
                Ok(file) if file.metadata().is_file() => return (file, Some(coding)),
                _ => {}
            }
        }
    }
    (found.file, None)
}

/// What identifies the state of a file.
struct State {
    etag: Option<String>,
    /// Seconds since 1970.
    modified: Option<u64>,
}

impl State {
    /// Time of change and size make the tag; weak while the file is so young that it could change
    /// again within the same tick of the file system's clock (RFC 9110 §8.8.1).
    fn of(file: &OpenFile, coding: Option<Coding>) -> State {
        let now = SystemTime::now();
        let metadata = file.metadata();
        let modified = metadata.modified().ok();
        let Some(since) = modified.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok())
        else {
            return State {
                etag: None,
                modified: None,
            };
        };
        let age = modified.and_then(|at| now.duration_since(at).ok());
        let weak = match age.is_some_and(|age| age >= SETTLED_AFTER) {
            true => "",
            false => "W/",
        };
        let form = coding.map_or(String::new(), |coding| format!("-{}", coding.extension()));
        let etag = format!(
            "{weak}\"{:x}-{:x}{form}\"",
            since.as_nanos(),
            metadata.len()
        );
        // RFC 9110 §8.8.2.1: never later than the response itself.
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(since);
        State {
            etag: Some(etag),
            modified: Some(since.min(now).as_secs()),
        }
    }

    fn push(&self, fields: &mut Fields) {
        if let Some(secs) = self.modified {
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
            fields.push(b"last-modified", httpdate::fmt_http_date(at).as_bytes());
        }
        if let Some(etag) = &self.etag {
            fields.push(b"etag", etag.as_bytes());
        }
    }
}

fn content_range(span: Span, len: u64) -> String {
    format!("bytes {}-{}/{len}", span.first, span.first + span.len - 1)
}

/// Several parts (RFC 9110 §14.6), and how many bytes they come to.
fn multipart(spans: &[Span], media_type: &str, len: u64, fields: &mut Fields) -> (Vec<Part>, u64) {
    let boundary = RequestId::new();
    let boundary = String::from_utf8_lossy(boundary.as_bytes()).into_owned();
    let content_type = format!("multipart/byteranges; boundary={boundary}");
    fields.push_known(Name::ContentType, content_type.as_bytes());
    let mut parts = Vec::with_capacity(spans.len() * 2 + 1);
    let mut bytes = 0;
    let memory = |parts: &mut Vec<Part>, text: String| {
        let text = Bytes::from(text);
        let len = text.len() as u64;
        parts.push(Part::Memory(text));
        len
    };
    for span in spans {
        let range = content_range(*span, len);
        let text = format!(
            "\r\n--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: {range}\r\n\r\n"
        );
        bytes += memory(&mut parts, text) + span.len;
        parts.push(Part::File(*span));
    }
    bytes += memory(&mut parts, format!("\r\n--{boundary}--\r\n"));
    (parts, bytes)
}
