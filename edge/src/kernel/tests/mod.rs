//! Tests of the kernel plane against the running kernel. They need root and BPF, and fail without.
//!
//! Most run the program on single frames through `BPF_PROG_TEST_RUN`, attached to nothing;
//! `attached` and `errors` attach it inside network namespaces of their own.

mod attached;
mod bans;
mod errors;
mod frame;
mod harness;
mod limits;
mod namespace;
mod reconfigure;
mod runner;
mod survival;
mod truncation;
mod unprivileged;
mod verdicts;
