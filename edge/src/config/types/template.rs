//! Text with variables in it, such as `https://{host}{uri}`.

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Template {
    /// Its pieces in order.
    pub pieces: Vec<Piece>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text as it stands.
    Text(Box<str>),
    /// What a request puts in its place.
    Variable(Variable),
}

/// A fact about a request, by the name that the file uses for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// `{client_ip}`: the client's address.
    ClientIp,
    /// `{client_port}`: its port, empty behind a proxy that does not say.
    ClientPort,
    /// `{host}`: the host asked for, without port.
    Host,
    /// `{port}`: the port asked for, empty when the default of the scheme.
    Port,
    /// `{scheme}`: `https` or `http`.
    Scheme,
    /// `{method}`: the method.
    Method,
    /// `{path}`: the path.
    Path,
    /// `{query}`: what follows `?`, empty without one.
    Query,
    /// `{uri}`: path and query as they were asked for.
    Uri,
    /// `{rest}`: what follows the path of the route.
    Rest,
    /// `{request_id}`: the ID of the request.
    RequestId,
    /// `{user}`: who asks, as far as the route has made sure of it; empty otherwise.
    User,
    /// `{claim:NAME}`: what the token of the request says, where the route asks for one.
    Claim(Box<str>),
    /// `{tls_version}`: such as `TLSv1.3`, empty over plain HTTP.
    TlsVersion,
    /// `{header:NAME}`: a field of the request.
    Header(Box<str>),
    /// `{cookie:NAME}`: a cookie of the request.
    Cookie(Box<str>),
    /// `{1}` to `{9}`: a group of the route's regular expression.
    Group(usize),
}

impl std::fmt::Display for Variable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Variable::ClientIp => "client_ip",
            Variable::ClientPort => "client_port",
            Variable::Host => "host",
            Variable::Port => "port",
            Variable::Scheme => "scheme",
            Variable::Method => "method",
            Variable::Path => "path",
            Variable::Query => "query",
            Variable::Uri => "uri",
            Variable::Rest => "rest",
            Variable::RequestId => "request_id",
            Variable::User => "user",
            Variable::TlsVersion => "tls_version",
            Variable::Claim(name) => return write!(f, "{{claim:{name}}}"),
            Variable::Header(name) => return write!(f, "{{header:{name}}}"),
            Variable::Cookie(name) => return write!(f, "{{cookie:{name}}}"),
            Variable::Group(number) => return write!(f, "{{{number}}}"),
        };
        write!(f, "{{{name}}}")
    }
}

impl Template {
    /// The text, when there is no variable in it.
    pub fn as_text(&self) -> Option<&str> {
        match &self.pieces[..] {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Its variables.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(variable) => Some(variable),
            Piece::Text(_) => None,
        })
    }
}
