//! The manual pages under man/, which `BLESS=1 cargo test man` writes; and the completions, which
//! real shells complete with.

use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use zpki::commands::init::RELEASED;
use zpki::store::STATE;
use zpki::store::layout::{
    self, CA_CERTIFICATE, CA_FILE, CA_KEY, CLIENT_CERTIFICATE, CLIENT_PRIVATE_KEY, CLUSTER_FILE,
    CRL, CRL_FILE, HAPROXY_LINES, ISSUED, KEY_CERT, LOG_FILE, PENDING, PREVIOUS, RETIRED,
    SERVER_CA_CERTIFICATES, SERVER_CERTIFICATE, SERVER_PRIVATE_KEY, SERVER_PUBLIC_KEY,
    SERVER_SETTINGS, TRUST_BUNDLE,
};

use crate::e2e::process::{run, tool};
use crate::sandbox::{Sandbox, same_as_committed};

#[test]
fn the_manual_pages_are_as_committed() {
    let pages = all_pages();
    for (name, page) in &pages {
        same_as_committed(&format!("man/{name}.1"), page);
    }
    let mut expected: Vec<String> = pages.iter().map(|(name, _)| format!("{name}.1")).collect();
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/man");
    let found = std::fs::read_dir(directory).unwrap();
    let mut found: Vec<String> = found
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    expected.sort();
    found.sort();
    assert_eq!(
        found, expected,
        "man/ has a page for each command and no other"
    );
}

/// Nothing at all, down to what is a matter of style.
#[test]
fn mandoc_has_no_remark_on_a_page() {
    let sandbox = Sandbox::new();
    let mut mandoc = tool("mandoc");
    mandoc.args(["-T", "lint", "-W", "all"]);
    for (name, page) in all_pages() {
        let file = format!("{name}.1");
        sandbox.file(&file, page);
        mandoc.arg(sandbox.path(&file));
    }
    assert_eq!(run(&mut mandoc), "");
}

#[test]
fn every_variable_that_is_read_is_in_the_manual() {
    let found = variables_in(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let named: Vec<&str> = ENVIRONMENT.iter().map(|(name, _)| *name).collect();
    for name in found {
        assert!(
            named.contains(&name.as_str()),
            "{name} is not in ENVIRONMENT"
        );
    }
}

#[test]
fn every_file_that_init_makes_is_in_the_manual() {
    let sandbox = Sandbox::new();
    let cluster_file = "\
[cluster]
name = \"demo\"

[revocation]
enabled = true

[[servers]]
name = \"server1\"
address = \"127.0.0.1:17010\"

[[clients]]
name = \"scheduler\"
";
    sandbox.file("zpki.toml", cluster_file);
    let init = [
        "init",
        "demo",
        "--config=zpki.toml",
        "--no-ca-passphrase",
        "-q",
    ];
    sandbox.args(init).run().stdout("");
    let lock = format!("0600 {STATE}/lock");
    let mut made: Vec<String> = sandbox
        .tree()
        .modes("demo")
        .lines()
        .map(|line| line.replacen("demo/", "", 1))
        .filter(|line| !line.ends_with('/') && *line != lock)
        .map(|line| of_any_entry(&line))
        .collect();
    made.sort();
    made.dedup();
    let documented = files().into_iter().filter(|(path, _)| !path.ends_with('/'));
    let mut documented: Vec<String> = documented
        .map(|(path, text)| {
            let mode = text.trim_end_matches('.').rsplit(' ').next().unwrap();
            format!("{mode} {path}")
        })
        .collect();
    documented.sort();
    assert_eq!(made, documented);
}

/// `0644 servers/server1/server.conf` as `0644 servers/NAME/server.conf`.
fn of_any_entry(line: &str) -> String {
    let (directory, file) = line.rsplit_once('/').unwrap_or(("", line));
    match directory.rsplit_once('/') {
        Some((above, _)) => format!("{above}/NAME/{}", file.replace("[serial]", "SERIAL")),
        None => line.to_owned(),
    }
}

/// Names such as `ZPKI_DIR` that stand in quotes in the sources.
fn variables_in(directory: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(variables_in(&path));
            continue;
        }
        let source = std::fs::read_to_string(path).unwrap();
        for part in source.split("\"ZPKI_").skip(1) {
            let name = part.split('"').next().unwrap();
            found.push(format!("ZPKI_{name}"));
        }
    }
    found
}

