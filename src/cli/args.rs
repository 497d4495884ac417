//! The command line, in types of the domain: past this file no code sees a string that was typed.

pub(super) mod apply;
pub(super) mod backup;
pub(super) mod ca;
pub(super) mod config;
pub(super) mod crl;
pub(super) mod issue;
pub(super) mod revoke;
pub(super) mod server;

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::domain::address::Address;
use crate::domain::error::Invalid;
use crate::domain::host::{DnsName, Host};
use crate::domain::key_algorithm::KeyAlgorithm;
use crate::domain::name::{ClusterName, EntryName};
use crate::domain::name_constraints::{Network, permitted_domain};
use crate::domain::pattern::Exclusion;
use crate::domain::role::ClientCertificate;
use crate::domain::settings::{AbsolutePath, Backend};
use crate::domain::textfile::TextfilePath;
use crate::domain::threshold::{Threshold, Thresholds};
use crate::domain::validity::{Instant, Lifetime, Span};

mod export;
mod import;
mod log;

use backup::{Backup, Restore};
pub(super) use ca::Ca;
pub(super) use config::Config;
pub(super) use export::Export;
pub(super) use import::Import;
pub(super) use log::Log;

/// Bootstraps and keeps the PKI of an HAProxy load-balancer and the Python servers behind it.
#[derive(Debug, Parser)]
#[command(
    name = "zpki",
    version,
    propagate_version = true,
    after_help = EXIT_STATUS,
    max_term_width = 100
)]
pub(super) struct Arguments {
    /// What applies to every command.
    #[command(flatten)]
    pub(super) global: Global,
    /// The command.
    #[command(subcommand)]
    pub(super) command: Command,
}

/// The table of exit statuses, as `--help` and the man page show it.
pub(super) const EXIT_STATUS: &str = "\
Exit status:
  0  done, nothing to do, or all well
  1  warning: due soon; or done, but --exec failed or a backup left something out
  2  critical: expired, or refused; config: refused, or a server did not come up
  3  unknown: could not be checked; config: what checks the change did not run
 10  changes pending or made (--exit-code)   74  I/O error (disk full, wrong clock, ...)
 64  wrong usage                             75  locked by another run
 65  input that cannot be understood         77  wrong passphrase, or no permission
 66  an input file is missing or unreadable  78  zpki.toml is wrong
 73  refused to overwrite
128+N  ended by signal N, such as 130 for Ctrl-C; also 130: not confirmed";

/// What applies to every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// The PKI directory [default: $ZPKI_DIR, else the current directory]
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub(super) directory: Option<PathBuf>,

    /// What to print on standard output; `pem` is for `show`, `jsonl`, `nagios` and `prometheus` are for
    /// `expiry`
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        global = true
    )]
    pub(super) output: OutputFormat,

    /// Print no text report, notes or warnings of a command that writes; errors are printed all the same
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,

    /// Say more: serial numbers, key algorithms; of `expiry`, every certificate
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,

    /// Whether to colour; `auto` is on a terminal, unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", value_enum, default_value_t, global = true)]
    pub(super) color: Color,

    /// Never ask, even on a terminal
    #[arg(long, global = true)]
    pub(super) non_interactive: bool,

    /// Take every confirmation as given
    #[arg(long, global = true)]
    pub(super) yes: bool,

    /// How long to wait for another run that writes
    #[arg(long, value_name = "DURATION", default_value = "30s", global = true)]
    pub(super) lock_timeout: Span,
}

/// What standard output is to hold.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(super) enum OutputFormat {
    #[default]
    Text,
    Json,
    Jsonl,
    Nagios,
    Pem,
    Prometheus,
}

