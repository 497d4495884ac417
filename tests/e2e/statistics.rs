//! What HAProxy says on its statistics socket.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Longer than HAProxy's own timeouts.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// No answer here is near this long.
const LONGEST_ANSWER: u64 = 1 << 20;

/// The rows of `show stat`, values by their headings.
pub(crate) fn show_stat(socket: &Path) -> Vec<BTreeMap<String, String>> {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(b"show stat\n").unwrap();
    stream.set_read_timeout(Some(READ_TIMEOUT)).unwrap();
    let table = read_answer(stream);
    let mut lines = table.lines();
    let headings: Vec<&str> = lines.next().unwrap().split(',').collect();
    let row = |line: &str| {
        let headings = headings.iter().map(|&heading| heading.to_owned());
        headings.zip(line.split(',').map(str::to_owned)).collect()
    };
    lines.filter(|line| !line.is_empty()).map(row).collect()
}

/// What a stream gives until its end.
pub(super) fn read_answer(stream: impl Read) -> String {
    let mut answer = String::new();
    stream
        .take(LONGEST_ANSWER)
        .read_to_string(&mut answer)
        .unwrap();
    answer
}