/// Name and text of every page.
fn all_pages() -> Vec<(String, String)> {
    // `help` is no page of its own: what it prints is in the others.
    let mut command = zpki::cli::command().disable_help_subcommand(true);
    command.build();
    pages(&command, &[])
}

/// Of the page of a command, and of those below it; `above` are the pages above it.
fn pages(command: &clap::Command, above: &[&str]) -> Vec<(String, String)> {
    let name = page_name(command);
    let mut pages = vec![(name.to_owned(), page(command, above))];
    for below in command.get_subcommands() {
        pages.extend(self::pages(below, &[above, &[name]].concat()));
    }
    pages
}

fn page_name(command: &clap::Command) -> &str {
    let name = command.get_display_name();
    name.unwrap_or_else(|| command.get_name())
}

fn page(command: &clap::Command, above: &[&str]) -> String {
    let name = page_name(command);
    let is_main = name == "zpki";
    // What help shows at its end has sections of its own here.
    let exit_status = command.get_after_help().map(ToString::to_string);
    let man = Man::new(command.clone().after_help(None::<&str>))
        .title(name.to_uppercase())
        .date(RELEASED.date().to_string())
        .source(format!("zpki {}", env!("CARGO_PKG_VERSION")))
        .manual("zpki");
    let mut text = Vec::new();
    man.render_title(&mut text).unwrap();
    man.render_name_section(&mut text).unwrap();
    text.extend(synopsis(command).into_bytes());
    Man::new(beyond_its_name(command))
        .render_description_section(&mut text)
        .unwrap();
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text).unwrap();
    }
    for part in [arguments(command), options(command)] {
        Man::new(part).render_options_section(&mut text).unwrap();
    }
    let mut roff = Roff::default();
    if let Some(runbook) = command.get_after_long_help() {
        as_it_stands(&mut roff, &runbook.to_string());
    }
    if let Some(table) = exit_status {
        definitions(&mut roff, "EXIT STATUS", &statuses(&table));
    }
    if is_main {
        definitions(
            &mut roff,
            "ENVIRONMENT",
            &ENVIRONMENT
                .iter()
                .map(|&(name, text)| (name.into(), text.into()))
                .collect::<Vec<_>>(),
        );
        definitions(&mut roff, "FILES", &files());
    }
    examples(&mut roff, name);
    see_also(&mut roff, command, above);
    text.extend(roff.render().into_bytes());
    let page = once(&String::from_utf8(text).unwrap());
    wrapped(&without_breaks(&as_typed(&page)))
}

/// What is said of a command beyond the line that NAME has, if anything is.
fn beyond_its_name(command: &clap::Command) -> clap::Command {
    let about = command.get_long_about().map(ToString::to_string);
    let rest = about.and_then(|about| Some(about.split_once("\n\n")?.1.to_owned()));
    let command = command.clone();
    match rest {
        Some(rest) => command.long_about(rest),
        None => command,
    }
}

/// A command of whose arguments only those without a flag are shown, in a section of their own.
fn arguments(command: &clap::Command) -> clap::Command {
    command.clone().mut_args(|argument| {
        let is_shown = argument.is_positional() && !argument.is_hide_set();
        argument.help_heading("Arguments").hide(!is_shown)
    })
}

/// A command of whose arguments only those with a flag are shown; a page has no summary besides.
fn options(command: &clap::Command) -> clap::Command {
    command.clone().mut_args(|argument| {
        let is_shown = !argument.is_positional() && !argument.is_hide_set();
        let argument = match argument.get_id().as_str() {
            "help" => argument.long_help("Print help"),
            _ => argument,
        };
        argument.hide(!is_shown)
    })
}

/// roff prints these two as typographic marks, which no shell knows.
fn as_typed(page: &str) -> String {
    page.replace('~', r"\(ti").replace('`', r"\(ga")
}

/// Each section comes with a definition of the apostrophe; one is enough.
fn once(page: &str) -> String {
    let end = page.find(".TH").expect("a page begins with its title");
    let (definition, rest) = page.split_at(end);
    format!("{definition}{}", rest.replace(definition, ""))
}

/// clap_mangen sets a line break, an empty line and another break where a new paragraph is meant.
fn without_breaks(page: &str) -> String {
    page.replace("\n.br\n\n.br\n", "\n.sp\n")
}

/// What mandoc allows an input line.
const LINE_WIDTH: usize = 80;

