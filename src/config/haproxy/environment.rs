//! The environment variables that a configuration sees: those that HAProxy was started with, as
//! `setenv` and its like in `global` change them for the lines that follow.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::words::Lookup;

/// Variables by name.
pub(super) struct Environment<'a> {
    outer: Lookup<'a>,
    /// What the file has set, or unset.
    changed: BTreeMap<String, Option<String>>,
    /// After `resetenv`, only what it names is left of the outer ones.
    kept: Option<BTreeSet<String>>,
}

impl<'a> Environment<'a> {
    pub(super) fn new(outer: Lookup<'a>) -> Self {
        Self {
            outer,
            changed: BTreeMap::new(),
            kept: None,
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        if let Some(value) = self.changed.get(name) {
            return value.clone();
        }
        self.kept
            .as_ref()
            .is_none_or(|kept| kept.contains(name))
            .then(|| (self.outer)(name))
            .flatten()
    }

    /// `setenv`.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.changed.insert(name.to_owned(), Some(value.to_owned()));
    }

    /// `presetenv`: leaves a variable that is set as it is.
    pub(super) fn preset(&mut self, name: &str, value: &str) {
        if self.get(name).is_none() {
            self.set(name, value);
        }
    }

    /// `unsetenv`.
    pub(super) fn unset(&mut self, name: &str) {
        self.changed.insert(name.to_owned(), None);
    }

    /// `resetenv`: unsets all but `names`.
    pub(super) fn reset<'n>(&mut self, names: impl Iterator<Item = &'n str>) {
        let mut kept: BTreeSet<String> = names.map(str::to_owned).collect();
        self.changed.retain(|name, _| kept.contains(name));
        if let Some(before) = &self.kept {
            kept.retain(|name| before.contains(name));
        }
        self.kept = Some(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_changes_what_it_sees() {
        let outer = |name: &str| (name != "NONE").then(|| format!("outer {name}"));
        let mut environment = Environment::new(&outer);
        environment.preset("A", "a");
        environment.preset("NONE", "preset");
        environment.set("B", "b");
        environment.unset("C");
        let get = |environment: &Environment<'_>, name: &str| environment.get(name);
        assert_eq!(get(&environment, "A").unwrap(), "outer A");
        assert_eq!(get(&environment, "NONE").unwrap(), "preset");
        assert_eq!(get(&environment, "B").unwrap(), "b");
        assert_eq!(get(&environment, "C"), None);
        environment.reset(["B", "C", "D"].into_iter());
        assert_eq!(get(&environment, "A"), None);
        assert_eq!(get(&environment, "NONE"), None);
        assert_eq!(get(&environment, "B").unwrap(), "b");
        assert_eq!(get(&environment, "C"), None);
        assert_eq!(get(&environment, "D").unwrap(), "outer D");
        environment.reset(["A"].into_iter());
        assert_eq!(get(&environment, "A"), None);
        assert_eq!(get(&environment, "D"), None);
    }
}
