//! Everything the kernel programs and the proxy must agree on.
#![no_std]
