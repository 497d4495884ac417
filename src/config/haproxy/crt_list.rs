//! `crt-list`: a file with a certificate on each line, before its options and its names.

use super::options::resolve;
use crate::domain::haproxy_tls::FileReference;

/// The files that a crt-list names, behind `crt-base` when they are relative. Without it they are
/// relative to the directory that HAProxy is started in.
#[must_use]
pub fn read_crt_list(text: &[u8], crt_base: Option<&str>) -> Vec<FileReference> {
    let text = String::from_utf8_lossy(text);
    let first_words = text.lines().map(|line| line.split_whitespace().next());
    let named = first_words.zip(1..).filter_map(|(word, line)| {
        let word = word.filter(|word| !word.starts_with('#'))?;
        Some(FileReference {
            line,
            written: word.to_owned(),
            path: resolve(word, crt_base),
        })
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_names_a_file() {
        let text = b"# comment\n\n/a.pem [alpn h2] *.a.example\r\n  b.pem\n";
        let found = |base| {
            let found = read_crt_list(text, base).into_iter();
            found.map(|it| (it.line, it.path)).collect::<Vec<_>>()
        };
        let a = || (3, "/a.pem".to_owned());
        assert_eq!(found(None), [a(), (4, "b.pem".to_owned())]);
        assert_eq!(found(Some("/crt")), [a(), (4, "/crt/b.pem".to_owned())]);
    }
}
