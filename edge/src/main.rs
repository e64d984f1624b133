//! The `edge` binary.

use std::process::ExitCode;

/// Many small allocations of short life on many threads are what mimalloc is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    edge::cli::main()
}
