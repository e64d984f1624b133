//! A strict reader of HTTP/1.1 answers: the tests must not be lenient where clients are not.

/// One answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in lower case, in order.
    pub(crate) headers: Vec<(String, String)>,
    /// Without the framing of chunks.
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

impl Response {
    /// The value of a field that must not stand there twice.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(field, _)| field == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(
            values.next().is_none(),
            "{name} twice in {:?}",
            self.headers
        );
        value
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }
}

/// Parses the answer at the start of `bytes`; `None` when more is needed. `at_end`: nothing more comes.
pub(super) fn parse(
    bytes: &[u8],
    to_head: bool,
    at_end: bool,
) -> Result<Option<(Response, usize)>, String> {
    let Some((status, headers, head_len)) = parse_head(bytes)? else {
        return Ok(None);
    };
    let mut response = Response {
        status,
        headers,
        body: Vec::new(),
        trailers: Vec::new(),
    };
    let rest = &bytes[head_len..];
    if to_head || status < 200 || status == 204 || status == 304 {
        return Ok(Some((response, head_len)));
    }
    let length = response.header("content-length").map(str::to_owned);
    if let Some(coding) = response.header("transfer-encoding") {
        if coding != "chunked" || length.is_some() {
            return Err(format!("bad framing: {:?}", response.headers));
        }
        let Some(used) = parse_chunks(rest, &mut response)? else {
            return Ok(None);
        };
        return Ok(Some((response, head_len + used)));
    }
    let length = match length {
        Some(length) => length
            .parse()
            .map_err(|_| format!("content-length {length:?}"))?,
        None if at_end => rest.len(),
        None => return Ok(None),
    };
    if rest.len() < length {
        return Ok(None);
    }
    response.body = rest[..length].to_vec();
    Ok(Some((response, head_len + length)))
}

type Fields = Vec<(String, String)>;

fn parse_head(bytes: &[u8]) -> Result<Option<(u16, Fields, usize)>, String> {
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut head = httparse::Response::new(&mut fields);
    let broken = |error| {
        format!(
            "{error} in {:?}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(200)])
        )
    };
    match head.parse(bytes).map_err(broken)? {
        httparse::Status::Partial => Ok(None),
        httparse::Status::Complete(used) => {
            let status = head.code.ok_or("no status")?;
            Ok(Some((status, owned(head.headers), used)))
        }
    }
}

fn parse_chunks(mut rest: &[u8], response: &mut Response) -> Result<Option<usize>, String> {
    let whole = rest.len();
    loop {
        let size =
            match httparse::parse_chunk_size(rest).map_err(|_| "bad chunk size".to_owned())? {
                httparse::Status::Partial => return Ok(None),
                httparse::Status::Complete((used, size)) => {
                    rest = &rest[used..];
                    usize::try_from(size).map_err(|error| error.to_string())?
                }
            };
        if size == 0 {
            let mut fields = [httparse::EMPTY_HEADER; 32];
            let parsed = httparse::parse_headers(rest, &mut fields)
                .map_err(|error| format!("trailers: {error}"))?;
            let httparse::Status::Complete((used, trailers)) = parsed else {
                return Ok(None);
            };
            response.trailers = owned(trailers);
            return Ok(Some(whole - rest.len() + used));
        }
        if rest.len() < size + 2 {
            return Ok(None);
        }
        if &rest[size..size + 2] != b"\r\n" {
            return Err("a chunk does not end with CRLF".to_owned());
        }
        response.body.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
    }
}

fn owned(fields: &[httparse::Header<'_>]) -> Fields {
    let value = |bytes| String::from_utf8_lossy(bytes).into_owned();
    fields
        .iter()
        .map(|field| (field.name.to_ascii_lowercase(), value(field.value)))
        .collect()
}
