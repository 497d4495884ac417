//! What `make deb` makes: the static program where nothing else is, and the package in a Debian of its
//! own, which each test has anew. Only root can do either.

use std::collections::BTreeSet;
use std::env::{self, consts::ARCH};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::e2e::process::{python, run, target, tool};
use crate::sandbox::Sandbox;

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "-1");

/// What `make static` builds for.
fn triple() -> String {
    format!("{ARCH}-unknown-linux-musl")
}

fn program() -> PathBuf {
    made(target().join(triple()).join("release/zpki"))
}

fn package() -> PathBuf {
    let architecture = run(tool("dpkg").arg("--print-architecture"));
    let architecture = architecture.trim();
    made(target().join(format!("debian/zpki_{VERSION}_{architecture}.deb")))
}

#[track_caller]
fn made(path: PathBuf) -> PathBuf {
    let shown = path.display();
    assert!(path.is_file(), "{shown} is missing: run `make deb`");
    path
}

#[track_caller]
fn only_as_root() {
    let is_root = rustix::process::geteuid().is_root();
    assert!(
        is_root,
        "this test changes its root directory: run it as root"
    );
}

#[test]
fn the_program_loads_nothing() {
    let headers = run(tool("readelf")
        .args(["--program-headers", "--dynamic", "--wide"])
        .arg(program()));
    assert!(headers.contains("LOAD"), "{headers}");
    for loaded in ["INTERP", "(NEEDED)"] {
        assert!(!headers.contains(loaded), "{loaded}: {headers}");
    }
}

#[test]
fn the_program_runs_where_nothing_else_is() {
    only_as_root();
    let sandbox = Sandbox::new();
    fs::copy(program(), sandbox.path("zpki")).unwrap();
    let root = sandbox.path("");
    let zpki = |arguments: &str| {
        let mut chroot = tool("chroot");
        chroot.arg(&root).arg("/zpki").args(arguments.split(' '));
        run(chroot.env_clear())
    };
    zpki("init pki -q --cluster demo --server server1=127.0.0.1:17010 --no-ca-passphrase");
    assert_eq!(
        zpki("-C pki check"),
        "ok: /pki: 2 certificates, and all that belongs to them\n"
    );
    zpki("-C pki issue -q batch --role client");
    assert_eq!(zpki("-C pki expiry"), "");
    let certificate = sandbox.path("pki/clients/batch/client.cert.pem");
    assert!(certificate.is_file());
}

/// cargo-auditable's list, in the section .dep-v0.
const LIST: &str = "
import json, sys, zlib
for package in json.loads(zlib.decompress(open(sys.argv[1], 'rb').read()))['packages']:
    print(package['name'], package['version'])
";

#[test]
fn the_program_tells_what_it_was_built_of() {
    let sandbox = Sandbox::new();
    let section = sandbox.path("section");
    run(tool("objcopy")
        .arg(format!("--dump-section=.dep-v0={}", section.display()))
        .arg(program())
        .arg(sandbox.path("copy")));
    let listed = run(Command::new(python()).args(["-c", LIST]).arg(section));
    let listed: BTreeSet<&str> = listed.lines().collect();

    let built = crates("no-dev");
    for package in &built {
        assert!(listed.contains(&**package), "{package}: {listed:?}");
    }

    let lock: toml::Table = include_str!("../Cargo.lock").parse().unwrap();
    let locked = lock["package"].as_array().unwrap().iter();
    let locked = locked.map(|package| {
        let field = |name| package[name].as_str().unwrap();
        format!("{} {}", field("name"), field("version"))
    });
    let locked: BTreeSet<String> = locked.collect();
    for package in listed {
        assert!(locked.contains(package), "{package} is not in Cargo.lock");
    }
}

/// The crates that the program is built of, each with its version, as far as cargo follows these edges.
fn crates(edges: &str) -> BTreeSet<String> {
    let tree = run(cargo()
        .args(["tree", "--quiet", "--locked", "--edges", edges])
        .args(["--prefix=none", "--format={p}", "--target", &triple()]));
    let crates = tree.lines().map(|package| {
        let (name, rest) = package.split_once(" v").unwrap();
        let version = rest.split(' ').next().unwrap();
        format!("{name} {version}")
    });
    let crates: BTreeSet<String> = crates.collect();
    assert!(crates.len() > 100, "{crates:?}");
    crates
}

/// What was built for `make static` is used again: built anew it would take minutes.
#[test]
fn cargo_installs_the_program() {
    let sandbox = Sandbox::new();
    run(cargo()
        .args(["install", "--locked", "--path=.", "--target", &triple()])
        .arg("--root")
        .arg(sandbox.path("")));
    let version = sandbox.tool("bin/zpki", &["--version"]);
    assert_eq!(version, concat!("zpki ", env!("CARGO_PKG_VERSION"), "\n"));
}

/// Also where its crates were read from.
#[test]
fn the_program_does_not_tell_where_it_was_built() {
    let program = fs::read(program()).unwrap();
    for place in [cargo_home().to_str().unwrap(), REPOSITORY] {
        let mut windows = program.windows(place.len());
        assert!(!windows.any(|window| window == place.as_bytes()), "{place}");
    }
}

