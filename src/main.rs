//! The program; the library's front page says where to start reading.

use std::process::ExitCode;

use zpki::system::System;

#[expect(clippy::disallowed_methods, reason = "this is where arguments come in")]
fn main() -> ExitCode {
    let status = zpki::cli::run(std::env::args_os(), &mut System::real());
    ExitCode::from(status.code())
}
