//! Asking whether a stored answer is still right, instead of for all of it (RFC 9111 §4.3).

use http::StatusCode;

use super::stored::Stored;
use crate::content::Validators;
use crate::message::{BodyLength, Fields, RequestHead, ResponseHead};
use crate::proxy::reply::push_date;

/// The conditions that a cache may make, and that clients make of their own (RFC 9110 §13.1).
const CONDITIONS: [&str; 2] = ["if-none-match", "if-modified-since"];

/// What is about the content as it is stored, not about the answer that confirms it (RFC 9111 §3.2).
const OF_CONTENT: [&[u8]; 6] = [
    b"content-length",
    b"content-encoding",
    b"content-type",
    b"content-range",
    b"transfer-encoding",
    b"x-cache",
];

/// Conditions of a client, put aside while the edge asks for itself.
pub(super) struct Conditions(Vec<(&'static str, Vec<u8>)>);

impl Conditions {
    /// Takes them out of a request: the whole answer is wanted, or what the edge knows of it is asked
    /// about.
    pub(super) fn take(head: &mut RequestHead) -> Conditions {
        let mut taken = Vec::new();
        for name in CONDITIONS {
            let values = head.fields.values_of(name);
            taken.extend(values.map(|value| (name, value.to_vec())));
            head.fields.remove_all(name);
        }
        Conditions(taken)
    }

    /// Puts them back in place of the edge's own.
    pub(super) fn restore(self, head: &mut RequestHead) {
        for name in CONDITIONS {
            head.fields.remove_all(name);
        }
        for (name, value) in self.0 {
            head.fields.push(name.as_bytes(), &value);
        }
    }
}

impl Stored {
    /// Whether it has something that an upstream can compare.
    pub(super) fn can_be_asked_about(&self) -> bool {
        let validators = Validators::of(&self.fields);
        self.status == StatusCode::OK
            && (validators.etag.is_some() || validators.modified.is_some())
    }

    /// Makes a request ask whether it is still right (RFC 9111 §4.3.1).
    pub(super) fn ask_about(&self, head: &mut RequestHead) {
        for (name, condition) in ["etag", "last-modified"].into_iter().zip(CONDITIONS) {
            if let Some(value) = self.fields.values_of(name).next() {
                head.fields.push(condition.as_bytes(), value);
            }
        }
    }

    /// Whether a 304 with these fields is about what is stored (RFC 9111 §4.3.4): one that names
    /// another tag is about something else.
    pub(super) fn is_meant_by(&self, fields: &Fields) -> bool {
        let own = Validators::of(&self.fields).etag;
        let theirs = Validators::of(fields).etag;
        match (own, theirs) {
            (Some(own), Some(theirs)) => without_weakness(own) == without_weakness(theirs),
            _ => true,
        }
    }

    /// The head of the answer as it is now: what the 304 says replaces what was said before.
    pub(super) fn freshened(&self, confirmation: &ResponseHead) -> ResponseHead {
        let mut said = confirmation.fields.clone();
        if said.values_of("date").next().is_none() {
            push_date(&mut said);
        }
        said.retain(|_, name, _| !is_of_content(name));
        let mut fields = self.fields.clone();
        fields.retain(|_, name, _| {
            let mut names = said.iter().map(|(_, name, _)| name);
            !names.any(|said| said.eq_ignore_ascii_case(name))
        });
        for (_, name, value) in said.iter() {
            fields.push(name, value);
        }
        ResponseHead {
            status: self.status,
            fields,
            length: BodyLength::Exact(self.body.len() as u64),
        }
    }
}

fn is_of_content(name: &[u8]) -> bool {
    OF_CONTENT.iter().any(|own| own.eq_ignore_ascii_case(name))
}

fn without_weakness(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::h1::parse_request;

    fn fields(list: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in list {
            fields.push(name.as_bytes(), value.as_bytes());
        }
        fields
    }

    fn stored(list: &[(&str, &str)]) -> Stored {
        let mut stored = Stored::for_tests(3, &[]);
        stored.fields = fields(list);
        stored
    }

    fn lines(fields: &Fields) -> Vec<String> {
        let line = |(_, name, value): (_, &[u8], &[u8])| {
            let [name, value] = [name, value].map(String::from_utf8_lossy);
            format!("{name}: {value}")
        };
        fields.iter().map(line).collect()
    }

    #[test]
    fn conditions_of_the_client_are_put_aside() {
        let request = "GET / HTTP/1.1\r\nHost: h\r\nIf-None-Match: \"c\"\r\nA: b\r\n\r\n";
        let (mut head, _) = parse_request(request.as_bytes(), 10).expect("valid");
        let before = lines(&head.fields).len();
        let conditions = Conditions::take(&mut head);
        let stored = stored(&[("ETag", "\"s\""), ("Last-Modified", "then")]);
        stored.ask_about(&mut head);
        assert!(lines(&head.fields).contains(&"if-none-match: \"s\"".to_owned()));
        assert!(lines(&head.fields).contains(&"if-modified-since: then".to_owned()));
        conditions.restore(&mut head);
        assert!(lines(&head.fields).contains(&"if-none-match: \"c\"".to_owned()));
        assert_eq!(lines(&head.fields).len(), before);
    }

    #[test]
    fn what_can_be_asked_about_and_what_a_confirmation_is_about() {
        assert!(stored(&[("ETag", "\"a\"")]).can_be_asked_about());
        let date = ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert!(stored(&[date]).can_be_asked_about());
        assert!(!stored(&[]).can_be_asked_about());
        assert!(!stored(&[("Last-Modified", "yesterday")]).can_be_asked_about());
        let tagged = stored(&[("ETag", "W/\"a\"")]);
        assert!(tagged.is_meant_by(&fields(&[])));
        assert!(tagged.is_meant_by(&fields(&[("ETag", "\"a\"")])));
        assert!(!tagged.is_meant_by(&fields(&[("ETag", "\"b\"")])));
    }

    #[test]
    fn what_a_confirmation_says_replaces_what_was_said() {
        let stored = stored(&[
            ("Content-Type", "text/plain"),
            ("Cache-Control", "max-age=1"),
            ("X-Many", "1"),
            ("x-many", "2"),
            ("Date", "old"),
        ]);
        let confirmation = ResponseHead {
            status: StatusCode::NOT_MODIFIED,
            fields: fields(&[
                ("cache-control", "max-age=9"),
                ("X-MANY", "3"),
                ("Content-Length", "0"),
                ("Content-Type", "text/html"),
                ("Content-Encoding", "br"),
                ("Date", "new"),
            ]),
            length: BodyLength::Empty,
        };
        let head = stored.freshened(&confirmation);
        assert_eq!(
            lines(&head.fields),
            [
                "Content-Type: text/plain",
                "cache-control: max-age=9",
                "X-MANY: 3",
                "Date: new"
            ]
        );
        assert_eq!(head.length, BodyLength::Exact(3));
    }
}
