//! The `leadscore` command.

use std::process::ExitCode;

use leadscore::command;

/// Gives memory back to the system after a burst of requests. The C library's allocator would keep it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    command::main()
}
