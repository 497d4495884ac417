//! The section of a backend, in any HAProxy configuration.

use super::Line;
use super::configuration::begins_section;
use crate::config::unreadable::{Reason, Unreadable};
use crate::domain::settings::Backend;
use crate::domain::words::{Word, split};

/// The lines of the section `backend NAME` or `listen NAME`, without its first, and what is wrong
/// with it. HAProxy itself lets a `backend` and a `listen` section have one name.
pub(super) fn find_section<'a, 'b>(
    lines: &'b [Line<'a>],
    backend: &Backend,
) -> (&'b [Line<'a>], Vec<Unreadable>) {
    let headers: Vec<(usize, String)> = lines
        .iter()
        .enumerate()
        .filter_map(|(index, line)| Some((index, server_section(&line.words())?)))
        .collect();
    let wanted = backend.to_string();
    let mut named = headers.iter().filter(|(_, name)| *name == wanted);
    let Some((first, _)) = named.next() else {
        let others = headers.into_iter().map(|(_, name)| name).collect();
        let unreadable = Unreadable {
            backend: backend.clone(),
            at: None,
            reason: Reason::SectionNotFound { others },
        };
        return (&[], vec![unreadable]);
    };
    let first_line = lines[*first].number;
    let twice = named.map(|(index, _)| {
        let reason = Reason::SectionTwice { first: first_line };
        lines[*index].refused(backend, reason)
    });
    let rest = &lines[first + 1..];
    let end = rest.iter().position(|line| line.begins_section());
    (&rest[..end.unwrap_or(rest.len())], twice.collect())
}

/// The name of the section that `words` begin, if it may have servers.
fn server_section(words: &[Word]) -> Option<String> {
    match words {
        [keyword, name, ..] if matches!(keyword.value.as_str(), "backend" | "listen") => {
            Some(name.value.clone())
        }
        _ => None,
    }
}

impl Line<'_> {
    fn words(&self) -> Vec<Word> {
        split(&self.text()).words
    }

    fn begins_section(&self) -> bool {
        let words = self.words();
        words
            .first()
            .is_some_and(|word| begins_section(&word.value))
    }
}