/// Breaks the lines of text that are longer; those of requests and of examples stay, and so does the
/// one behind a `.TP`, which is a term as a whole.
fn wrapped(page: &str) -> String {
    let mut is_filled = true;
    let mut previous = "";
    let lines = page.lines().map(|line| {
        is_filled = (is_filled || line == ".fi") && line != ".nf";
        let is_term = previous == ".TP";
        previous = line;
        if is_filled && !is_term && !line.starts_with('.') {
            wrapped_line(line)
        } else {
            line.to_owned()
        }
    });
    lines.map(|line| line + "\n").collect()
}

fn wrapped_line(line: &str) -> String {
    let mut wrapped = String::new();
    let mut width = 0;
    for word in line.split_inclusive(' ') {
        // It would be a request at the beginning of a line.
        let must_follow = word.starts_with(['.', '\'']);
        if width + word.trim_end().len() > LINE_WIDTH && width > 0 && !must_follow {
            wrapped.truncate(wrapped.trim_end().len());
            wrapped.push('\n');
            width = 0;
        }
        wrapped += word;
        width += word.len();
    }
    wrapped
}

/// As the help has it; clap_mangen would list every global option.
fn synopsis(command: &clap::Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let mut roff = Roff::default();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold(usage.trim_start_matches("Usage: "))]);
    roff.render()
}

/// A section, whose title is the first line of `text` and whose lines are not filled.
fn as_it_stands(roff: &mut Roff, text: &str) {
    let (title, text) = text.split_once("\n\n").unwrap();
    roff.control("SH", [title.trim_end_matches(':').to_uppercase().as_str()]);
    roff.control("nf", []);
    for line in text.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
}

fn definitions(roff: &mut Roff, section: &str, entries: &[(String, String)]) {
    roff.control("SH", [section]);
    for (term, text) in entries {
        roff.control("TP", []);
        roff.text([bold(term.as_str())]);
        roff.text([roman(text.as_str())]);
    }
}

/// The table that help shows in two columns, in the order of the numbers.
fn statuses(table: &str) -> Vec<(String, String)> {
    let rows = table.lines().skip(1);
    let cells = |row: &str| -> Vec<String> {
        let cells = row
            .split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty());
        cells.map(str::to_owned).collect()
    };
    let mut entries: Vec<(String, String)> = rows
        .flat_map(|row| {
            cells(row)
                .chunks(2)
                .map(<[String]>::to_vec)
                .collect::<Vec<_>>()
        })
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect();
    entries.sort_by_key(|(number, _)| -> u8 { number.split('+').next().unwrap().parse().unwrap() });
    entries
}

const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "ZPKI_DIR",
        "The PKI directory, where -C is not given; a command of --exec finds it here.",
    ),
    (
        "ZPKI_NAME",
        "Set for a command of --exec: the entry whose files have changed; for one of --restart and --probe: the server.",
    ),
    (
        "ZPKI_FILE",
        "Set for a command of --validate: the copy to check; for one of --restart: the server.conf.",
    ),
    (
        "TMPDIR",
        "The directory that this copy is made in; /tmp where it is not set.",
    ),
    (
        "ZPKI_FOLDER",
        "Set for a command of --exec: the host folder of that entry, absolute.",
    ),
    (
        "ZPKI_CA_PASSPHRASE",
        "The passphrase of the CA's private key. It is better given in a file.",
    ),
    (
        "ZPKI_CA_PASSPHRASE_FILE",
        "A file whose first line is that passphrase; - is standard input.",
    ),
    (
        "NO_COLOR",
        "When it is set and not empty, nothing is coloured unless --color says so.",
    ),
];

