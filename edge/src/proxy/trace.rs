//! Which trace a request belongs to, and whether its span is recorded.
//!
//! A trace that was begun elsewhere is continued. Whether it is recorded was decided there, and a
//! trusted proxy's word is taken for it; of those that anybody else says are recorded, as of those
//! that begin here, one in so many is, by the number of the trace, so that nobody on the Internet
//! decides how much is exported.

use super::caller::is_in;
use super::exchange::Peer;
use super::request_id::unguessable;
use crate::config::{Forwarding, Tracing};
use crate::message::Fields;
use crate::observe::trace::{SpanIds, TraceParent};

/// Of the trace's number, what is random in all of them (Trace Context Level 2 §3.2.2.3).
const RANDOM_BITS: u32 = 56;

/// What is done about the trace of a request.
pub(super) struct Trace {
    /// `traceparent` for the upstream; `None` passes on what came.
    pub(super) sends: Option<TraceParent>,
    /// The span to record.
    pub(super) span: Option<SpanIds>,
}

impl Trace {
    /// Decides about a request that came from `peer`.
    pub(super) fn of(
        fields: &Fields,
        peer: &Peer,
        tracing: &Tracing,
        forwarding: &Forwarding,
    ) -> Trace {
        let came = incoming(fields);
        let is_chosen = |trace: &[u8; 16]| is_chosen(trace, tracing.sample);
        let is_sampled = |came: TraceParent| {
            let is_trusted = || is_in(peer.addr.ip(), &forwarding.trusted);
            came.is_sampled && (is_trusted() || is_chosen(&came.trace))
        };
        let mut sends = begun();
        match came {
            Some(came) if is_sampled(came) => sends.trace = came.trace,
            // It stays whose it is.
            Some(_) => {
                return Trace {
                    sends: None,
                    span: None,
                };
            }
            None => sends.is_sampled = is_chosen(&sends.trace),
        }
        Trace {
            sends: Some(sends),
            span: sends.is_sampled.then_some(SpanIds {
                trace: sends.trace,
                span: sends.span,
                parent: came.map(|came| came.span),
            }),
        }
    }
}

impl Trace {
    /// The trace of a question that the edge asks about the request: a part of the request's span
    /// where that is recorded, and else what the request came with.
    pub(super) fn of_question(&self) -> Option<Trace> {
        let (sends, span) = (self.sends?, self.span?);
        let own = TraceParent {
            span: (unguessable().0 | 1).to_be_bytes(),
            ..sends
        };
        Some(Trace {
            sends: Some(own),
            span: Some(SpanIds {
                trace: own.trace,
                span: own.span,
                parent: Some(span.span),
            }),
        })
    }
}

/// The trace that a request says it belongs to: exactly one valid `traceparent`.
pub(super) fn incoming(fields: &Fields) -> Option<TraceParent> {
    let mut values = fields.values_of("traceparent");
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    TraceParent::parse(value)
}

/// The `tracestate` of a request, where it is in one piece.
pub(super) fn state(fields: &Fields) -> Option<&[u8]> {
    let mut values = fields.values_of("tracestate");
    values.next().filter(|_| values.next().is_none())
}

/// A trace of its own, sampled: who does not want it sampled has a tracer in front.
pub(super) fn begun() -> TraceParent {
    let (high, low) = unguessable();
    let mut trace = [0; 16];
    trace[..8].copy_from_slice(&(high | 1).to_be_bytes());
    trace[8..].copy_from_slice(&low.to_be_bytes());
    TraceParent {
        trace,
        span: (unguessable().0 | 1).to_be_bytes(),
        is_sampled: true,
    }
}

fn is_chosen(trace: &[u8; 16], one_in: u32) -> bool {
    let [.., a, b, c, d, e, f, g] = *trace;
    let random = u64::from_be_bytes([0, a, b, c, d, e, f, g]);
    random < (1 << RANDOM_BITS) / u64::from(one_in)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const UNSAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

    fn decide(from: &str, values: &[&str], sample: u32) -> Trace {
        let mut fields = Fields::default();
        for value in values {
            fields.push(b"traceparent", value.as_bytes());
        }
        let tracing = Tracing {
            endpoint: String::new(),
            sample,
            service: String::new(),
        };
        let trusted: crate::cidr::Parsed = "10.0.0.0/8".parse().expect("a network");
        let forwarding = Forwarding {
            trusted: vec![trusted.cidr],
            ..Forwarding::default()
        };
        let peer = Peer::new(from.parse().expect("an address"), None);
        Trace::of(&fields, &peer, &tracing, &forwarding)
    }

    #[test]
    fn a_trace_that_came_goes_on_with_a_span_of_our_own() {
        let trace = decide("192.0.2.1:1", &[SAMPLED], 1);
        let came = TraceParent::parse(SAMPLED.as_bytes()).expect("it is valid");
        let sends = trace.sends.expect("it is changed");
        let ids = trace.span.expect("it is recorded");
        assert_eq!((sends.trace, sends.is_sampled), (came.trace, true));
        assert_eq!(
            (ids.trace, ids.span, ids.parent),
            (came.trace, sends.span, Some(came.span))
        );
        assert_ne!(sends.span, came.span);
    }

    #[test]
    fn a_question_is_a_part_of_the_request() {
        let trace = decide("192.0.2.1:1", &[SAMPLED], 1);
        let question = trace.of_question().expect("it is recorded");
        let (ids, asked) = (
            trace.span.expect("recorded"),
            question.span.expect("as well"),
        );
        assert_eq!((asked.trace, asked.parent), (ids.trace, Some(ids.span)));
        let sends = question.sends.expect("the service is told");
        assert_eq!((sends.trace, sends.span), (asked.trace, asked.span));
        assert_ne!(asked.span, ids.span);
        assert!(
            decide("192.0.2.1:1", &[UNSAMPLED], 1)
                .of_question()
                .is_none()
        );
    }

    #[test]
    fn what_is_not_recorded_passes_as_it_came() {
        let passes = |trace: Trace| trace.sends.is_none() && trace.span.is_none();
        assert!(passes(decide("192.0.2.1:1", &[UNSAMPLED], 1)));
        assert!(passes(decide("10.0.0.1:1", &[UNSAMPLED], 1)));
        // Nobody but a proxy of ours decides how much is recorded.
        assert!(passes(decide("192.0.2.1:1", &[SAMPLED], 1_000_000)));
        assert!(decide("10.0.0.1:1", &[SAMPLED], 1_000_000).span.is_some());
    }

    #[test]
    fn traces_begin_here_where_none_came_and_one_in_so_many_is_recorded() {
        for values in [&[][..], &["nonsense"], &[SAMPLED, SAMPLED]] {
            let trace = decide("192.0.2.1:1", values, 1);
            assert_eq!(trace.span.expect("it is recorded").parent, None);
        }
        let count = (0..20_000)
            .map(|_| decide("192.0.2.1:1", &[], 10))
            .filter(|trace| trace.span.is_some())
            .inspect(|trace| assert!(trace.sends.is_some_and(|sends| sends.is_sampled)))
            .count();
        assert!((1_500..2_500).contains(&count), "{count} of 20000");
    }
}
