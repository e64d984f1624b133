//! Tests of the kernel plane against the running kernel. They need root and BPF, and fail without.
//!
//! They run the program on single frames through `BPF_PROG_TEST_RUN`, attached to nothing.

mod frame;
mod harness;
mod verdicts;
