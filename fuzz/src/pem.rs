//! PEM: every BEGIN and END line is accounted for, whatever stands around them.

use zpki::x509::path_certificate::PathCertificate;
use zpki::x509::path_crl::PathCrl;
use zpki::x509::pem::{self, Block};

use super::assert_harmless;

const PLANTED: &str = "-----BEGIN PLANTED-----\nAAECAwQF\n-----END PLANTED-----\n";

/// The input is a file.
pub fn run(bytes: &[u8]) {
    let blocks = pem::scan(bytes);
    if let [Err(error)] = &blocks[..]
        && error.line().is_none()
    {
        return assert_harmless(error);
    }
    assert_accounted_for(bytes, blocks.len());
    let lines = count_lines(bytes);
    for block in &blocks {
        match block {
            Ok(block) => {
                assert!(block.line < block.end_line && block.end_line <= lines);
                assert_written_is_read(block);
                let _ = PathCertificate::from_der(&block.contents);
                let _ = PathCrl::from_der(&block.contents);
            }
            Err(error) => {
                assert_harmless(error);
                let line = error.line().expect("an error of a block has a line");
                assert!((1..=lines).contains(&line), "{error}: {line} of {lines}");
            }
        }
    }
    // Nothing hides what is behind it.
    let followed = [bytes, b"\n", PLANTED.as_bytes()].concat();
    let behind = pem::scan(&followed);
    let Some(Ok(last)) = behind.last() else {
        panic!("the last block is lost: {behind:?}");
    };
    assert_eq!(
        (&*last.label, &**last.contents),
        ("PLANTED", &[0, 1, 2, 3, 4, 5][..])
    );
    assert_eq!(last.end_line, count_lines(&followed));
    assert_eq!(behind.len(), blocks.len() + 1);
}

/// Each BEGIN line makes an item, and so does each END line that has none.
fn assert_accounted_for(bytes: &[u8], items: usize) {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let (mut expected, mut is_open) = (0, false);
    for line in text.split(|octet| matches!(octet, b'\n' | b'\r')) {
        let mut rest = line;
        // A BEGIN may follow on the line of an END.
        while let Some((is_begin, behind)) = boundary(rest) {
            expected += usize::from(is_begin || !is_open);
            is_open = is_begin;
            rest = match is_begin {
                true => b"",
                false => Some(behind)
                    .filter(|it| is_begin_line(it))
                    .unwrap_or_default(),
            };
        }
    }
    assert_eq!(items, expected);
}

fn is_begin_line(line: &[u8]) -> bool {
    boundary(line).is_some_and(|(is_begin, _)| is_begin)
}

/// Whether a line is a BEGIN or an END line, and what is behind its dashes.
fn boundary(line: &[u8]) -> Option<(bool, &[u8])> {
    let start = line.iter().position(|octet| *octet > b' ')?;
    let line = &line[start..];
    let begin = line.strip_prefix(b"-----BEGIN ");
    let rest = begin.or_else(|| line.strip_prefix(b"-----END "))?;
    let end = rest.windows(5).position(|octets| octets == b"-----")?;
    let label = str::from_utf8(&rest[..end]).ok()?;
    let is_label = !label.chars().any(char::is_control);
    is_label.then_some((begin.is_some(), &rest[end + 5..]))
}

/// Lines that end in LF, CRLF or CR; what is behind the last of them is one too.
fn count_lines(bytes: &[u8]) -> usize {
    let ends = |(at, octet): (usize, &u8)| match octet {
        b'\n' => at == 0 || bytes[at - 1] != b'\r',
        octet => *octet == b'\r',
    };
    let count = bytes.iter().enumerate().filter(|it| ends(*it)).count();
    let is_ended = bytes
        .last()
        .is_none_or(|last| matches!(last, b'\n' | b'\r'));
    count + usize::from(!is_ended)
}

fn assert_written_is_read(block: &Block) {
    let text = pem::encode("WRITTEN", &block.contents);
    let [Ok(again)] = &pem::scan(text.as_bytes())[..] else {
        panic!("one block was written: {text}");
    };
    assert_eq!(*again.contents, *block.contents);
    assert!(again.oddity.is_none() && again.refused().is_none());
}
