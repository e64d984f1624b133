//! The kernel programs of `edge`: `shield`, an XDP program in front of everything else.
//!
//! `edge/build.rs` compiles this crate for the BPF target and embeds the object. For the host only
//! the parsing is compiled, without a program around it: so that the workspace's commands work on
//! every member, and the parser can be tested on inputs `BPF_PROG_TEST_RUN` refuses.
//!
//! The way of a packet is in [`shield`]. Whatever goes wrong in here lets the packet pass: the
//! shield takes load off the proxy, it is never what keeps an honest client out.

#![cfg_attr(
    target_arch = "bpf",
    no_std,
    no_main,
    feature(core_intrinsics),
    allow(
        internal_features,
        reason = "the only way to a compare-and-swap on BPF"
    )
)]
#![cfg_attr(
    not(target_arch = "bpf"),
    allow(dead_code, unused_imports, reason = "the caller exists on BPF only")
)]
#![allow(unsafe_code, reason = "packets and map values are raw kernel memory")]

mod packet;
mod parse;

#[cfg(target_arch = "bpf")]
mod bans;
#[cfg(target_arch = "bpf")]
mod clock;
#[cfg(target_arch = "bpf")]
mod evidence;
#[cfg(target_arch = "bpf")]
mod limits;
#[cfg(target_arch = "bpf")]
mod lists;
#[cfg(target_arch = "bpf")]
mod maps;
#[cfg(target_arch = "bpf")]
mod runtime;
#[cfg(target_arch = "bpf")]
mod shield;

#[cfg(not(target_arch = "bpf"))]
fn main() {}