impl OutputFormat {
    /// As it is given.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Nagios => "nagios",
            Self::Pem => "pem",
            Self::Prometheus => "prometheus",
            Self::Text => "text",
        }
    }
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(super) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// The commands: those that make and change, those that look, those that carry to elsewhere and back.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a CA, a certificate for each server, and the lines for HAProxy and server.conf
    ///
    /// On a terminal, the CA's passphrase is asked for if it is neither given nor declined. If the
    /// cluster's name or its servers are missing, they are asked for, and so are the load-balancer's
    /// host names, client certificates and lifetimes that no flag gives. Without a terminal nothing
    /// is ever asked, and an error names the flags that are missing.
    Init(Box<Init>),
    /// Show what `apply` would do, and why
    ///
    /// Compares zpki.toml with the PKI directory: entries without a certificate, names that were added or
    /// removed, certificates that are due, files of host folders that are missing or differ or have a
    /// wrong mode, lines for HAProxy that are out of date, entries that were removed. Neither the CA's
    /// private key nor its passphrase is needed. What was changed by hand in a host folder is shown as
    /// `diff -u` shows it. Of wrong modes elsewhere, as of ca/, `check` tells.
    Plan(apply::Plan),
    /// Make the PKI directory what zpki.toml says
    ///
    /// Does what `plan` shows, all of it or nothing. Run twice, the second run changes nothing. The host
    /// folder of an entry that zpki.toml no longer names goes to retired/, with its private key; its
    /// certificate stays valid until it is revoked.
    Apply(apply::Apply),
    /// Add a server to zpki.toml, or remove one, and apply it
    Server(server::Server),
    /// Make certificates that zpki.toml does not name
    ///
    /// For a new key, for the key of a certification request (--csr), or for everything that a manifest
    /// lists (--from), all of it or nothing. Of a request only its public key is taken and, unless --host
    /// is given, its DNS names and addresses; its subject and its extensions are not. Private keys are in
    /// files of mode 0600. No file is replaced without --force.
    ///
    /// Asked for what there is already, and is not due, nothing is made. `renew` and `apply` know nothing
    /// of these certificates: to renew one, issue it again. `list`, `show` and `expiry` have them. The trust
    /// bundle beside a client's certificate follows the CA; that in --out does when something is issued to it.
    Issue(Box<issue::Issue>),
    /// Make new certificates for the same keys, where they are due
    ///
    /// One file of the host folder changes. A certificate is due when less than `renew_within` of its
    /// own lifetime is left, or when it is not what zpki.toml says. With --force, also when it is not due.
    Renew(apply::Renew),
    /// Make new keys, and certificates for them, where they are due
    ///
    /// The private key and its certificate are put in place one right after the other. With --force, also
    /// when nothing is due: after a key has leaked, rekey, put the new files in place on the host, then
    /// revoke the old certificate.
    Rekey(apply::Renew),
    /// Revoke a certificate, and sign the CRL that says so
    ///
    /// NAME takes the one valid certificate of an entry; of several, give one's serial number, --superseded
    /// or --all. A certificate that the inventory has lost is revoked by its file. What is installed is
    /// revoked with --force only; what is revoked already stays as it is. --reason keyCompromise takes
    /// every valid certificate for the same key, whosever it is, and from then on `renew` refuses that key.
    ///
    /// HAProxy reads the CRL where [revocation] of zpki.toml has `enabled = true` and its lines have
    /// crl-file, at each reload. Servers read no CRL: a certificate that a client may use, such as the
    /// load-balancer's, passes there until it expires, revoked or not.
    #[command(after_long_help = revoke::RUNBOOK)]
    Revoke(revoke::Revoke),
    /// Sign a fresh CRL
    ///
    /// With the entries that it has, the next number, and a new nextUpdate. `apply` does so in time: when
    /// less than a third is left; an expired CRL makes HAProxy refuse every server. With [revocation]
    /// enabled in zpki.toml it also goes to load-balancer/crl.pem.
    Crl(crl::Crl),
    /// The CA itself: show it, renew it, change its passphrase, or take one that was made elsewhere
    Ca(Ca),
    /// Say whether HAProxy and the servers will accept each other's certificates, and if not, why
    ///
    /// Without FILE everything in the PKI directory is checked: each server's certificate as HAProxy will
    /// see it, the load-balancer's as the servers will, private keys, names, modes, trust bundles, the
    /// inventory, the CRL and the CA. With --haproxy and --server-conf it is the real configuration
    /// files, the files that they name, and whether both ends of each line fit. With FILE, one certificate
    /// is judged as OpenSSL judges it for its consumer: HAProxy for a server's, a server for the
    /// load-balancer's. What a strict verifier would say is a second opinion, whose objections are
    /// warnings. With --as, that one policy decides, and the exit status is 0, 2 or 3.
    Check(Check),
    /// Say what runs out, and when; silent when all is well
    ///
    /// Without INPUT it is the PKI directory: what its host folders hold, the CA, its CRL, and the newest
    /// certificate of each name. An INPUT is a file (PEM with any number of blocks, or DER), a
    /// directory with everything below it, a glob, or `-` for standard input; with --haproxy and
    /// --server-conf it is every file that the configuration names. One line for each problem, worst
    /// first; what cannot be read is a problem, and so is it when nothing is found. No problem is an
    /// expired certificate that no configuration names, when it is beside a newer one of the same names,
    /// or in an `archive` there. The exit status is 0, 1 (warning), 2 (critical) or 3 (unknown), the worst
    /// of critical, unknown, warning; 64 for wrong usage.
    Expiry(Expiry),
    /// List the entries of the cluster and their certificates
    List,
    /// Show a certificate, request, CRL or key
    Show(Show),
    /// Show what was issued, by whom and when: the log
    Log(Log),
    /// Print the lines for HAProxy or for a server.conf
    Snippet(Snippet),
    /// Edit the real configuration of HAProxy and of the servers, in place
    Config(Config),
    /// Print the key and certificates of an entry as another program takes them, or make a file of them
    ///
    /// A private key goes to no terminal, and into a file that only its owner may read. A file that has
    /// something else in it is not replaced. With --output json and without --out, `content` is the
    /// product: a secret, if the private key is in it.
    Export(Export),
    /// Write a zpki.toml for the cluster whose certificates `zato ca create` made
    ///
    /// Every certificate, key and passphrase in DIR is looked at, and what is unusable is said, and why.
    /// The names of the servers are taken over into a new PKI directory's zpki.toml, of which
    /// `zpki init --config` makes a new CA and new certificates; no key is. A certificate does not say an
    /// address: --from-haproxy or --server does.
    Import(Box<Import>),
    /// Write the whole PKI directory, private keys included, to one file
    ///
    /// The file is a tar archive, which only its owner can read. In it are zpki.toml, the CA with its
    /// private key, its CRL, the inventory of every certificate that was issued and the log, the host
    /// folders of the load-balancer, the servers and the clients, those that are retired, and the hooks
    /// that are owed: one state, for no other run writes meanwhile. Modes are kept, owners are not. A CA
    /// key that zpki.toml has elsewhere is not in it. Symbolic links, sockets and the like are left
    /// out, which is told, and the exit status is then 1. SHA256SUMS in it is for `sha256sum -c`, where
    /// it is unpacked without zpki. A file that exists is never overwritten.
    Backup(Backup),
    /// Make a PKI directory of what `backup` has written
    ///
    /// DIR must not exist, or be empty. All of the file is read and checked first: that it is whole, that
    /// each file in it is what was backed up, and that nothing in it leads out of DIR; not what the files
    /// say: a zpki.toml with mistakes comes back as it was, which is told. Then the directory is made at
    /// once or not at all. Its files belong to the user who runs this, with the modes that they had, and
    /// none wider than zpki makes them. Commands of --exec that were owed are told, and not restored: they
    /// would be run, and FILE may be somebody else's. Whatever was issued or revoked after the backup is
    /// not known to it: revoke such certificates again.
    Restore(Restore),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
}

