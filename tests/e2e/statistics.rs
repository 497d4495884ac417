//! What HAProxy says on its statistics socket.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::process::wait_for;

/// Longer than HAProxy's own timeouts.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// No answer here is near this long.
const LONGEST_ANSWER: u64 = 1 << 20;

/// The rows of `show stat`, values by their headings. A HAProxy that is ending, and has its socket still,
/// resets the connection: then the next one is asked.
pub(crate) fn show_stat(socket: &Path) -> Vec<BTreeMap<String, String>> {
    let table = wait_for(
        || ask(socket, "show stat\n").ok(),
        || format!("an answer of HAProxy at {}", socket.display()),
    );
    let mut lines = table.lines();
    let headings: Vec<&str> = lines.next().unwrap().split(',').collect();
    let row = |line: &str| {
        let headings = headings.iter().map(|&heading| heading.to_owned());
        headings.zip(line.split(',').map(str::to_owned)).collect()
    };
    lines.filter(|line| !line.is_empty()).map(row).collect()
}

fn ask(socket: &Path, question: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    stream.write_all(question.as_bytes())?;
    read(stream)
}

/// What a stream gives until its end.
pub(super) fn read_answer(stream: impl Read) -> String {
    read(stream).unwrap()
}

fn read(stream: impl Read) -> io::Result<String> {
    let mut answer = String::new();
    stream.take(LONGEST_ANSWER).read_to_string(&mut answer)?;
    Ok(answer)
}
