//! Patterns for paths: which files are meant, and which are not to be looked at.
//!
//! `?` is one character, `*` any number of them, `[a-z]` and `[!a-z]` one of a class, `{a,b}` one or
//! the other, a whole component `**` any number of directories; `\` takes away the meaning of the
//! character behind it. No wildcard matches a `/`; all of them match a leading dot, for directories
//! are read with their dot-files as well. Octets that are no UTF-8 are characters of their own.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::error::Invalid;

mod name;

use name::NamePattern;

/// Braces of a pattern, and what they stand for: enough for people, and few enough that no pattern
/// takes the memory of a machine.
const MOST_BRACES: usize = 16;
const MOST_ALTERNATIVES: usize = 1024;

/// Components of a pattern from its first wildcard on: a bit of [`Progress`] for each, and one for
/// the end.
const MOST_COMPONENTS: usize = 63;

/// Paths that are meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pattern {
    globs: Vec<Glob>,
}

/// A pattern without braces.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Glob {
    /// The directory where its first wildcard is looked for; empty for the current one.
    pub base: PathBuf,
    components: Components,
}

/// How much of a pattern a directory has matched. From there, [`Glob::enter`] goes on.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Progress(u64);

/// What is not to be looked at: a pattern without `/` is compared with each name, one with `/` with
/// the whole path as it is walked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Exclusion {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Rule {
    Name(NamePattern),
    Path(Components),
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Components(Vec<Component>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Component {
    /// `**`: any number of names.
    AnyDepth,
    Name(NamePattern),
}

impl Pattern {
    /// Whether a path has a character that patterns have.
    #[must_use]
    pub fn has_wildcard(path: &Path) -> bool {
        let octets = path.as_os_str().as_bytes();
        octets.iter().any(|octet| b"*?[{".contains(octet))
    }

    /// Reads a pattern.
    ///
    /// # Errors
    /// [`Invalid::Pattern`].
    pub fn new(text: &OsStr) -> Result<Self, Invalid> {
        let globs = alternatives(text.as_bytes())
            .and_then(|texts| texts.iter().map(|text| Glob::parse(text)).collect());
        globs
            .map(|globs| Self { globs })
            .map_err(|because| invalid(text, because))
    }

    /// Each way to fill in its braces.
    #[must_use]
    pub fn globs(&self) -> &[Glob] {
        &self.globs
    }
}

impl Glob {
    fn parse(text: &[u8]) -> Result<Self, &'static str> {
        let mut components = Components::parse(text)?;
        let literals: Vec<_> = components.0.iter().map_while(Component::literal).collect();
        components.0.drain(..literals.len());
        components.check()?;
        let root = text.starts_with(b"/").then_some(PathBuf::from("/"));
        let mut base = root.unwrap_or_default();
        base.extend(literals.iter().filter(|name| !name.is_empty()));
        Ok(Self { base, components })
    }

    /// Where [`Glob::base`] stands.
    #[must_use]
    pub fn start(&self) -> Progress {
        self.components.start()
    }

    /// Where something of this name stands in a directory that stands at `progress`; None when it
    /// does not match, nor anything below it can.
    #[must_use]
    pub fn enter(&self, progress: Progress, name: &OsStr) -> Option<Progress> {
        self.components.enter(progress, name.as_bytes())
    }

    /// Whether all of the pattern was matched.
    #[must_use]
    pub fn is_matched(&self, progress: Progress) -> bool {
        self.components.is_matched(progress)
    }

    /// The only name that can match in a directory that stands at `progress`, if there is only one:
    /// the directory need not be listed then.
    #[must_use]
    pub fn only_name(&self, progress: Progress) -> Option<OsString> {
        if !progress.0.is_power_of_two() {
            return None;
        }
        let at = progress.0.trailing_zeros();
        self.components.0.get(at as usize)?.literal()
    }
}

impl Exclusion {
    /// Reads what is to be excluded. A slash at the end is of no meaning.
    ///
    /// # Errors
    /// [`Invalid::Pattern`].
    pub fn new(text: &OsStr) -> Result<Self, Invalid> {
        let rules = alternatives(text.as_bytes())
            .and_then(|texts| texts.iter().map(|text| Rule::parse(text)).collect());
        rules
            .map(|rules| Self { rules })
            .map_err(|because| invalid(text, because))
    }

    /// Whether what stands at `path` is excluded, and all below it.
    #[must_use]
    pub fn excludes(&self, path: &Path) -> bool {
        self.rules.iter().any(|rule| match rule {
            Rule::Name(name) => path
                .file_name()
                .is_some_and(|own| name.matches(own.as_bytes())),
            Rule::Path(components) => components.match_path(path.as_os_str().as_bytes()),
        })
    }
}

impl FromStr for Exclusion {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::new(OsStr::new(text))
    }
}

impl TryFrom<OsString> for Exclusion {
    type Error = Invalid;

    fn try_from(text: OsString) -> Result<Self, Invalid> {
        Self::new(&text)
    }
}

