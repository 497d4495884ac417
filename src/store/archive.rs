//! A PKI directory as one file: an uncompressed tar archive (POSIX ustar) that any tar can list and
//! unpack.
//!
//! It holds directories, regular files, and as the last of these `SHA256SUMS`, which `sha256sum -c`
//! checks what was unpacked against. A reader takes what [`write()`] makes and nothing else: no links,
//! no devices, no extended headers, no name that leads out of a PKI directory, and not one octet that
//! the sums do not cover. So the format needs no more than this file, and an archive that was damaged,
//! cut off or made to do harm is refused before anything is written.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fmt::{self, Display, Formatter, Write as _};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Component, Path, PathBuf};

use zeroize::Zeroizing;

use crate::domain::digest::Digest;
use crate::domain::text::Quoted;
use crate::x509::digest::sha256;

use super::cluster_file;
use super::error::Error;
use super::fault::Faults;
use super::file::{Bytes, Directory, File, Tree};
use super::layout::{self, CA_CERTIFICATE, CLUSTER_FILE, PENDING, is_kept, widest_mode};
use super::output::Place;
use super::root::{LONGEST, parent};

/// The last file of an archive.
pub const SUMS: &str = "SHA256SUMS";

const BLOCK: usize = 512;
/// What an archive ends with.
const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];
/// It holds private keys.
const MODE: u32 = 0o600;

/// Why an archive cannot be restored.
#[derive(Debug)]
pub enum Unusable {
    /// It ends too early.
    CutOff,
    /// An octet is not what it was.
    Damaged {
        /// The file in which.
        path: PathBuf,
    },
    /// Something that no backup has.
    Entry {
        /// Its name, as it stands there.
        name: String,
        /// What is wrong with it.
        because: &'static str,
    },
    /// It cannot be read.
    Io(io::Error),
    /// A file is missing without which there is no PKI.
    Missing {
        /// The file.
        path: &'static str,
    },
    /// It is no archive of this kind.
    NoArchive,
}

impl Display for Unusable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutOff => f.write_str("it is cut off"),
            Self::Damaged { path } => {
                let path = path.to_string_lossy();
                write!(
                    f,
                    "{} is not what was backed up: its SHA-256 differs",
                    Quoted(&path)
                )
            }
            Self::Entry { name, because } => write!(f, "the entry {} {because}", Quoted(name)),
            Self::Io(error) => error.fmt(f),
            Self::Missing { path } => write!(f, "it has no {path}"),
            Self::NoArchive => f.write_str("it is no backup: not a POSIX tar archive, or damaged"),
        }
    }
}

impl std::error::Error for Unusable {}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::UnexpectedEof => Self::CutOff,
            _ => Self::Io(error),
        }
    }
}

/// Whether an archive can hold something at `path`: the name is text without what breaks a line, and
/// short enough for a ustar header.
#[must_use]
pub fn can_hold(path: &Path) -> bool {
    let name = path.to_str();
    name.is_some_and(|name| is_plain(name) && split(&format!("{name}/")).is_some())
}

fn is_plain(name: &str) -> bool {
    !name.contains(|c: char| c.is_control() || c == '\\')
}

/// How many octets [`write()`] writes.
#[must_use]
pub fn length(tree: &Tree) -> u64 {
    let entry = |length: usize| BLOCK + length.next_multiple_of(BLOCK);
    let files = tree.files.iter().map(|file| entry(file.bytes.len()));
    let files: usize = files.sum();
    (tree.directories.len() * BLOCK + files + entry(sums(tree).len()) + END.len()) as u64
}

/// Writes `tree`, of which [`can_hold`] is true for each path.
///
/// # Errors
/// What `out` answers.
pub fn write(tree: &Tree, modified: i64, out: &mut dyn Write) -> io::Result<()> {
    for directory in &tree.directories {
        let name = format!("{}/", directory.path.display());
        entry(out, &name, directory.mode, modified, None)?;
    }
    for file in &tree.files {
        let name = file.path.display().to_string();
        entry(out, &name, file.mode, modified, Some(&file.bytes))?;
    }
    let sums = sums(tree);
    entry(out, SUMS, MODE, modified, Some(sums.as_bytes()))?;
    out.write_all(&END)
}

