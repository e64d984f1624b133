//! What a client says about content codings (RFC 9110 §12.5.3).

pub use crate::config::Coding;
use crate::message::{Fields, Name};

/// Weights in thousandths: how much a client wants each coding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    codings: [u16; 3],
    identity: u16,
}

impl Accepted {
    /// Reads `Accept-Encoding`. Without it nothing but the plain form is sent: a client that says
    /// nothing may know nothing. An element that is malformed counts as not there.
    pub fn of(fields: &Fields) -> Accepted {
        let mut named = [None; 3];
        let mut identity = None;
        let mut any = None;
        let elements = fields.values(Name::AcceptEncoding);
        for element in elements.flat_map(|value| value.split(|&b| b == b',')) {
            let mut parts = element.split(|&b| b == b';');
            let name = parts.next().unwrap_or_default().trim_ascii();
            let Some(weight) = weight(parts.next()) else {
                continue;
            };
            let is = |text: &str| name.eq_ignore_ascii_case(text.as_bytes());
            let slot = match () {
                () if is("zstd") => &mut named[0],
                () if is("br") => &mut named[1],
                () if is("gzip") || is("x-gzip") => &mut named[2],
                () if is("identity") => &mut identity,
                () if is("*") => &mut any,
                () => continue,
            };
            *slot = Some(weight);
        }
        Accepted {
            codings: named.map(|weight| weight.or(any).unwrap_or(0)),
            // Acceptable unless it is excluded, but never wanted more than what is named.
            identity: identity.unwrap_or(0),
        }
    }

    /// The codings that are wanted at least as much as the plain form, the most wanted first.
    pub fn in_order(&self) -> impl Iterator<Item = Coding> + use<> {
        let mut order = [0, 1, 2];
        let Accepted { codings, identity } = *self;
        order.sort_by_key(|&at| std::cmp::Reverse(codings[at]));
        order
            .into_iter()
            .filter(move |&at| codings[at] > 0 && codings[at] >= identity)
            .map(|at| Coding::ALL[at])
    }
}

/// `q=0.5` in thousandths, 1000 where nothing stands; `None` for what is no weight.
fn weight(parameter: Option<&[u8]>) -> Option<u16> {
    let Some(parameter) = parameter else {
        return Some(1000);
    };
    let [b'q' | b'Q', b'=', digits @ ..] = parameter.trim_ascii() else {
        return None;
    };
    let (whole, fraction) = match digits {
        [whole] => (whole, &[][..]),
        [whole, b'.', fraction @ ..] => (whole, fraction),
        _ => return None,
    };
    if fraction.len() > 3 || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut thousandths = 0;
    for place in 0..3 {
        let digit = fraction.get(place).map_or(0, |&b| u16::from(b - b'0'));
        thousandths = thousandths * 10 + digit;
    }
    match whole {
        b'0' => Some(thousandths),
        b'1' if thousandths == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(values: &[&str]) -> Vec<&'static str> {
        let mut fields = Fields::default();
        for value in values {
            fields.push(b"accept-encoding", value.as_bytes());
        }
        let accepted = Accepted::of(&fields);
        accepted.in_order().map(Coding::name).collect()
    }

    #[test]
    fn what_clients_want() {
        assert_eq!(order(&[]), [""; 0]);
        assert_eq!(order(&["gzip, deflate, br, zstd"]), ["zstd", "br", "gzip"]);
        assert_eq!(order(&["gzip;q=1.0, br;q=0.5"]), ["gzip", "br"]);
        assert_eq!(order(&["br;q=0.001", "GZIP ; q=0.002"]), ["gzip", "br"]);
        assert_eq!(order(&["*"]), ["zstd", "br", "gzip"]);
        assert_eq!(order(&["*;q=0.5, br;q=0"]), ["zstd", "gzip"]);
        assert_eq!(order(&["gzip;q=0"]), [""; 0]);
        assert_eq!(order(&["gzip;q=0.000, *;q=0"]), [""; 0]);
        assert_eq!(order(&["gzip;q=0.5, identity"]), [""; 0]);
        assert_eq!(order(&["gzip, identity;q=0.5"]), ["gzip"]);
        assert_eq!(order(&["identity;q=0, x-gzip"]), ["gzip"]);
    }

    #[test]
    fn what_is_malformed_counts_as_not_there() {
        for value in [
            "gzip;q=2",
            "gzip;q=1.5",
            "gzip;q=0.0001",
            "gzip;q=-1",
            "gzip;q=",
            "gzip;x=1",
            "gzip q=1",
            "gz",
            "",
            ",,;",
        ] {
            assert_eq!(order(&[value]), [""; 0], "{value}");
        }
    }
}