impl Rule {
    fn parse(text: &[u8]) -> Result<Self, &'static str> {
        let end = text.iter().rposition(|octet| *octet != b'/');
        let text = &text[..end.map_or(text.len(), |last| last + 1)];
        if text.contains(&b'/') {
            let components = Components::parse(text)?;
            components.check()?;
            Ok(Self::Path(components))
        } else {
            Ok(Self::Name(NamePattern::parse(text)?))
        }
    }
}

impl Components {
    fn parse(text: &[u8]) -> Result<Self, &'static str> {
        names(text)
            .map(Component::parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.0.len() > MOST_COMPONENTS {
            return Err("has more than 63 components");
        }
        Ok(())
    }

    fn start(&self) -> Progress {
        self.closed(1)
    }

    fn enter(&self, progress: Progress, name: &[u8]) -> Option<Progress> {
        let mut reached = 0;
        for (at, component) in self.0.iter().enumerate() {
            if progress.0 & (1 << at) != 0 {
                reached |= match component {
                    Component::AnyDepth => 1 << at,
                    Component::Name(pattern) if pattern.matches(name) => 1 << (at + 1),
                    Component::Name(_) => 0,
                };
            }
        }
        (reached != 0).then(|| self.closed(reached))
    }

    /// `**` matches nothing, too: whoever stands before it stands behind it as well.
    fn closed(&self, mut reached: u64) -> Progress {
        for (at, component) in self.0.iter().enumerate() {
            if *component == Component::AnyDepth {
                reached |= (reached & (1 << at)) << 1;
            }
        }
        Progress(reached)
    }

    fn is_matched(&self, progress: Progress) -> bool {
        progress.0 & (1 << self.0.len()) != 0
    }

    fn match_path(&self, path: &[u8]) -> bool {
        let end = names(path).try_fold(self.start(), |progress, name| self.enter(progress, name));
        end.is_some_and(|progress| self.is_matched(progress))
    }
}

impl Component {
    fn parse(text: &[u8]) -> Result<Self, &'static str> {
        if text == b"**" {
            Ok(Self::AnyDepth)
        } else {
            NamePattern::parse(text).map(Self::Name)
        }
    }

    fn literal(&self) -> Option<OsString> {
        match self {
            Self::AnyDepth => None,
            Self::Name(pattern) => pattern.literal().map(OsString::from_vec),
        }
    }
}

/// The names of a path or a pattern: an empty one first where it is absolute, so that nothing
/// relative matches it.
fn names(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let names = text.split(|octet| *octet == b'/').enumerate();
    names.filter_map(|(at, name)| match name {
        b"." => None,
        b"" if at > 0 => None,
        name => Some(name),
    })
}

/// Fills in the braces, in every way that leaves something.
fn alternatives(text: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    if text.iter().filter(|octet| **octet == b'{').count() > MOST_BRACES {
        return Err("has more than 16 braces");
    }
    let mut done = Vec::new();
    let mut open = vec![text.to_vec()];
    while let Some(text) = open.pop() {
        let Some(braces) = first_braces(&text)? else {
            if !text.is_empty() {
                done.push(text);
            }
            continue;
        };
        for between in braces.commas.windows(2) {
            let alternative = &text[between[0] + 1..between[1]];
            let (before, after) = (&text[..braces.commas[0]], &text[braces.end..]);
            open.push([before, alternative, after].concat());
        }
        if open.len() + done.len() > MOST_ALTERNATIVES {
            return Err("stands for more than 1024 patterns");
        }
    }
    if done.is_empty() {
        return Err("is empty");
    }
    Ok(done)
}

/// The first pair of braces: its `{`, its commas and its `}`, and what follows.
struct Braces {
    commas: Vec<usize>,
    end: usize,
}

fn first_braces(text: &[u8]) -> Result<Option<Braces>, &'static str> {
    let mut depth = 0;
    let mut commas = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'\\' => at += 1,
            b'[' => at = class_end(text, at).unwrap_or(at),
            b'{' => {
                if depth == 0 {
                    commas.push(at);
                }
                depth += 1;
            }
            b',' if depth == 1 => commas.push(at),
            b'}' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    commas.push(at);
                    return Ok(Some(Braces {
                        commas,
                        end: at + 1,
                    }));
                }
            }
            _ => {}
        }
        at += 1;
    }
    if depth > 0 {
        return Err("has a `{` without its `}`");
    }
    Ok(None)
}

/// Where the class ends that begins at `start`, so that a brace in it is only a character; None when
/// it does not end, which [`NamePattern::parse`] will say.
fn class_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    if matches!(text.get(at), Some(b'!' | b'^')) {
        at += 1;
    }
    let first = at;
    loop {
        match text.get(at)? {
            b'/' => return None,
            b'\\' => at += 1,
            b']' if at > first => return Some(at),
            _ => {}
        }
        at += 1;
    }
}