/// The lines that `sha256sum -c` reads.
fn sums(tree: &Tree) -> String {
    let mut text = String::new();
    for file in &tree.files {
        let digest = sha256(&file.bytes);
        writeln!(text, "{digest}  {}", file.path.display()).expect("a String takes everything");
    }
    text
}

fn entry(
    out: &mut dyn Write,
    name: &str,
    mode: u32,
    modified: i64,
    bytes: Option<&[u8]>,
) -> io::Result<()> {
    let contents = bytes.unwrap_or_default();
    let header = header(name, mode, modified, bytes.is_none(), contents.len());
    out.write_all(&header.ok_or(ErrorKind::InvalidFilename)?)?;
    out.write_all(contents)?;
    let padding = contents.len().next_multiple_of(BLOCK) - contents.len();
    out.write_all(&END[..padding])
}

/// A field of a header: where it begins, and how long it is (POSIX.1-2017, pax, "ustar Interchange
/// Format").
type Field = (usize, usize);

const NAME: Field = (0, 100);
const PERMISSIONS: Field = (100, 8);
const USER: Field = (108, 8);
const GROUP: Field = (116, 8);
const SIZE: Field = (124, 12);
const MODIFIED: Field = (136, 12);
const CHECKSUM: Field = (148, 8);
const TYPE: Field = (156, 1);
const MAGIC: Field = (257, 8);
const PREFIX: Field = (345, 155);

/// What eleven octal digits can say.
const LATEST: i64 = (1 << 33) - 1;

const USTAR: &[u8] = b"ustar\x0000";
const REGULAR: &[u8] = b"0";
const DIRECTORY: &[u8] = b"5";

fn header(
    name: &str,
    mode: u32,
    modified: i64,
    is_directory: bool,
    size: usize,
) -> Option<[u8; BLOCK]> {
    let (prefix, name) = split(name)?;
    let mut header = [0; BLOCK];
    let mut put = |(at, length): Field, value: &[u8]| {
        debug_assert!(value.len() <= length);
        header[at..at + value.len()].copy_from_slice(value);
    };
    put(NAME, name.as_bytes());
    put(PREFIX, prefix.as_bytes());
    put(PERMISSIONS, format!("{mode:07o}").as_bytes());
    put(USER, b"0000000");
    put(GROUP, b"0000000");
    put(SIZE, format!("{size:011o}").as_bytes());
    put(
        MODIFIED,
        format!("{:011o}", modified.clamp(0, LATEST)).as_bytes(),
    );
    put(TYPE, if is_directory { DIRECTORY } else { REGULAR });
    put(MAGIC, USTAR);
    put(CHECKSUM, b"        ");
    let sum = checksum(&header);
    header[CHECKSUM.0..CHECKSUM.0 + 8].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Some(header)
}

/// A name in the two parts that a header has for it, cut at a slash.
fn split(name: &str) -> Option<(&str, &str)> {
    if name.len() <= NAME.1 {
        return Some(("", name));
    }
    let fits =
        |(at, _): &(usize, &str)| *at <= PREFIX.1 && (1..=NAME.1).contains(&(name.len() - at - 1));
    let (at, _) = name.match_indices('/').find(fits)?;
    Some((&name[..at], &name[at + 1..]))
}

/// The sum of a header's octets, those of the sum taken for spaces.
fn checksum(header: &[u8; BLOCK]) -> u32 {
    let own = CHECKSUM.0..CHECKSUM.0 + CHECKSUM.1;
    let octets = header.iter().enumerate();
    octets
        .map(|(at, octet)| if own.contains(&at) { b' ' } else { *octet })
        .map(u32::from)
        .sum()
}

/// Reads an archive to its end, with modes that are no wider than zpki makes them.
///
/// # Errors
/// When it is not, octet for octet, what [`write()`] makes of a PKI directory.
pub fn read(input: &mut dyn Read) -> Result<Tree, Unusable> {
    let mut tree = Tree::default();
    let mut kinds = BTreeMap::new();
    let mut is_first = true;
    let sums = loop {
        let header = match next_header(input) {
            Err(Unusable::CutOff) if is_first => return Err(Unusable::NoArchive),
            header => header?.ok_or(Unusable::CutOff)?,
        };
        is_first = false;
        let contents = contents(input, &header)?;
        if header.name == SUMS && !header.is_directory {
            break contents;
        }
        let path = checked(&header, &mut kinds)?;
        let mode = header.mode & widest_mode(&path, header.is_directory);
        if header.is_directory {
            // Whoever restores it has to write there.
            let mode = mode | 0o700;
            tree.directories.push(Directory { path, mode });
        } else {
            let bytes = contents;
            tree.files.push(File { path, mode, bytes });
        }
    };
    if next_header(input)?.is_some() || !is_zero(input)? {
        return Err(Unusable::NoArchive);
    }
    verify(&tree, &sums)?;
    for path in [CLUSTER_FILE, CA_CERTIFICATE] {
        if kinds.get(Path::new(path)) != Some(&false) {
            return Err(Unusable::Missing { path });
        }
    }
    check_named(&mut tree)?;
    Ok(tree)
}

