//! What the keeper keeps of the rights it was started with.

use caps::Capability;

use crate::server::privileges::{PrivilegeError, keep_only};

/// Read what only root may read; bind ports below 1024; attach the kernel program.
const KEPT: [Capability; 5] = [
    Capability::CAP_DAC_READ_SEARCH,
    Capability::CAP_NET_BIND_SERVICE,
    Capability::CAP_BPF,
    Capability::CAP_NET_ADMIN,
    Capability::CAP_PERFMON,
];

/// Gives up everything else.
pub(super) fn reduce() -> Result<(), PrivilegeError> {
    keep_only(&KEPT)
}