/// The PKI directory, with names and modes as the program has them.
fn files() -> Vec<(String, String)> {
    let (public, secret) = (layout::PUBLIC, layout::SECRET);
    let (load_balancer, server, client) = ("load-balancer", "servers/NAME", "clients/NAME");
    let below = |directory: &str, file: &str| format!("{directory}/{file}");
    [
        (
            CLUSTER_FILE.to_owned(),
            public,
            "What the cluster should be: the only file to edit by hand.",
        ),
        (
            CA_CERTIFICATE.to_owned(),
            public,
            "The certificate of the CA.",
        ),
        (
            CA_KEY.to_owned(),
            secret,
            "The private key of the CA. It need not and should not be on any other host.",
        ),
        (
            CA_FILE.to_owned(),
            public,
            "The trust bundle: the CA certificates that a peer trusts now.",
        ),
        (CRL.to_owned(), public, "The record of revocations, a CRL."),
        (
            below(ISSUED, "NAME/SERIAL.pem"),
            public,
            "Every certificate that was ever issued.",
        ),
        (
            LOG_FILE.to_owned(),
            layout::LOG,
            "Who issued what, and when. What it had before it grew long is in ca/log.1.jsonl and so on.",
        ),
        (
            below(load_balancer, KEY_CERT),
            secret,
            "Private key and certificate: HAProxy's crt.",
        ),
        (
            below(load_balancer, TRUST_BUNDLE),
            public,
            "The trust bundle: HAProxy's ca-file.",
        ),
        (
            below(load_balancer, CRL_FILE),
            public,
            "The CRL, with [revocation] enabled: HAProxy's crl-file.",
        ),
        (
            below(load_balancer, HAPROXY_LINES),
            public,
            "The server lines for zato.config.",
        ),
        (
            below(server, SERVER_PRIVATE_KEY),
            secret,
            "The private key of a server.",
        ),
        (below(server, SERVER_PUBLIC_KEY), public, "Its public key."),
        (
            below(server, SERVER_CERTIFICATE),
            public,
            "Its certificate.",
        ),
        (
            below(server, SERVER_CA_CERTIFICATES),
            public,
            "The trust bundle.",
        ),
        (
            below(server, SERVER_SETTINGS),
            public,
            "The [crypto] section for its server.conf.",
        ),
        (
            below(client, CLIENT_PRIVATE_KEY),
            secret,
            "The private key of a client.",
        ),
        (
            below(client, CLIENT_CERTIFICATE),
            public,
            "Its certificate.",
        ),
        (below(client, TRUST_BUNDLE), public, "The trust bundle."),
        (
            below(PREVIOUS, ""),
            layout::CLOSED_DIRECTORY,
            "The certificate, the key and the CRL of a CA that another was imported in place of.",
        ),
        (
            below(RETIRED, ""),
            layout::CLOSED_DIRECTORY,
            "The host folders of entries that zpki.toml no longer names, with their private keys.",
        ),
        (
            below(PENDING, ""),
            layout::CLOSED_DIRECTORY,
            "The commands of --exec that have not succeeded yet; each later run tries them again.",
        ),
        (
            below(STATE, ""),
            layout::CLOSED_DIRECTORY,
            "The lock of whoever writes, and the journal of a change that is under way.",
        ),
        (
            below(STATE, "generation"),
            secret,
            "A number that changes with every change, so that a reader notices and starts over.",
        ),
    ]
    .into_iter()
    .map(|(path, mode, text)| (path, format!("{text} Mode {mode:04o}.")))
    .collect()
}

