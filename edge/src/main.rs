//! The `edge` binary.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: edge::allocator::Allocator = edge::allocator::Allocator;

fn main() -> ExitCode {
    edge::cli::main()
}
