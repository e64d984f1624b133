//! Who commits no offences: this machine itself.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

/// Addresses that are not counted; clones share them. Looked at only when somebody has done wrong.
#[derive(Clone, Debug, Default)]
pub struct Spared(Arc<RwLock<Vec<IpAddr>>>);

impl Spared {
    /// These from now on.
    pub fn set(&self, addrs: Vec<IpAddr>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = addrs;
    }

    /// Whether an address, which is not an IPv4 one written as IPv6, is among them or of a loopback
    /// interface.
    pub fn has(&self, addr: IpAddr) -> bool {
        let addrs = self.0.read().unwrap_or_else(PoisonError::into_inner);
        addr.is_loopback() || addrs.contains(&addr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_once_all_know() {
        let spared = Spared::default();
        let (worker, own) = (spared.clone(), IpAddr::from([192, 0, 2, 1]));
        assert!(worker.has(IpAddr::from([127, 0, 0, 9])) && !worker.has(own));
        spared.set(vec![own]);
        assert!(worker.has(own) && !worker.has(IpAddr::from([192, 0, 2, 2])));
    }
}