/// What a page shows at work: commands, each behind what it is for.
const EXAMPLES: &[(&str, &[(&str, &str)])] = &[
    (
        "zpki",
        &[
            (
                "From an empty directory to a cluster that talks TLS, with questions:",
                "zpki init prod-pki",
            ),
            ("What there is, and until when:", "zpki -C prod-pki list"),
            (
                "The lines for HAProxy once more:",
                "zpki -C prod-pki snippet haproxy",
            ),
        ],
    ),
    (
        "zpki-apply",
        &[
            (
                "From cron, with the passphrase from a file, and HAProxy told of what changed:",
                r"zpki -C prod-pki --non-interactive apply \
    --ca-passphrase-file /etc/zpki/passphrase \
    --exec 'systemctl reload haproxy'",
            ),
            (
                "One server, after its host names were changed in zpki.toml:",
                "zpki -C prod-pki apply --only server1",
            ),
        ],
    ),
    (
        "zpki-backup",
        &[
            (
                "To a file with the day in its name, which must not exist yet:",
                "zpki -C /etc/zpki backup /var/backups/zpki-$(date +%F).tar",
            ),
            (
                "To another host, encrypted on the way and there:",
                r"zpki -C /etc/zpki backup - | age -r RECIPIENT \
    | ssh vault 'cat > zpki.tar.age'",
            ),
            (
                "Whether a backup is whole, without zpki:",
                r"mkdir -m 700 new && tar -xpf zpki.tar -C new &&
    (cd new && sha256sum -c SHA256SUMS)",
            ),
        ],
    ),
    (
        "zpki-ca",
        &[
            (
                "What the CA is, and until when:",
                "zpki -C prod-pki ca show",
            ),
            (
                "Ten more years, without one certificate made anew:",
                "zpki -C prod-pki ca renew",
            ),
        ],
    ),
    (
        "zpki-ca-import",
        &[
            (
                "An intermediate CA of the company, for a cluster that zpki.toml describes:",
                r"zpki -C prod-pki ca import issuing.crt issuing.key --chain root.crt
zpki -C prod-pki apply",
            ),
            (
                "The same CA, renewed by those who made it; its key stays where it is:",
                r"zpki -C prod-pki ca import renewed.crt prod-pki/ca/ca.key.pem \
    --chain root.crt",
            ),
            (
                "A self-signed CA with its CRL, without a terminal:",
                r"zpki -C prod-pki ca import ca.crt ca.key --crl ca.crl \
    --key-passphrase-file old --ca-passphrase-file new",
            ),
        ],
    ),
    (
        "zpki-ca-passphrase",
        &[
            (
                "On a terminal, which asks for the old and the new one:",
                "zpki -C prod-pki ca passphrase",
            ),
            (
                "From files:",
                r"zpki -C prod-pki ca passphrase \
    --ca-passphrase-file old --new-ca-passphrase-file new",
            ),
        ],
    ),
    (
        "zpki-ca-renew",
        &[(
            "With HAProxy told of its new trust bundle:",
            "zpki -C prod-pki ca renew --exec 'systemctl reload haproxy'",
        )],
    ),
    (
        "zpki-ca-show",
        &[(
            "The last day on which it issues certificates of full length:",
            "zpki -C prod-pki ca show --output json | jq -r .runway.until",
        )],
    ),
    (
        "zpki-check",
        &[
            (
                "What HAProxy will say of a server:",
                r"zpki check servers/server1/zato-server-cert.pem \
    --ca-file load-balancer/ca.cert.pem --host server1.prod.internal",
            ),
            (
                "What the servers will say of the load-balancer, in a year:",
                r"zpki check load-balancer/key-cert.pem --as server-client \
    --ca-file servers/server1/zato-server-ca-certs.pem \
    --at 2027-11-23",
            ),
        ],
    ),
    (
        "zpki-completions",
        &[(
            "For bash, from the next shell on:",
            r"zpki completions bash \
    > ~/.local/share/bash-completion/completions/zpki",
        )],
    ),
    (
        "zpki-config",
        &[(
            "See what would change, change it, and go back:",
            r"zpki -C prod-pki config diff --haproxy zato.config
zpki -C prod-pki config apply --haproxy zato.config \
    --reload 'systemctl reload haproxy'
zpki -C prod-pki config rollback --haproxy zato.config",
        )],
    ),
    (
        "zpki-config-apply",
        &[
            (
                "On the load-balancer's host, with its host folder alone:",
                r"zpki config apply --from load-balancer --install \
    --haproxy /opt/zato/lb/config/repo/zato.config \
    --reload 'systemctl reload haproxy'",
            ),
            (
                "The first switch to TLS, while requests go on, where zpki.toml names the files:",
                r#"zpki -C prod-pki config apply --install --rolling \
    --reload 'systemctl reload haproxy' \
    --restart 'ssh $ZPKI_NAME systemctl restart zato'"#,
            ),
        ],
    ),
    (
        "zpki-config-diff",
        &[(
            "In CI: 10 when something would change:",
            r"zpki -C prod-pki config diff --exit-code \
    --server-conf server1=server1/config/repo/server.conf",
        )],
    ),
    (
        "zpki-config-rollback",
        &[(
            "Where one could go back to, and the way back:",
            r"zpki -C prod-pki config rollback --list
zpki -C prod-pki config rollback --reload 'systemctl reload haproxy'",
        )],
    ),
    (
        "zpki-crl",
        &[
            (
                "Another year for the CRL, and what makes HAProxy read it:",
                r"zpki -C prod-pki crl --ca-passphrase-file /run/secrets/ca \
    --exec 'systemctl reload haproxy'",
            ),
            (
                "Until when it is valid, and what is on it:",
                "zpki show prod-pki/ca/crl.pem",
            ),
        ],
    ),
    (
        "zpki-expiry",
        &[
            (
                "What runs out in a PKI directory; nothing is printed when all is well:",
                "zpki -C /etc/zpki expiry",
            ),
            (
                "Everything that HAProxy and a server have loaded:",
                r"zpki expiry --haproxy /etc/haproxy/haproxy.cfg \
    --server-conf /opt/zato/server1/config/repo/server.conf",
            ),
            (
                "Every certificate below some directories, as a table:",
                "zpki expiry /etc/ssl /opt --exclude archive --verbose",
            ),
            (
                "Two months before the end, or at a third of short lifetimes:",
                "zpki expiry --warn 60d,33% --crit 14d,10%",
            ),
            (
                "For Nagios, and for Prometheus:",
                r"zpki -C /etc/zpki expiry --output nagios
zpki -C /etc/zpki expiry \
    --textfile /var/lib/prometheus/node-exporter/zpki.prom",
            ),
            (
                "Units for systemd that do this every day:",
                "zpki -C /etc/zpki expiry --print systemd",
            ),
        ],
    ),
    (
        "zpki-export",
        &[
            (
                "A client's key and certificate in one file:",
                r"zpki -C prod-pki export scheduler --format key-cert \
    --out scheduler.pem",
            ),
            (
                "A server's as a Secret, from a pipeline:",
                r"zpki -C prod-pki export server1 --format k8s-secret \
    | kubectl apply -f -",
            ),
        ],
    ),
    (
        "zpki-import",
        &[
            (
                "With the addresses that HAProxy has:",
                r"zpki -C prod-pki import /opt/zato/ca \
    --from-haproxy /opt/zato/load-balancer/config/repo/zato.config
zpki -C prod-pki init --config prod-pki/zpki.toml",
            ),
            (
                "With addresses by hand, and a scheduler, which is no server:",
                r"zpki -C prod-pki import /opt/zato/ca \
    --server server1=10.0.0.11:17010 --client scheduler1",
            ),
        ],
    ),
    (
        "zpki-init",
        &[
            (
                "Two servers that ask the load-balancer for a certificate, without a question:",
                r"zpki init prod-pki --cluster prod \
    --server server1=10.0.0.11:17010 \
    --server server2=10.0.0.12:17010 \
    --client-certificate required \
    --ca-passphrase-file /etc/zpki/passphrase",
            ),
            (
                "The servers of a cluster that runs:",
                r"zpki init prod-pki --cluster prod \
    --from-haproxy /opt/zato/load-balancer/config/repo/zato.config",
            ),
            (
                "A CA that can vouch for no other domain:",
                r"zpki init prod-pki --cluster prod --from-haproxy zato.config \
    --permitted-domain prod.internal",
            ),
            (
                "A new CA where the old one was lost and zpki.toml is left:",
                "zpki init prod-pki --config prod-pki/zpki.toml",
            ),
        ],
    ),
    (
        "zpki-issue",
        &[
            (
                "Key and certificate for one more HAProxy front end, in one file:",
                r"zpki -C prod-pki issue edge1 --role server \
    --host edge1.prod.internal \
    --out /etc/haproxy/certs --format key-cert",
            ),
            (
                "A client of the servers, in clients/cron:",
                "zpki -C prod-pki issue cron --role client",
            ),
            (
                "A certificate for a key that stays where it is:",
                r"zpki -C prod-pki issue --csr app1.csr --role server \
    > app1.cert.pem",
            ),
            (
                "Many at once, and in a pipeline only those that are new:",
                "zpki -C prod-pki issue --from many.csv --out certificates",
            ),
            (
                "For a browser or for Java:",
                r"zpki -C prod-pki issue alice --role client --out alice \
    --format p12 --p12-passphrase-file passphrase",
            ),
        ],
    ),
    (
        "zpki-list",
        &[
            (
                "With serial numbers and key algorithms:",
                "zpki -C prod-pki list -v",
            ),
            ("For a program:", "zpki -C prod-pki list --output json"),
        ],
    ),
    (
        "zpki-plan",
        &[
            (
                "What there is to do, for a pipeline: the exit status is 10 when there is something:",
                "zpki -C prod-pki plan --exit-code --output json",
            ),
            (
                "What there will be to do at the end of next year:",
                "zpki -C prod-pki plan --at 2027-12-31",
            ),
        ],
    ),
    (
        "zpki-rekey",
        &[(
            "A new key for one server, although its certificate is not due:",
            "zpki -C prod-pki rekey server1 --force",
        )],
    ),
    (
        "zpki-renew",
        &[
            (
                "Whatever is due, and nothing else:",
                "zpki -C prod-pki renew",
            ),
            (
                "Every certificate, due or not:",
                "zpki -C prod-pki renew --all --force",
            ),
        ],
    ),
    (
        "zpki-log",
        &[
            (
                "What was done to a server this year:",
                "zpki -C prod-pki log server1 --since 2026-01-01",
            ),
            (
                "The serial numbers in it:",
                r"zpki -C prod-pki log --output json \
    | jq -r '.events[].serialNumber // empty'",
            ),
        ],
    ),
    (
        "zpki-revoke",
        &[
            (
                "What a new key has taken the place of, once the host has the new one:",
                "zpki -C prod-pki revoke server1 --superseded",
            ),
            (
                "One certificate, by the first digits of its serial number:",
                "zpki -C prod-pki revoke 5f975d0b --reason cessationOfOperation",
            ),
            (
                "One that only a backup has any more:",
                "zpki -C prod-pki revoke /mnt/backup/old-server.pem",
            ),
        ],
    ),
    (
        "zpki-restore",
        &[
            (
                "On a new host, and whether all is well there:",
                "zpki restore zpki.tar /etc/zpki && zpki -C /etc/zpki check",
            ),
            (
                "From another host:",
                "ssh vault cat zpki.tar | zpki restore - /etc/zpki",
            ),
        ],
    ),
    (
        "zpki-server",
        &[(
            "Another server, with its key, its certificate and its line for HAProxy:",
            "zpki -C prod-pki server add server3=10.0.0.13:17010",
        )],
    ),
    (
        "zpki-server-add",
        &[(
            "A server with two host names:",
            r"zpki -C prod-pki server add \
    server3=10.0.0.13:17010,server3.prod.internal,10.0.0.13",
        )],
    ),
    (
        "zpki-server-remove",
        &[(
            "A server that is switched off; then its certificate is revoked:",
            r"zpki -C prod-pki server remove server3
zpki -C prod-pki revoke server3 --reason cessationOfOperation",
        )],
    ),
    (
        "zpki-show",
        &[
            (
                "The certificate that an entry uses:",
                "zpki -C prod-pki show server1",
            ),
            (
                "Whatever a file has in it:",
                "zpki show /etc/haproxy/tls/key-cert.pem",
            ),
            (
                "The certificates that a server sends:",
                r"openssl s_client -connect 10.0.0.11:17010 -showcerts </dev/null \
    | zpki show -",
            ),
        ],
    ),
    (
        "zpki-snippet",
        &[(
            "For HAProxy, and for one server:",
            "zpki -C prod-pki snippet haproxy\nzpki -C prod-pki snippet server server1",
        )],
    ),
    (
        "zpki-snippet-frontend",
        &[(
            "Only applications with a certificate may connect:",
            "zpki -C prod-pki snippet frontend --client-certificate required",
        )],
    ),
    (
        "zpki-snippet-haproxy",
        &[("The server lines:", "zpki -C prod-pki snippet haproxy")],
    ),
    (
        "zpki-snippet-lb-agent",
        &[("The keys:", "zpki -C prod-pki snippet lb-agent")],
    ),
    (
        "zpki-snippet-server",
        &[(
            "The [crypto] section of a server:",
            "zpki -C prod-pki snippet server server1",
        )],
    ),
];

