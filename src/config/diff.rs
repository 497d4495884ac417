//! What would change in a text, as `diff -u` shows it.

use similar::TextDiff;

/// A unified diff without the names of files, with three lines around each change; empty for equal
/// texts. What is not UTF-8 is shown as such.
#[must_use]
pub fn unified(old: &[u8], new: &[u8]) -> String {
    let (old, new) = (String::from_utf8_lossy(old), String::from_utf8_lossy(new));
    let diff = TextDiff::from_lines(&*old, &*new);
    diff.unified_diff().context_radius(3).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_shown_with_what_is_around_it() {
        let old = b"a\nb\nc\nd\ne\nf\n";
        let new = b"a\nb\nc\nd\nE\nf\n";
        assert_eq!(
            unified(old, new),
            "@@ -2,5 +2,5 @@\n b\n c\n d\n-e\n+E\n f\n"
        );
        assert_eq!(unified(old, old), "");
    }
}