const FOREIGN: &str = "is nothing that a PKI directory has";

/// That what is not where zpki has its own is named by zpki.toml, or holds what is.
fn check_named(tree: &mut Tree) -> Result<(), Unusable> {
    let files = tree.files.iter();
    let mut cluster = files.filter(|file| file.path == Path::new(CLUSTER_FILE));
    let cluster = cluster.find_map(|file| cluster_file::parse(&file.bytes).ok());
    let named = cluster.map_or_else(Vec::new, |it| layout::named(it.settings()));
    let foreign = |path: &Path| Unusable::Entry {
        name: path.display().to_string(),
        because: FOREIGN,
    };
    for Directory { path, .. } in &tree.directories {
        if !is_kept(path) && !named.iter().any(|it| it.path.starts_with(path)) {
            return Err(foreign(path));
        }
    }
    for File { path, mode, .. } in &mut tree.files {
        let own = named.iter().find(|it| it.path == *path);
        if own.is_none() && !is_kept(path) {
            return Err(foreign(path));
        }
        *mode &= own.map_or(*mode, |own| own.mode);
    }
    Ok(())
}

/// What a header says.
struct Header {
    name: String,
    mode: u32,
    size: usize,
    is_directory: bool,
}

/// The next entry; none at the end of the archive.
fn next_header(input: &mut dyn Read) -> Result<Option<Header>, Unusable> {
    let mut block = [0; BLOCK];
    input.read_exact(&mut block)?;
    if block == END[..BLOCK] {
        input.read_exact(&mut block)?;
        return if block == END[..BLOCK] {
            Ok(None)
        } else {
            Err(Unusable::NoArchive)
        };
    }
    let field = |(at, length): Field| &block[at..at + length];
    let is_ours = field(MAGIC) == USTAR && octal(field(CHECKSUM)) == Some(checksum(&block).into());
    if !is_ours {
        return Err(Unusable::NoArchive);
    }
    let (prefix, name) = (text(field(PREFIX)), text(field(NAME)));
    let name = if prefix.is_empty() {
        name
    } else {
        format!("{prefix}/{name}")
    };
    let refused = |because| Unusable::Entry {
        name: name.clone(),
        because,
    };
    let is_directory = match field(TYPE) {
        REGULAR => false,
        DIRECTORY => true,
        _ => return Err(refused("is neither a file nor a directory")),
    };
    let number = |at| octal(field(at)).unwrap_or(u64::MAX);
    let size = usize::try_from(number(SIZE)).unwrap_or(usize::MAX);
    if size > if is_directory { 0 } else { LONGEST } {
        return Err(refused("is too large"));
    }
    let mode = u32::try_from(number(PERMISSIONS)).unwrap_or(u32::MAX) & 0o7777;
    let modified = i64::try_from(number(MODIFIED)).unwrap_or(i64::MAX);
    if header(&name, mode, modified, is_directory, size) != Some(block) {
        return Err(refused("is written in another way than zpki does it"));
    }
    Ok(Some(Header {
        mode,
        size,
        is_directory,
        name,
    }))
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|octet| *octet == 0);
    String::from_utf8_lossy(&field[..end.unwrap_or(field.len())]).into_owned()
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = str::from_utf8(field).ok()?;
    let digits = text.trim_end_matches(['\0', ' ']);
    let is_octal = digits.bytes().all(|digit| digit.is_ascii_digit());
    is_octal.then(|| u64::from_str_radix(digits, 8).ok())?
}