/// What fits on a terminal of 80 columns behind the indentation.
const EXAMPLE_WIDTH: usize = 68;

/// Commands stand as they are typed, neither filled nor hyphenated: they are there to be copied.
fn examples(roff: &mut Roff, name: &str) {
    let (_, examples) = EXAMPLES
        .iter()
        .find(|(page, _)| *page == name)
        .unwrap_or_else(|| panic!("{name} has no examples: add them to EXAMPLES"));
    roff.control("SH", ["EXAMPLES"]);
    for (index, (what, command)) in examples.iter().enumerate() {
        if index > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(*what)]);
        roff.control("PP", []);
        roff.control("RS", ["4"]);
        roff.control("nf", []);
        for line in command.lines() {
            assert!(line.len() <= EXAMPLE_WIDTH, "too long: {line}");
            roff.text([bold(line)]);
        }
        roff.control("fi", []);
        roff.control("RE", []);
    }
}

fn see_also(roff: &mut Roff, command: &clap::Command, above: &[&str]) {
    roff.control("SH", ["SEE ALSO"]);
    let name = page_name(command);
    let below = command.get_subcommands().map(page_name);
    let pages = above.iter().copied().chain(below);
    let pages: Vec<String> = pages.map(|page| format!("{page}(1)")).collect();
    let mut text = pages.join(", ");
    if name == "zpki" {
        text += ", openssl(1), haproxy(1)";
    } else {
        text += ". Exit statuses, environment and files are in zpki(1).";
    }
    roff.text([roman(text)]);
}

