//! The README's table of speed: `make bench` prints it, and writes it there. `cargo bench init` prints the
//! rows of benches/init.rs alone.
//!
//! Its exit status is 1 when a requirement is not met.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the doors of src/system.rs, src/store/ and src/scan/ are the program's, not its benches'"
)]

mod check;
mod expiry;
mod init;
mod lifecycle;
mod list;
mod measure;
mod peers;
mod side_by_side;

use std::env;
use std::process::ExitCode;

use measure::Table;

type Bench = fn(&mut Table);

/// In the order of the page.
const BENCHES: &[(&str, Bench)] = &[
    ("init", init::rows),
    ("lifecycle", lifecycle::rows),
    ("side_by_side", side_by_side::rows),
    ("check", check::rows),
    ("expiry", expiry::rows),
    ("list", list::rows),
];

fn main() -> ExitCode {
    // `cargo bench` adds `--bench`.
    let chosen: Vec<String> = env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let mut table = Table::begin();
    for (name, rows) in BENCHES {
        if chosen.is_empty() || chosen.iter().any(|word| word == name) {
            rows(&mut table);
        }
    }
    table.end()
}