fn contents(input: &mut dyn Read, header: &Header) -> Result<Bytes, Unusable> {
    let mut bytes = Zeroizing::new(vec![0; header.size]);
    input.read_exact(&mut bytes)?;
    let mut padding = [0; BLOCK];
    let padding = &mut padding[..header.size.next_multiple_of(BLOCK) - header.size];
    input.read_exact(padding)?;
    if padding.iter().any(|octet| *octet != 0) {
        return Err(Unusable::NoArchive);
    }
    Ok(bytes.into())
}

/// Whether nothing but zeros follows: other programs fill the last record up with them.
fn is_zero(input: &mut dyn Read) -> Result<bool, Unusable> {
    let mut block = [0; 16 * BLOCK];
    loop {
        match input.read(&mut block)? {
            0 => return Ok(true),
            length if block[..length].iter().any(|octet| *octet != 0) => return Ok(false),
            _ => {}
        }
    }
}

/// The path of an entry, if a backup can have it there; `kinds` has those before it, and whether each
/// is a directory.
fn checked(header: &Header, kinds: &mut BTreeMap<PathBuf, bool>) -> Result<PathBuf, Unusable> {
    let refused = |because| Unusable::Entry {
        name: header.name.clone(),
        because,
    };
    let name = match (header.name.strip_suffix('/'), header.is_directory) {
        (Some(name), true) => name,
        (None, false) => &header.name,
        _ => {
            return Err(refused(
                "is a directory by its name or by its kind, not by both",
            ));
        }
    };
    let path = PathBuf::from(name);
    let is_normal = |part| matches!(part, Component::Normal(_));
    let whole: PathBuf = path.components().collect();
    if !path.components().all(is_normal) || whole.as_os_str() != path.as_os_str() {
        return Err(refused(
            "leads out of the PKI directory, or is written in another way than needed",
        ));
    }
    if !is_plain(name) || name.contains(char::REPLACEMENT_CHARACTER) {
        return Err(refused("has a character that no name in a backup has"));
    }
    // Whether zpki.toml names it is seen in the end: nothing of the kind begins with a dot.
    let is_hidden = |name: &OsStr| name.as_encoded_bytes().starts_with(b".");
    if !is_kept(&path) && path.iter().any(is_hidden) {
        return Err(refused(FOREIGN));
    }
    // A directory that is needed has an entry of its own, before what is in it.
    let above = parent(&path);
    let is_below = above.as_os_str().is_empty() || kinds.get(above) == Some(&true);
    if !is_below && path != Path::new(PENDING) {
        return Err(refused("is in a directory that is not there"));
    }
    if kinds.insert(path.clone(), header.is_directory).is_some() {
        return Err(refused("is there twice"));
    }
    Ok(path)
}

/// That the sums are those of all files, and of nothing else.
fn verify(tree: &Tree, sums: &[u8]) -> Result<(), Unusable> {
    let damaged = |path: &Path| Unusable::Damaged {
        path: path.to_owned(),
    };
    let own = || damaged(Path::new(SUMS));
    let text = str::from_utf8(sums).map_err(|_| own())?;
    let mut expected: HashMap<&Path, Digest> = HashMap::new();
    for line in text.lines() {
        let (digest, path) = line.split_once("  ").ok_or_else(own)?;
        expected.insert(Path::new(path), digest.parse().map_err(|_| own())?);
    }
    for file in &tree.files {
        if expected.remove(&*file.path) != Some(sha256(&file.bytes)) {
            return Err(damaged(&file.path));
        }
    }
    match expected.into_keys().min() {
        Some(path) => Err(damaged(path)),
        None if self::sums(tree).as_bytes() != sums => Err(own()),
        None => Ok(()),
    }
}

/// Refuses when something is at `path`.
///
/// # Errors
/// [`Error::Exists`]; [`Error::DanglingLink`]; [`Error::Io`], also when there is no directory for it.
pub fn expect_nothing(path: &Path) -> Result<(), Error> {
    free_place(path, &Faults::default()).map(drop)
}

/// Writes `tree` as the new file `path`, durably and readable by its owner only. On an error nothing is
/// left.
///
/// # Errors
/// [`Error::Exists`] when something is there, which is never replaced; [`Error::Io`]. When the directory
/// cannot be synced, the file is in place all the same, and whole.
pub fn save(path: &Path, tree: &Tree, modified: i64) -> Result<(), Error> {
    save_with(path, tree, modified, &Faults::default())
}