#[test]
fn bash_completes_commands_flags_and_words() {
    let sandbox = Sandbox::new();
    let script = sandbox.args(["completions", "bash"]).run().product();
    sandbox.file("zpki.bash", script);
    sandbox.tool("bash", &["-n", "zpki.bash"]);
    let complete = |words: &str| {
        let line = format!(
            "set -e; . ./zpki.bash; complete -p zpki >&2; COMP_WORDS=({words}); \
             COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _zpki zpki \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD - 1]}}\"; \
             echo \"${{COMPREPLY[*]}}\""
        );
        sandbox.tool("bash", &["--norc", "-c", &line])
    };
    let commands = complete("zpki ''");
    for command in ["init", "list", "show", "snippet", "completions", "--output"] {
        assert!(
            commands.split_whitespace().any(|word| word == command),
            "{command}: {commands}"
        );
    }
    assert_eq!(complete("zpki ser"), "server\n");
    assert_eq!(complete("zpki server a"), "add\n");
    assert_eq!(
        complete("zpki init --client-certificate ''"),
        "none optional required\n"
    );
    assert_eq!(
        complete("zpki list --output ''"),
        "text json jsonl nagios pem prometheus\n"
    );
    assert!(complete("zpki snippet ''").starts_with("-C -q -v -h -V "));
    assert!(complete("zpki init ''").contains("--from-haproxy"));
}