fn cargo_home() -> PathBuf {
    let home = || PathBuf::from(env::var_os("HOME").unwrap()).join(".cargo");
    env::var_os("CARGO_HOME").map_or_else(home, PathBuf::from)
}

/// cargo as `make static` runs it: what cargo tells its tests in the environment would have crates
/// built anew.
fn cargo() -> Command {
    let mut cargo = Command::new(target().join("test-tools/bin/cargo-auditable"));
    let home = cargo_home();
    let remapped = format!(
        "--remap-path-prefix={}=/cargo --remap-path-prefix={REPOSITORY}=/zpki",
        home.display()
    );
    cargo
        .arg("auditable")
        .env("RUSTFLAGS", remapped)
        .current_dir(REPOSITORY);
    for (name, _) in env::vars_os() {
        let is_setting = name == "CARGO_HOME" || name == "CARGO_TARGET_DIR";
        if name.as_encoded_bytes().starts_with(b"CARGO_") && !is_setting {
            cargo.env_remove(name);
        }
    }
    cargo
}

#[test]
fn the_package_has_every_file_for_root_with_the_right_mode() {
    let listing = run(tool("dpkg-deb").arg("--contents").arg(package()));
    let files = listing.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (mode, owner, path) = (fields[0], fields[1], fields[5]);
        assert!(owner == "0/0" || owner == "root/root", "{line}");
        match mode {
            "drwxr-xr-x" => None,
            _ => Some(format!("{mode} {path}")),
        }
    });
    let pages = fs::read_dir(Path::new(REPOSITORY).join("man")).unwrap();
    let pages = pages.map(|page| {
        let name = page.unwrap().file_name().into_string().unwrap();
        format!("-rw-r--r-- ./usr/share/man/man1/{name}.gz")
    });
    let others = FILES.lines().map(str::to_owned);
    assert_eq!(sorted(files), sorted(pages.chain(others)));
}

fn sorted(lines: impl Iterator<Item = impl Into<String>>) -> Vec<String> {
    let mut lines: Vec<String> = lines.map(Into::into).collect();
    lines.sort();
    lines
}

const FILES: &str = "\
-rwxr-xr-x ./usr/bin/zpki
-rw-r--r-- ./usr/lib/systemd/system/zpki-apply.service
-rw-r--r-- ./usr/lib/systemd/system/zpki-apply.timer
-rw-r--r-- ./usr/lib/systemd/system/zpki-expiry.service
-rw-r--r-- ./usr/lib/systemd/system/zpki-expiry.timer
-rw-r--r-- ./usr/share/bash-completion/completions/zpki
-rw-r--r-- ./usr/share/doc/zpki/changelog.Debian.gz
-rw-r--r-- ./usr/share/doc/zpki/changelog.gz
-rw-r--r-- ./usr/share/doc/zpki/copyright
-rw-r--r-- ./usr/share/doc/zpki/licenses.gz
-rw-r--r-- ./usr/share/fish/vendor_completions.d/zpki.fish
-rw-r--r-- ./usr/share/lintian/overrides/zpki
-rw-r--r-- ./usr/share/zsh/vendor-completions/_zpki";

/// Of a proc macro nothing is linked.
#[test]
fn the_package_has_the_licence_of_every_crate_that_is_linked() {
    let sandbox = Sandbox::new();
    run(tool("dpkg-deb")
        .arg("--extract")
        .arg(package())
        .arg(sandbox.path("")));
    let licences = run(tool("gzip")
        .args(["--decompress", "--stdout"])
        .arg(sandbox.path("usr/share/doc/zpki/licenses.gz")));
    let headings = licences
        .lines()
        .filter_map(|line| line.strip_prefix("---- "));
    let told: BTreeSet<String> = headings
        .map(|heading| {
            let (package, licence) = heading.split_once(": ").unwrap();
            assert!(!["", "null"].contains(&licence), "{heading}");
            package.to_owned()
        })
        .collect();
    let mut linked = crates("normal,no-proc-macro");
    linked.remove(concat!("zpki ", env!("CARGO_PKG_VERSION")));
    assert_eq!(told, linked);
}

#[test]
fn the_package_has_the_version_of_the_program_and_no_file_to_configure() {
    let field = |name| run(tool("dpkg-deb").arg("--field").arg(package()).arg(name));
    assert_eq!(field("Version"), format!("{VERSION}\n"));
    let changelog = include_str!("../packaging/debian/changelog");
    assert!(changelog.starts_with(&format!("zpki ({VERSION}) ")));
    let control = run(tool("dpkg-deb").arg("--info").arg(package()));
    assert!(
        control.contains("postrm") && !control.contains("conffiles"),
        "{control}"
    );
}

/// Down to warnings. packaging/debian/lintian-overrides has what is meant, and why.
#[test]
fn lintian_has_no_remark_on_the_package() {
    let said = run(tool("lintian")
        .args(["--allow-root", "--fail-on=error,warning"])
        .arg(package()));
    assert!(!said.contains("W: ") && !said.contains("E: "), "{said}");
}

