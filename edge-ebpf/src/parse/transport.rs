//! TCP (RFC 9293) and UDP (RFC 768): to which port?

use edge_common::{ShieldConfig, Verdict};

use super::{Protocol, Segment};

/// The guarded port a segment is for; 0 when it is hidden, and so may be for any. `Err` is the
/// verdict on what needs no further look.
#[inline(always)]
pub(crate) fn port(segment: &Segment<'_>, config: &ShieldConfig) -> Result<u16, Verdict> {
    if segment.protocol == Protocol::Hidden {
        return Ok(0);
    }
    let [_, _, high, low] = *segment.payload.peek::<4>().ok_or(Verdict::Unparsed)?;
    let port = u16::from_be_bytes([high, low]);
    let guarded = match segment.protocol {
        Protocol::Tcp => config.tcp.contains(port),
        _ => config.udp.contains(port),
    };
    if guarded {
        Ok(port)
    } else {
        Err(Verdict::Unguarded)
    }
}
