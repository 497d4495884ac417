//! The options of a line, read one after the other.

use super::reason::Reason;
use crate::config::problem::{Line, Problem};
use crate::domain::haproxy_tls::{FileReference, TlsVersion, TlsVersions};
use crate::domain::words::Word;

/// The words of a line that have not been read yet.
pub(super) struct Options<'a> {
    pub(super) line: Line<'a>,
    words: std::slice::Iter<'a, Word>,
    problems: &'a mut Vec<Problem<Reason>>,
}

impl<'a> Options<'a> {
    pub(super) fn new(
        line: Line<'a>,
        words: &'a [Word],
        problems: &'a mut Vec<Problem<Reason>>,
    ) -> Self {
        Self {
            line,
            words: words.iter(),
            problems,
        }
    }

    pub(super) fn next(&mut self) -> Option<&'a Word> {
        self.words.next()
    }

    /// The argument of `keyword`; that it has none is a problem.
    pub(super) fn argument(&mut self, keyword: &Word) -> Option<&'a Word> {
        let argument = self.words.next();
        if argument.is_none() {
            let reason = Reason::MissingArgument {
                keyword: keyword.value.clone(),
            };
            self.refuse(keyword, reason);
        }
        argument
    }

    /// The argument of `keyword` as text.
    pub(super) fn text(&mut self, keyword: &Word) -> Option<String> {
        Some(self.argument(keyword)?.value.clone())
    }

    /// The argument of `keyword` as a file.
    pub(super) fn file(&mut self, keyword: &Word, base: Option<&str>) -> Option<FileReference> {
        let written = self.text(keyword)?;
        Some(FileReference {
            line: self.line.number,
            path: resolve(&written, base),
            written,
        })
    }

    /// The argument of `keyword`, which is one of a few.
    pub(super) fn choice<T: Copy, const N: usize>(
        &mut self,
        keyword: &Word,
        names: &'static [&'static str; N],
        values: [T; N],
    ) -> Option<T> {
        let argument = self.argument(keyword)?;
        let found = names.iter().position(|name| *name == argument.value);
        if found.is_none() {
            let reason = Reason::UnknownValue {
                keyword: keyword.value.clone(),
                value: argument.value.clone(),
                known: names,
            };
            self.refuse(argument, reason);
        }
        found.map(|at| values[at])
    }

    /// Whether `keyword` is about protocol versions; then it was read.
    pub(super) fn version(&mut self, keyword: &Word, versions: &mut TlsVersions) -> bool {
        match keyword.value.as_str() {
            "ssl-max-ver" => versions.max = self.version_name(keyword).or(versions.max),
            "ssl-min-ver" => versions.min = self.version_name(keyword).or(versions.min),
            other => {
                if let Some(version) = named(other, "force-") {
                    (versions.min, versions.max) = (Some(version), Some(version));
                } else if let Some(version) = named(other, "no-") {
                    versions.without.insert(version);
                } else {
                    return false;
                }
            }
        }
        true
    }

    fn version_name(&mut self, keyword: &Word) -> Option<TlsVersion> {
        const NAMES: [&str; 5] = {
            let [a, b, c, d, e] = TlsVersion::NAMES;
            [a.0, b.0, c.0, d.0, e.0]
        };
        let values = TlsVersion::NAMES.map(|(_, _, version)| version);
        self.choice(keyword, &NAMES, values)
    }

    /// Notes what is wrong at `word`.
    pub(super) fn refuse(&mut self, word: &Word, reason: Reason) {
        let problem = self.line.problem(Some(word.start + 1), reason);
        self.problems.push(problem);
    }

    /// Notes that `keyword` is no option of such a line.
    pub(super) fn unknown(&mut self, keyword: &Word, line: &'static str) {
        let reason = Reason::UnknownKeyword {
            keyword: keyword.value.clone(),
            line,
        };
        self.refuse(keyword, reason);
    }

    /// Notes the next word, for which the line has no place.
    pub(super) fn end(&mut self) -> bool {
        match self.next() {
            None => true,
            Some(word) => {
                let reason = Reason::UnexpectedWord {
                    word: word.value.clone(),
                };
                self.refuse(word, reason);
                false
            }
        }
    }
}

fn named(word: &str, prefix: &str) -> Option<TlsVersion> {
    let name = word.strip_prefix(prefix)?;
    let mut names = TlsVersion::NAMES.into_iter();
    names.find_map(|(_, other, version)| (other == name).then_some(version))
}

/// A relative path stands behind its base. HAProxy 2.6 makes no exception, not even for
/// `@system-ca`.
pub(super) fn resolve(written: &str, base: Option<&str>) -> String {
    match base {
        Some(base) if !written.starts_with('/') => format!("{base}/{written}"),
        _ => written.to_owned(),
    }
}
