//! The targets of cargo-fuzz, here without it: each on its seeds, and on every input that once failed
//! (fuzz/crashes/TARGET). `make fuzz` runs them on what libFuzzer makes of the seeds, which
//! `FUZZ_CORPUS=DIRECTORY cargo test fuzz::` writes.

mod seeds;
#[path = "../fuzz/src/lib.rs"]
pub(crate) mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use targets::TARGETS;
use zpki::x509::digest::sha256;

fn in_fuzz(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz")
        .join(path)
}

#[test]
fn what_the_targets_assert_holds_for_their_seeds_and_for_what_once_failed() {
    let corpus = std::env::var_os("FUZZ_CORPUS").map(PathBuf::from);
    let mut failed = Vec::new();
    for (name, run) in TARGETS {
        let mut inputs = seeds::seeds(name);
        assert!(inputs.len() >= 5, "{name} has {} seeds", inputs.len());
        if let Some(corpus) = &corpus {
            write(&corpus.join(name), &inputs);
        }
        inputs.extend(crashes(name));
        for (what, input) in inputs {
            if catch_unwind(AssertUnwindSafe(|| run(&input))).is_err() {
                failed.push(format!("{name}: {what}"));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

type Named = (String, Vec<u8>);

fn write(directory: &Path, inputs: &[Named]) {
    fs::create_dir_all(directory).unwrap();
    for (_, input) in inputs {
        fs::write(directory.join(sha256(input).to_string()), input).unwrap();
    }
}

/// The inputs that once failed, by the names of their files.
fn crashes(target: &str) -> Vec<Named> {
    let Ok(files) = fs::read_dir(in_fuzz("crashes").join(target)) else {
        return Vec::new();
    };
    let read = |file: PathBuf| (file.display().to_string(), fs::read(file).unwrap());
    files.map(|file| read(file.unwrap().path())).collect()
}

#[test]
fn cargo_fuzz_and_these_tests_know_the_same_targets() {
    let targets: BTreeSet<String> = TARGETS.map(|(name, _)| name.to_owned()).into();
    let names = |directory: &str, ending: &str| -> BTreeSet<String> {
        let files = fs::read_dir(in_fuzz(directory)).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names
            .map(|name| name.strip_suffix(ending).unwrap_or(&name).to_owned())
            .collect()
    };
    assert_eq!(names("fuzz_targets", ".rs"), targets);
    assert_eq!(names("dictionaries", ".dict"), targets);
    let manifest = fs::read_to_string(in_fuzz("Cargo.toml")).unwrap();
    let binaries = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/"));
    let binaries = binaries.map(|path| path.strip_suffix(".rs\"").unwrap().to_owned());
    assert_eq!(binaries.collect::<BTreeSet<_>>(), targets);
    if in_fuzz("crashes").exists() {
        assert!(names("crashes", "").is_subset(&targets));
    }
}

/// Each target is there, and with it the graphs, which `make fuzz` runs too; and none has found anything.
#[test]
fn the_readme_says_of_each_target_how_its_last_run_ended() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let results = fs::read_to_string(in_fuzz("RESULTS.md")).unwrap();
    let readme = fs::read_to_string(manifest.join("README.md")).unwrap();
    let (_, readme) = readme.split_once("<!-- fuzz -->").unwrap();
    let (readme, _) = readme.split_once("<!-- /fuzz -->").unwrap();
    let [recorded, told] = [&results, readme].map(rows);
    let targets = TARGETS.iter().map(|(name, _)| *name);
    let expected: BTreeSet<String> = targets.chain(["graphs"]).map(str::to_owned).collect();
    for rows in [&recorded, &told] {
        let names = rows.iter().map(|row| row[0].clone());
        assert_eq!(names.collect::<BTreeSet<_>>(), expected);
        assert_eq!(rows.len(), expected.len());
    }
    for (recorded, told) in recorded.iter().zip(&told) {
        let [target, _, seconds, runs, _, _, crashes, ..] = &recorded[..] else {
            panic!("{recorded:?}");
        };
        let [_, _, rest @ ..] = &told[..] else {
            panic!("{told:?}");
        };
        assert_eq!(
            rest,
            [seconds.clone(), runs.clone(), crashes.clone()],
            "{target}"
        );
        assert_eq!(crashes, "0", "{target}");
        let runs: u64 = runs.parse().unwrap();
        let is_graphs = target == "graphs";
        assert!(
            is_graphs || seconds.parse::<u64>().unwrap() >= 600,
            "{target}"
        );
        assert!(runs >= if is_graphs { 100_000 } else { 1 }, "{target}");
    }
}

/// The cells of a table, without its head.
fn rows(text: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Option<Vec<String>> {
        let line = line.strip_prefix("| ")?.strip_suffix(" |")?;
        Some(
            line.split(" | ")
                .map(|cell| cell.trim().to_owned())
                .collect(),
        )
    };
    text.lines().filter_map(cells).skip(1).collect()
}