/// `zpki init`.
#[derive(Args, Debug)]
pub(super) struct Init {
    /// The directory to make [default: the PKI directory of -C]
    #[arg(value_name = "DIR")]
    pub(super) target: Option<PathBuf>,

    /// Name of the cluster
    #[arg(long, value_name = "NAME", help_heading = CLUSTER)]
    pub(super) cluster: Option<ClusterName>,

    /// A server: its name, its address as HAProxy reaches it, and its host names (repeatable)
    #[arg(long = "server", value_name = "NAME=ADDRESS[,HOST...]", help_heading = CLUSTER)]
    pub(super) servers: Vec<ServerArgument>,

    /// Take the servers out of HAProxy's configuration as Zato writes it
    #[arg(long, value_name = "FILE", conflicts_with = "servers", help_heading = CLUSTER)]
    pub(super) from_haproxy: Option<PathBuf>,

    /// Take everything from a zpki.toml, as after the loss of the CA
    #[arg(long, value_name = "FILE", conflicts_with_all = SETTINGS, help_heading = CLUSTER)]
    pub(super) config: Option<PathBuf>,

    /// A host name of the load-balancer (repeatable)
    #[arg(long = "lb", value_name = "HOST", help_heading = CLUSTER)]
    pub(super) load_balancer: Vec<Host>,

    /// What the servers ask of the load-balancer [default: none]
    #[arg(long, value_name = "MODE", value_parser = words::<ClientCertificate>(ClientCertificate::NAMES), help_heading = CLUSTER)]
    pub(super) client_certificate: Option<ClientCertificate>,