/// At a terminal: each line is typed, then Tab and Enter, and what runs tells its arguments.
const ZSH: &str = r#"
zmodload zsh/zpty
zpty shell TERM=dumb zsh -f -i
zpty -w shell "fpath=($PWD \$fpath); autoload -Uz compinit zpki; compinit -D -u"
for line in "$@"; do
    zpty -n -w shell "$line"$'\t\n'
    zpty -r -m shell said '*<*>*'
    print -r -- ${${said%>*}##*<}
done
"#;

#[test]
fn zsh_completes_commands_flags_and_words() {
    let sandbox = Sandbox::new();
    let script = sandbox.args(["completions", "zsh"]).run().product();
    sandbox.file("_zpki", script);
    sandbox.file("zpki", "print -r -- \"<$*>\"");
    let typed = [
        "zpki ser",
        "zpki server a",
        "zpki init --from-h",
        "zpki init --client-certificate req",
    ];
    let zsh = [&["30", "zsh", "-f", "-c", ZSH, "zsh"], &typed[..]].concat();
    assert_eq!(
        sandbox.tool("timeout", &zsh),
        "server\nserver add\ninit --from-haproxy\ninit --client-certificate required\n"
    );
}

#[test]
fn fish_completes_commands_flags_and_words() {
    let sandbox = Sandbox::new();
    let script = sandbox.args(["completions", "fish"]).run().product();
    sandbox.file("zpki.fish", script);
    let complete = |line: &str| {
        let script = format!("source zpki.fish; complete --do-complete '{line}'");
        // It makes directories for its settings, whether it reads any or not.
        let fish = ["-i", "HOME=.", "fish", "--no-config", "--command", &script];
        let said = sandbox.tool("env", &fish);
        // Each has its description behind a tab.
        let words = said.lines().map(|line| line.split('\t').next().unwrap());
        words.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(complete("zpki ser"), "server");
    assert_eq!(complete("zpki server a"), "add");
    assert_eq!(complete("zpki init --from-h"), "--from-haproxy");
    assert_eq!(
        complete("zpki init --client-certificate "),
        "none optional required"
    );
}

#[test]
fn every_shell_has_a_script() {
    for (shell, beginning) in [
        ("bash", "_zpki() {"),
        ("elvish", "\nuse builtin;"),
        ("fish", "# Print an optspec for argparse"),
        (
            "powershell",
            "\nusing namespace System.Management.Automation",
        ),
        ("zsh", "#compdef zpki"),
    ] {
        let script = Sandbox::new().args(["completions", shell]).run().product();
        assert!(script.starts_with(beginning), "{shell}: {script:.80}");
    }
}
