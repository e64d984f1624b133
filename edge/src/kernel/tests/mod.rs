//! Tests of the kernel plane against the running kernel. They need root and BPF, and fail without.
//!
//! Most run the program on single frames through `BPF_PROG_TEST_RUN`, attached to nothing;
//! `attached` and `errors` attach it inside network namespaces of their own.

mod attached;
mod bans;
mod ceiling;
mod errors;
mod evidence;
mod flood;
mod frame;
mod fuzz;
mod harness;
mod limits;
mod lists;
mod live;
mod mixed;
mod namespace;
mod reassembly;
mod reconfigure;
mod reload;
mod runner;
mod shape;
mod steer;
mod survival;
mod truncation;
mod unprivileged;
mod verdicts;