    /// Key algorithm of the certificates [default: ecdsa-p256]
    #[arg(long, value_name = "ALGORITHM", value_parser = words::<KeyAlgorithm>(KeyAlgorithm::NAMES), help_heading = CERTIFICATES)]
    pub(super) key_algorithm: Option<KeyAlgorithm>,

    /// Lifetime of the certificates [default: 1y]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, help_heading = CERTIFICATES)]
    pub(super) lifetime: Option<Lifetime>,

    /// Key algorithm of the CA [default: ecdsa-p256]
    #[arg(long, value_name = "ALGORITHM", value_parser = words::<KeyAlgorithm>(KeyAlgorithm::NAMES), help_heading = CERTIFICATES)]
    pub(super) ca_key_algorithm: Option<KeyAlgorithm>,

    /// Lifetime of the CA [default: 10y]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, help_heading = CERTIFICATES)]
    pub(super) ca_lifetime: Option<Lifetime>,

    /// A domain that the CA may vouch for (repeatable); by default, any
    #[arg(long = "permitted-domain", value_name = "DOMAIN", value_parser = permitted_domain, help_heading = CERTIFICATES)]
    pub(super) permitted_domains: Vec<DnsName>,

    /// A network that the CA may vouch for (repeatable); by default, any
    #[arg(long = "permitted-network", value_name = "NETWORK", help_heading = CERTIFICATES)]
    pub(super) permitted_networks: Vec<Network>,

    /// The HAProxy backend that holds the server lines [default: bck_http_plain]
    #[arg(long, value_name = "NAME", help_heading = HAPROXY)]
    pub(super) backend: Option<Backend>,

    /// Where HAProxy sees the trust bundle [default: the host folder's]
    #[arg(long, value_name = "PATH", help_heading = HAPROXY)]
    pub(super) ca_file: Option<AbsolutePath>,

    /// Where HAProxy sees its private key and certificate [default: the host folder's]
    #[arg(long, value_name = "PATH", help_heading = HAPROXY)]
    pub(super) crt: Option<AbsolutePath>,

    /// Write plain server lines, which check no name; HAProxy from 3.3 on answers them with 503
    #[arg(long, help_heading = HAPROXY)]
    pub(super) no_verifyhost: bool,

    /// The passphrase that encrypts the CA's private key.
    #[command(flatten)]
    pub(super) passphrase: CaPassphrase,

    /// Leave the CA's private key unencrypted
    #[arg(long, conflicts_with = "ca_passphrase_file", help_heading = PASSPHRASE)]
    pub(super) no_ca_passphrase: bool,

    /// Believe a clock that is behind this program's release
    #[arg(long)]
    pub(super) force: bool,
}

const CLUSTER: &str = "Cluster";
const CERTIFICATES: &str = "Certificates";
const HAPROXY: &str = "HAProxy";
const PASSPHRASE: &str = "CA passphrase";

/// Flags that say what a zpki.toml says.
const SETTINGS: [&str; 15] = [
    "cluster",
    "servers",
    "from_haproxy",
    "load_balancer",
    "client_certificate",
    "key_algorithm",
    "lifetime",
    "ca_key_algorithm",
    "ca_lifetime",
    "permitted_domains",
    "permitted_networks",
    "backend",
    "ca_file",
    "crt",
    "no_verifyhost",
];

/// Where a passphrase comes from; never the command line itself, which others can read.
#[derive(Args, Debug)]
pub(super) struct CaPassphrase {
    /// File whose first line is the passphrase of the CA's private key; `-` is standard input
    /// [or: $ZPKI_CA_PASSPHRASE_FILE, $ZPKI_CA_PASSPHRASE]
    #[arg(long, value_name = "FILE", help_heading = PASSPHRASE)]
    pub(super) ca_passphrase_file: Option<PathBuf>,
}

/// `zpki check`.
#[derive(Args, Debug)]
pub(super) struct Check {
    /// A certificate, PEM or DER, with what its owner sends behind it, and perhaps its private key, as in
    /// key-cert.pem [default: the whole PKI directory]
    #[arg(value_name = "FILE", requires = "ca_file")]
    pub(super) file: Option<PathBuf>,

    /// The trust bundle of the consumer: a file, or a directory of files
    #[arg(long, value_name = "FILE|DIR", requires = "file")]
    pub(super) ca_file: Option<PathBuf>,