fn invalid(text: &OsStr, because: &'static str) -> Invalid {
    Invalid::Pattern {
        text: text.to_string_lossy().into_owned(),
        because,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> Glob {
        let pattern = Pattern::new(OsStr::new(text)).unwrap();
        assert_eq!(pattern.globs().len(), 1);
        pattern.globs()[0].clone()
    }

    fn excludes(text: &str, path: &str) -> bool {
        let exclusion: Exclusion = text.parse().unwrap();
        exclusion.excludes(Path::new(path))
    }

    #[test]
    fn a_glob_begins_where_its_first_wildcard_is() {
        for (text, base) in [
            ("*.pem", ""),
            ("./*.pem", ""),
            ("/*.pem", "/"),
            ("/etc//ssl/./*/a.pem", "/etc/ssl"),
            ("../a\\*b/*", "../a*b"),
            ("**/a", ""),
            ("a/b", "a/b"),
        ] {
            assert_eq!(glob(text).base, Path::new(base), "{text}");
        }
    }

    #[test]
    fn a_glob_is_matched_name_by_name() {
        let matches = |text: &str, path: &str| {
            let glob = glob(text);
            let mut names = path.split('/');
            let end = names.try_fold(glob.start(), |progress, name| {
                glob.enter(progress, OsStr::new(name))
            });
            end.map(|progress| glob.is_matched(progress))
        };
        let (yes, no, not_yet) = (Some(true), None, Some(false));
        for (text, path, expected) in [
            ("*", "a", yes),
            ("*", "a/b", no),
            ("*/x", "a", not_yet),
            ("*/x", "a/x", yes),
            ("*/x", "a/y", no),
            ("**", "a/b/c", yes),
            ("**/x", "x", yes),
            ("**/x", "a/b/x", yes),
            ("**/x", "x/a", not_yet),
            ("**/x", "x/a/x", yes),
            ("**/**/x", "x", yes),
            ("**/a/*.pem", "a/a/b.pem", yes),
            ("**/a/*.pem", "b.pem", not_yet),
            ("*/**", "a", yes),
            ("a*/**/b/", "a1/c/b", yes),
            ("a*/**/b/", "c", no),
        ] {
            assert_eq!(matches(text, path), expected, "{text} {path}");
        }
        assert!(glob("**").is_matched(glob("**").start()));
    }

    #[test]
    fn a_directory_need_not_be_listed_for_one_name() {
        let glob = glob("live/*/cert.pem");
        assert_eq!(glob.only_name(glob.start()), None);
        let below = glob.enter(glob.start(), OsStr::new("a.example")).unwrap();
        assert_eq!(glob.only_name(below).unwrap(), "cert.pem");
        let matched = glob.enter(below, OsStr::new("cert.pem")).unwrap();
        assert_eq!(glob.only_name(matched), None);
    }

    #[test]
    fn braces_are_filled_in() {
        let filled = |text: &str| {
            let mut all = alternatives(text.as_bytes())
                .unwrap()
                .into_iter()
                .map(|text| String::from_utf8(text).unwrap())
                .collect::<Vec<_>>();
            all.sort();
            all
        };
        assert_eq!(filled("a{b,c/d}e"), ["abe", "ac/de"]);
        assert_eq!(
            filled("{a,b{c,d}}{,x}"),
            ["a", "ax", "bc", "bcx", "bd", "bdx"]
        );
        assert_eq!(filled("{a}"), ["a"]);
        assert_eq!(filled("{,a}"), ["a"]);
        assert_eq!(filled("a\\{b,c\\}[{,}]d}"), ["a\\{b,c\\}[{,}]d}"]);
        assert_eq!(filled("{a\\,b,[,]}"), ["[,]", "a\\,b"]);
    }

    #[test]
    fn exclusions_see_names_or_whole_paths() {
        for (text, path, expected) in [
            ("archive", "/etc/archive", true),
            ("archive/", "/etc/archive", true),
            ("archive", "/etc/archive/x", false),
            ("archive", "/etc/archives", false),
            ("*.bak", "a/b.pem.bak", true),
            ("*.{bak,old}", "b.old", true),
            ("/etc/ssl", "/etc/ssl", true),
            ("/etc/ssl", "/etc/ssl/x", false),
            ("etc/ssl", "/etc/ssl", false),
            ("a/*", "./a/b", true),
            ("./a//b", "a/b", true),
            ("**/old", "/etc/x/old", true),
            ("**/old", "old", true),
            ("**/old/**", "/etc/old", true),
            ("**/old/**", "/etc/old/x", true),
            ("!a", "b", false),
        ] {
            assert_eq!(excludes(text, path), expected, "{text} {path}");
        }
    }

    #[test]
    fn impossible_patterns_are_refused() {
        let many = "{a,b}".repeat(11);
        let deep = "{".repeat(17);
        let long = "*/".repeat(64);
        for (text, because) in [
            ("", "is empty"),
            ("{}", "is empty"),
            ("a{b,c", "has a `{` without its `}`"),
            ("a[/]", "has a `[` without its `]`"),
            (&many, "stands for more than 1024 patterns"),
            (&deep, "has more than 16 braces"),
            (&long, "has more than 63 components"),
        ] {
            let refused = Invalid::Pattern {
                text: text.to_owned(),
                because,
            };
            assert_eq!(Pattern::new(OsStr::new(text)), Err(refused.clone()));
            assert_eq!(text.parse::<Exclusion>(), Err(refused));
        }
        assert!(Pattern::new(OsStr::new(&"*/".repeat(63))).is_ok());
    }
}
