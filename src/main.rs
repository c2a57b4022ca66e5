//! The `leadscore` command.

use std::process::ExitCode;

use leadscore::command;

/// Gives memory back that a burst of requests has needed; the C library's allocator keeps it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    command::main()
}