    /// More certificates that are sent behind it (repeatable)
    #[arg(long, value_name = "FILE", requires = "file")]
    pub(super) untrusted: Vec<PathBuf>,

    /// CRLs, one for every CA of the path; without it, revocation is not looked at
    #[arg(long, value_name = "FILE", requires = "file")]
    pub(super) crl_file: Option<PathBuf>,

    /// A name that the certificate must be for (repeatable: all of them)
    #[arg(long = "host", value_name = "NAME", requires = "file")]
    pub(super) hosts: Vec<String>,

    /// Whose verdict decides [default: that of the consumer the certificate is made for]
    #[arg(long = "as", value_name = "POLICY", value_enum, requires = "file")]
    pub(super) policy: Option<PolicyName>,

    /// What the certificate is used for, for `--as strict` [default: server]
    #[arg(long, value_name = "PURPOSE", value_enum, requires = "policy")]
    pub(super) purpose: Option<PurposeName>,

    /// HAProxy's configuration: each line with TLS, and the files that it names (repeatable)
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    pub(super) haproxy: Vec<PathBuf>,

    /// A server's server.conf: its `[crypto]`, the files that it names, and whether it fits the server
    /// line of --haproxy (repeatable)
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    pub(super) server_conf: Vec<PathBuf>,

    /// The instant to judge for, RFC 3339 or a date [default: now]
    #[arg(long, value_name = "TIME")]
    pub(super) at: Option<Instant>,
}

/// A consumer of certificates.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum PolicyName {
    /// HAProxy that verifies a server
    HaproxyServer,
    /// A server that verifies the load-balancer
    ServerClient,
    /// OpenSSL with X509_STRICT and PARTIAL_CHAIN, as Python's default from 3.13 on
    Strict,
}

/// What a certificate is used for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum PurposeName {
    /// By a TLS client
    Client,
    /// By a TLS server
    Server,
}

/// `zpki expiry`.
#[derive(Args, Debug)]
pub(super) struct Expiry {
    /// Files, directories, globs, or `-` for standard input [default: the PKI directory]
    #[arg(value_name = "INPUT")]
    pub(super) inputs: Vec<PathBuf>,

    /// HAProxy's configuration: every certificate, trust bundle and CRL that it names (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(super) haproxy: Vec<PathBuf>,

    /// A server's server.conf: the certificates that its `[crypto]` names (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(super) server_conf: Vec<PathBuf>,

    /// Leave this out of directories: a name, or with a `/` a path (repeatable)
    #[arg(long, value_name = "GLOB", value_parser = OsStringValueParser::new().try_map(|glob| Exclusion::new(&glob)))]
    pub(super) exclude: Vec<Exclusion>,

    /// Warn when less than this remains: a time, a share of the lifetime, or the lesser of both
    #[arg(long, value_name = "THRESHOLD", default_value_t = Thresholds::default().warn, help_heading = THRESHOLDS)]
    pub(super) warn: Threshold,

    /// Critical when less than this remains
    #[arg(long, value_name = "THRESHOLD", default_value_t = Thresholds::default().crit, help_heading = THRESHOLDS)]
    pub(super) crit: Threshold,

    /// How far notBefore may lie ahead: then it is a warning only
    #[arg(long, value_name = "DURATION", default_value = "5m", help_heading = THRESHOLDS)]
    pub(super) grace: Span,

    /// The instant to judge for, RFC 3339 or a date [default: now]
    #[arg(long, value_name = "TIME", help_heading = THRESHOLDS)]
    pub(super) at: Option<Instant>,

    /// Take it for well when nothing is found
    #[arg(long)]
    pub(super) allow_empty: bool,

    /// Exit with 0 whatever is found, for those who read the text alone
    #[arg(long)]
    pub(super) exit_zero: bool,

    /// Write Prometheus' metrics to this file as well, for node_exporter's textfile collector
    #[arg(long, value_name = "PATH", conflicts_with = "at", help_heading = METRICS)]
    pub(super) textfile: Option<TextfilePath>,

    /// Write the metrics of every certificate: of more than 1,000, by default, only the problems; with
    /// --textfile or --output prometheus
    #[arg(long, help_heading = METRICS)]
    pub(super) all: bool,