fn save_with(path: &Path, tree: &Tree, modified: i64, faults: &Faults) -> Result<(), Error> {
    let place = free_place(path, faults)?;
    place.make(MODE, &mut |out| write(tree, modified, out))
}

fn free_place<'a>(path: &'a Path, faults: &Faults) -> Result<Place<'a>, Error> {
    let place = Place::of(path, faults)?;
    match place.occupant()? {
        Some(occupant) => Err(occupant),
        None => Ok(place),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::testing::listing;
    use super::*;

    /// An entry: its name, its type, its mode, what is in it.
    type Raw<'a> = (&'a str, u8, u32, &'a str);

    const FILE: u8 = b'0';
    const DIR: u8 = b'5';

    const GOOD: [Raw<'_>; 4] = [
        ("zpki.toml", FILE, 0o644, "settings"),
        ("ca/", DIR, 0o755, ""),
        ("ca/ca.cert.pem", FILE, 0o644, "certificate"),
        ("ca/ca.key.pem", FILE, 0o600, "key"),
    ];

    fn block(name: &str, kind: u8, mode: u32, size: usize) -> [u8; BLOCK] {
        let mut block = header(name, mode, 1_795_435_200, kind == DIR, size).unwrap();
        block[TYPE.0] = kind;
        seal(&mut block);
        block
    }

    /// Makes the sum right again.
    fn seal(block: &mut [u8; BLOCK]) {
        let sum = format!("{:06o}\0 ", checksum(block));
        block[CHECKSUM.0..CHECKSUM.0 + CHECKSUM.1].copy_from_slice(sum.as_bytes());
    }

    /// An archive with right sums, whatever is in it.
    fn archive(entries: &[Raw<'_>]) -> Vec<u8> {
        let mut sums = String::new();
        let mut bytes = Vec::new();
        let mut put = |name: &str, kind, mode, text: &str| {
            bytes.extend(block(name, kind, mode, text.len()));
            bytes.extend(text.as_bytes());
            bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        };
        for (name, kind, mode, text) in entries {
            put(name, *kind, *mode, text);
            if *kind == FILE {
                sums += &format!("{}  {name}\n", sha256(text.as_bytes()));
            }
        }
        put(SUMS, FILE, MODE, &sums);
        bytes.extend(END);
        bytes
    }

    fn read_all(bytes: &[u8]) -> Result<Tree, Unusable> {
        read(&mut &*bytes)
    }

    /// Why an archive with these entries besides the good ones is refused.
    fn refusal(entries: &[Raw<'_>]) -> String {
        let entries = [&GOOD, entries].concat();
        read_all(&archive(&entries)).unwrap_err().to_string()
    }

    fn tree() -> Tree {
        let long = "n".repeat(64);
        let directory = |path: &str, mode| Directory {
            path: path.into(),
            mode,
        };
        Tree {
            directories: vec![
                directory("ca", 0o755),
                directory("ca/issued", 0o755),
                directory(&format!("ca/issued/{long}"), 0o755),
                directory("servers", 0o755),
                directory(&format!("servers/{long}"), 0o700),
                directory(".zpki/pending", 0o700),
            ],
            files: vec![
                File::new("zpki.toml", 0o644, "[cluster]\n"),
                File::new("ca/ca.cert.pem", 0o644, "x".repeat(BLOCK).as_str()),
                File::new(
                    format!("ca/issued/{long}/{}.pem", "0".repeat(32)),
                    0o644,
                    "",
                ),
                File::new("ca/log.jsonl", 0o640, "y".repeat(BLOCK + 1).as_str()),
                File::new(
                    format!("servers/{long}/zato-server-priv-key.pem"),
                    0o600,
                    "key",
                ),
                File::new(format!("servers/{long}/ä notes"), 0o604, "mine"),
                File::new(".zpki/pending/server1", 0o600, "reload"),
            ],
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut bytes = Vec::new();
        write(&tree(), 1_795_435_200, &mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, length(&tree()));
        assert_eq!(read_all(&bytes).unwrap(), tree());
        // As on a tape, where the last record is filled up.
        bytes.resize(bytes.len().next_multiple_of(20 * BLOCK), 0);
        assert_eq!(read_all(&bytes).unwrap(), tree());
    }

    #[test]
    fn modes_are_no_wider_than_zpki_makes_them() {
        let found = read_all(&archive(&[
            ("zpki.toml", FILE, 0o4777, "settings"),
            ("ca/", DIR, 0o1777, ""),
            ("ca/ca.cert.pem", FILE, 0o400, "certificate"),
            ("ca/ca.key.pem", FILE, 0o644, "key"),
            ("ca/log.jsonl", FILE, 0o666, "log"),
            ("servers/", DIR, 0o000, ""),
            ("servers/a/", DIR, 0o755, ""),
            ("servers/a/zato-server-priv-key.pem", FILE, 0o666, "key"),
        ]));
        let found = found.unwrap();
        let modes = |mode: &dyn Fn(usize) -> u32, count| (0..count).map(mode).collect::<Vec<_>>();
        assert_eq!(
            modes(&|at| found.files[at].mode, found.files.len()),
            [0o644, 0o400, 0o600, 0o640, 0o600]
        );
        let directories = &found.directories;
        assert_eq!(
            modes(&|at| directories[at].mode, directories.len()),
            [0o755, 0o700, 0o700]
        );
    }

    #[test]
    fn an_archive_that_is_cut_off_anywhere_is_refused() {
        let whole = archive(&GOOD);
        for length in 0..whole.len() {
            let unusable = read_all(&whole[..length]).unwrap_err();
            let is_right = match length {
                ..BLOCK => matches!(unusable, Unusable::NoArchive),
                _ => matches!(unusable, Unusable::CutOff),
            };
            assert!(is_right, "{length}: {unusable}");
        }
    }

    #[test]
    fn an_octet_that_has_changed_anywhere_is_found() {
        let whole = archive(&GOOD);
        for at in 0..whole.len() {
            for bit in [0x01, 0x20, 0x80] {
                let mut damaged = whole.clone();
                damaged[at] ^= bit;
                assert!(read_all(&damaged).is_err(), "{at} {bit:#x}");
            }
        }
        let mut longer = whole;
        longer.extend([0; BLOCK]);
        longer.push(b'x');
        assert!(matches!(read_all(&longer), Err(Unusable::NoArchive)));
    }

    #[test]
    fn names_that_would_do_harm_are_refused() {
        let out = "leads out of the PKI directory, or is written in another way than needed";
        let no = "is nothing that a PKI directory has";
        for (name, because) in [
            ("/etc/passwd", out),
            ("../evil", out),
            ("ca/../../evil", out),
            ("ca/./evil", out),
            ("ca//evil", out),
            ("./ca/evil", out),
            ("", no),
            ("ca/e\\vil", "has a character that no name in a backup has"),
            ("ca/e\nvil", "has a character that no name in a backup has"),
            ("evil", no),
            ("catalogue", no),
            ("ca/.evil", no),
            (".zpki/lock", no),
            (".zpki/journal", no),
            (".zpki/pending/.evil", no),
            ("zpki.toml/evil", "is in a directory that is not there"),
            ("ca/issued/evil", "is in a directory that is not there"),
            ("ca/ca.cert.pem/evil", "is in a directory that is not there"),
            ("ca/ca.key.pem", "is there twice"),
        ] {
            let found = refusal(&[(name, FILE, 0o644, "evil")]);
            assert_eq!(found, format!("the entry {} {because}", Quoted(name)));
        }
        let kind = "is a directory by its name or by its kind, not by both";
        for (name, kind_of_entry) in [("ca/x/", FILE), ("ca/x", DIR), ("ca/x//", DIR)] {
            let found = refusal(&[(name, kind_of_entry, 0o755, "")]);
            let expected = if name == "ca/x//" { out } else { "" };
            let is_refused = found.ends_with(kind) || found.ends_with("zpki does it");
            assert!(
                is_refused || found.ends_with(expected) && !expected.is_empty(),
                "{found}"
            );
        }
    }

    #[test]
    fn nothing_but_files_and_directories_is_taken() {
        for kind in *b"123467xgLK\0" {
            assert_eq!(
                refusal(&[("ca/evil", kind, 0o777, "")]),
                "the entry `ca/evil` is neither a file nor a directory",
                "{kind}"
            );
        }
    }

    #[test]
    fn a_header_that_zpki_would_not_have_written_is_refused() {
        let with = |(at, _): Field, value: &[u8]| {
            let mut bytes = archive(&GOOD);
            let mut block: [u8; BLOCK] = bytes[..BLOCK].try_into().unwrap();
            block[at..at + value.len()].copy_from_slice(value);
            seal(&mut block);
            bytes[..BLOCK].copy_from_slice(&block);
            read_all(&bytes).unwrap_err().to_string()
        };
        let other = "the entry `zpki.toml` is written in another way than zpki does it";
        assert_eq!(with(USER, b"0001750"), other);
        assert_eq!(with((157, 100), b"/etc/passwd"), other);
        assert_eq!(with((265, 32), b"root"), other);
        assert_eq!(with(PERMISSIONS, b"100644 "), other);
        assert_eq!(with(MODIFIED, b"-0000000001"), other);
        let large = "the entry `zpki.toml` is too large";
        assert_eq!(with(SIZE, b"77777777777"), large);
        assert_eq!(with(SIZE, b"-0000000001"), large);
        assert_eq!(with(SIZE, b"\x80\0\0\0\0\0\0\0\0\0\0\x08"), large);
        let gnu = with(MAGIC, b"ustar  \0");
        assert_eq!(gnu, "it is no backup: not a POSIX tar archive, or damaged");
    }

    #[test]
    fn what_is_not_in_the_sums_or_only_there_is_found() {
        for gone in [0, 2, 3] {
            let mut entries = GOOD.to_vec();
            entries.remove(gone);
            let message = read_all(&archive(&entries)).map_err(|unusable| unusable.to_string());
            match gone {
                0 => assert_eq!(message.unwrap_err(), "it has no zpki.toml"),
                2 => assert_eq!(message.unwrap_err(), "it has no ca/ca.cert.pem"),
                _ => assert_eq!(message.unwrap().files.len(), 2),
            }
        }
        // Cut out of the middle, with its header.
        let mut bytes = archive(&GOOD);
        let key = 5 * BLOCK..7 * BLOCK;
        assert!(bytes[key.clone()].starts_with(b"ca/ca.key.pem"));
        let key: Vec<u8> = bytes.drain(key).collect();
        let unusable = read_all(&bytes).unwrap_err().to_string();
        assert_eq!(
            unusable,
            "`ca/ca.key.pem` is not what was backed up: its SHA-256 differs"
        );
        // Put in under another name.
        let mut bytes = archive(&GOOD);
        let mut added = key;
        added[..BLOCK].copy_from_slice(&block("ca/evil", FILE, 0o600, 3));
        bytes.splice(5 * BLOCK..5 * BLOCK, added);
        let unusable = read_all(&bytes).unwrap_err().to_string();
        assert_eq!(
            unusable,
            "`ca/evil` is not what was backed up: its SHA-256 differs"
        );
    }

    #[test]
    fn names_that_no_header_can_hold_are_known() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;

        let long = "n".repeat(100);
        for (path, holds) in [
            ("ca/ä b", true),
            (&*format!("ca/{long}"), false),
            (&*format!("ca/{}", &long[1..]), true),
            (&*format!("{long}/{}", &long[1..]), true),
            (&*format!("{long}/{}/{}", &long[..55], &long[1..]), false),
            ("ca/a\nb", false),
            ("ca/a\\b", false),
        ] {
            assert_eq!(can_hold(Path::new(path)), holds, "{path}");
        }
        assert!(!can_hold(Path::new(OsStr::from_bytes(b"ca/\xff"))));
    }

    #[test]
    fn a_disk_that_fails_at_any_step_leaves_nothing_and_replaces_nothing() {
        for step in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("backup.tar");
            let faults = Faults::fail_at(step, ErrorKind::StorageFull);
            let saved = save_with(&path, &tree(), 0, &faults);
            let found: Vec<_> = listing(dir.path()).into_keys().collect();
            if !faults.struck() {
                saved.unwrap();
                assert!(step > 4, "{step}");
                break;
            }
            let error = saved.unwrap_err();
            let is_in_place = error.to_string().starts_with("cannot sync") && !found.is_empty();
            assert!(
                found.is_empty() || is_in_place,
                "step {step}: {error}, {found:?}"
            );
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("backup.tar");
        save(&path, &tree(), 0).unwrap();
        let whole = fs::read(&path).unwrap();
        assert_eq!(read_all(&whole).unwrap(), tree());
        let error = save(&path, &Tree::default(), 0).unwrap_err();
        assert!(matches!(error, Error::Exists { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), whole);
        assert_eq!(listing(dir.path()).len(), 1);
    }
}
