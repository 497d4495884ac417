//! `crt-list`: a file with a certificate on each line, before its options and its names.

use crate::domain::haproxy_tls::FileReference;

/// The files that a crt-list names. A path that does not begin with `/` stands behind `crt-base`, or in
/// the directory that HAProxy is started in: it is left as it is written.
#[must_use]
pub fn read_crt_list(text: &[u8]) -> Vec<FileReference> {
    let text = String::from_utf8_lossy(text);
    let first_words = text.lines().map(|line| line.split_whitespace().next());
    let named = first_words.zip(1..).filter_map(|(word, line)| {
        let word = word.filter(|word| !word.starts_with('#'))?;
        Some(FileReference {
            line,
            written: word.to_owned(),
            path: word.to_owned(),
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
        let found = read_crt_list(text);
        let found: Vec<_> = found.iter().map(|it| (it.line, &*it.path)).collect();
        assert_eq!(found, [(3, "/a.pem"), (4, "b.pem")]);
    }
}