    /// Print a template that runs `expiry` for you, or tells you of it
    #[arg(long, value_name = "WHAT", value_enum, conflicts_with_all = [
        "inputs", "haproxy", "server_conf", "exclude", "warn", "crit", "grace", "at", "allow_empty", "exit_zero",
        "textfile", "all"
    ])]
    pub(super) print: Option<IntegrationName>,
}

const METRICS: &str = "Metrics";
const THRESHOLDS: &str = "Thresholds";

/// What `--print` prints.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum IntegrationName {
    /// Units for expiry and for apply, each with its timer
    Systemd,
    /// A line for /etc/cron.d
    Cron,
    /// Alert rules for Prometheus
    PrometheusRules,
    /// A command and a service for Nagios
    Nagios,
}

/// `zpki show`.
#[derive(Args, Debug)]
pub(super) struct Show {
    /// The name of an entry, a file (PEM or DER), or `-` for standard input
    #[arg(value_name = "NAME|FILE|-")]
    pub(super) subject: PathBuf,

    /// What opens an encrypted private key.
    #[command(flatten)]
    pub(super) passphrase: CaPassphrase,
}

/// `zpki snippet`.
#[derive(Args, Debug)]
pub(super) struct Snippet {
    /// Which lines.
    #[command(subcommand)]
    pub(super) what: SnippetOf,
}

/// The lines that can be printed.
#[derive(Debug, Subcommand)]
pub(super) enum SnippetOf {
    /// A front-end of HAProxy for client applications that speak TLS
    Frontend {
        /// What it asks of the applications
        #[arg(long, value_name = "MODE", value_parser = words::<ClientCertificate>(ClientCertificate::NAMES))]
        client_certificate: ClientCertificate,
    },
    /// The server lines for HAProxy's configuration
    Haproxy {
        /// Write plain server lines, which check no name; HAProxy from 3.3 on answers them with 503
        #[arg(long)]
        no_verifyhost: bool,
    },
    /// The TLS keys of the load-balancer agent's lb-agent.conf
    LbAgent,
    /// The `[crypto]` section of a server's server.conf
    Server {
        /// The server
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// `NAME=ADDRESS[,HOST...]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct ServerArgument {
    /// The server's name.
    pub(super) name: EntryName,
    /// Its address.
    pub(super) address: Address,
    /// Its host names; empty for a default.
    pub(super) hosts: Vec<Host>,
}

/// What is wrong with a `--server`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum BadServer {
    /// One of its parts.
    Invalid(Invalid),
    /// It has no `=`.
    NoEquals,
}

impl FromStr for ServerArgument {
    type Err = BadServer;

    fn from_str(text: &str) -> Result<Self, BadServer> {
        let (name, rest) = text.split_once('=').ok_or(BadServer::NoEquals)?;
        let mut parts = rest.split(',');
        let address = parts
            .next()
            .unwrap_or_default()
            .parse()
            .map_err(BadServer::Invalid)?;
        let hosts: Result<_, _> = parts.map(str::parse).collect();
        Ok(Self {
            name: name.parse().map_err(BadServer::Invalid)?,
            address,
            hosts: hosts.map_err(BadServer::Invalid)?,
        })
    }
}

impl Display for BadServer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(invalid) => invalid.fmt(f),
            Self::NoEquals => f.write_str("there is no `=` between name and address"),
        }
    }
}

impl std::error::Error for BadServer {}

impl BadServer {
    /// What to do about it.
    #[must_use]
    pub(super) fn hint(&self) -> String {
        match self {
            Self::Invalid(invalid) => invalid.hint(),
            Self::NoEquals => "such as server1=10.0.0.11:17010,server1.prod.internal".into(),
        }
    }
}

/// One of a list of words, which `--help` and completions then show.
fn words<T>(names: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = Invalid> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|word| word.parse::<T>())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_flag_that_is_a_setting_excludes_a_zpki_toml() {
        let command = Arguments::command();
        let init = command.find_subcommand("init").unwrap();
        let settings = init.get_arguments().filter(|argument| {
            let heading = argument.get_help_heading();
            heading.is_some_and(|heading| [CLUSTER, CERTIFICATES, HAPROXY].contains(&heading))
        });
        let ids: Vec<&str> = settings
            .map(|argument| argument.get_id().as_str())
            .collect();
        let forgotten: Vec<_> = ids
            .iter()
            .filter(|id| **id != "config" && !SETTINGS.contains(id))
            .collect();
        assert!(
            ids.len() > SETTINGS.len() && forgotten.is_empty(),
            "{forgotten:?}"
        );
    }
}