/// Makes a Debian with a layer of its own, in memory and for this process alone, and runs a script
/// beside it: `$root` is where it is, `inside` runs a command in it, and the package is /zpki.deb.
const DEBIAN: &str = r#"
set -eu
lower=$1 layer=$2 package=$3
mount -t tmpfs tmpfs "$layer"
mkdir "$layer/upper" "$layer/work" "$layer/root"
root=$layer/root
mount -t overlay overlay "$root" \
    -o "lowerdir=$lower,upperdir=$layer/upper,workdir=$layer/work"
mount -t proc proc "$root/proc"
cp "$package" "$root/zpki.deb"
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
inside() {
    chroot "$root" "$@"
}
files() {
    find "$root" -xdev -not -path "$root/var/lib/dpkg/*" -not -path "$root/var/log/*" \
        -not -path "$root/var/cache/*" -printf '%M %u %p\n' | sed "s|$root/*|/|" | sort
}
install() {
    inside dpkg --install /zpki.deb >/dev/null
}
init() {
    inside zpki init /etc/zpki -q --cluster demo --server server1=127.0.0.1:17010 \
        --no-ca-passphrase
}
"#;

fn in_debian(script: &str) -> String {
    only_as_root();
    let lower = target().join("test-tools/root");
    assert!(lower.is_dir(), "a Debian is missing: run `make test`");
    let layer = tempfile::tempdir().unwrap();
    run(tool("unshare")
        .args(["--mount", "--propagation=private", "sh", "-c"])
        .arg(format!("{DEBIAN}\n{script}"))
        .arg("sh")
        .args([&lower, layer.path(), &package()]))
}

#[test]
fn who_installs_the_package_can_work_at_once() {
    let said = in_debian(
        r#"
        install
        stat --format='%a %U:%G' "$root/etc/zpki"
        init
        inside zpki -C /etc/zpki check
        inside zpki -C /etc/zpki expiry
        stat --format='%a %U:%G' "$root/etc/zpki"
        inside man --where zpki zpki-config-apply
        inside man zpki | grep '^ *zpki - '
        inside bash -c '. /usr/share/bash-completion/bash_completion
            _completion_loader zpki || :
            COMP_WORDS=(zpki ser) COMP_CWORD=1
            _zpki zpki ser zpki
            echo "${COMPREPLY[@]}"'
        "#,
    );
    assert_eq!(
        said,
        "700 root:root\n\
         ok: /etc/zpki: 2 certificates, and all that belongs to them\n\
         700 root:root\n\
         /usr/share/man/man1/zpki.1.gz\n\
         /usr/share/man/man1/zpki-config-apply.1.gz\n\
         \x20      zpki - Bootstraps and keeps the PKI of an HAProxy load-balancer and the\n\
         server\n"
    );
}

/// `verify` looks for every unit that these mention, and for the program.
#[test]
fn systemd_takes_the_units_of_the_package_and_enables_none() {
    let said = in_debian(
        r#"
        install
        cp /bin/systemctl "$root/bin/"
        cp /lib/systemd/system/*.target /lib/systemd/system/*.slice "$root/usr/lib/systemd/system/"
        systemd-analyze verify --root="$root" --man=no \
            zpki-apply.service zpki-apply.timer zpki-expiry.service zpki-expiry.timer
        for timer in zpki-apply.timer zpki-expiry.timer; do
            systemctl --root="$root" is-enabled "$timer" || :
        done
        grep --no-filename '^ExecStart=\|^Condition' "$root"/usr/lib/systemd/system/zpki-*.service
        "#,
    );
    assert_eq!(
        said,
        "disabled\n\
         disabled\n\
         ConditionDirectoryNotEmpty=/etc/zpki\n\
         ExecStart=/usr/bin/zpki -C /etc/zpki --non-interactive apply\n\
         ConditionDirectoryNotEmpty=/etc/zpki\n\
         ExecStart=/usr/bin/zpki -C /etc/zpki expiry --textfile /var/lib/prometheus/node-exporter/zpki.prom\n"
    );
}

#[test]
fn a_package_that_is_removed_leaves_the_keys_and_nothing_else() {
    let said = in_debian(
        r#"
        files >"$layer/before"
        install
        init
        systemctl --quiet --root="$root" enable zpki-expiry.timer 2>/dev/null
        cat "$root/etc/zpki/ca/ca.key.pem" >"$layer/key"
        inside dpkg --remove zpki >/dev/null
        test ! -e "$root/usr/bin/zpki"
        inside dpkg --purge zpki | grep '^zpki: '
        cmp "$root/etc/zpki/ca/ca.key.pem" "$layer/key"
        files >"$layer/after"
        rm -r "$root/etc/zpki"
        files | diff "$layer/before" -
        "#,
    );
    assert_eq!(
        said,
        "zpki: /etc/zpki is kept, for it may hold private keys; delete it yourself\n"
    );
}

#[test]
fn a_package_that_was_never_used_leaves_nothing() {
    let said = in_debian(
        r#"
        files >"$layer/before"
        install
        inside dpkg --purge zpki | sed -n '/^zpki/p'
        files | diff "$layer/before" -
        "#,
    );
    assert_eq!(said, "");
}
