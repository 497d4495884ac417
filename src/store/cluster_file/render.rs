//! A new zpki.toml, with the comments that a person who edits it needs.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, ValueKind};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, filters};
use serde::Serialize;

use crate::domain::key_algorithm::KeyAlgorithm;
use crate::domain::server_line::ServerOptions;
use crate::domain::settings::{LoadBalancerSettings, RevocationSettings, Settings};

const TEMPLATE: &str = include_str!("../../../templates/zpki.toml");

/// A zpki.toml that says what `settings` say, commented, for people to edit.
#[must_use]
pub fn render(settings: &Settings) -> String {
    environment()
        .render_str(TEMPLATE, Serde(variables(settings)))
        .expect("the template is a part of the program, and a test renders every branch of it")
}

/// Without the engine's own filters and tests: a table of all of them is 320 kB of program.
fn environment() -> Environment<'static> {
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
        .expect("the delimiters are the default ones");
    let mut environment = Environment::empty();
    environment.set_syntax(syntax);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.add_filter("items", filters::items);
    environment.add_filter("toml", |value: Value| to_toml(&value).to_string());
    environment
}

fn to_toml(value: &Value) -> toml::Value {
    match value.kind() {
        ValueKind::Bool => value.is_true().into(),
        ValueKind::Seq => {
            let elements = value.try_iter().expect("a list has elements");
            toml::Value::Array(elements.map(|element| to_toml(&element)).collect())
        }
        _ => value.to_string().into(),
    }
}

fn variables(settings: &Settings) -> Variables<'_> {
    Variables {
        settings,
        default_load_balancer: LoadBalancerSettings::default(),
        default_options: ServerOptions::default(),
        default_revocation: RevocationSettings::default(),
        key_algorithms: KeyAlgorithm::NAMES.join(", "),
    }
}

#[derive(Serialize)]
struct Variables<'a> {
    #[serde(flatten)]
    settings: &'a Settings,
    default_load_balancer: LoadBalancerSettings,
    default_options: ServerOptions,
    default_revocation: RevocationSettings,
    key_algorithms: String,
}

#[cfg(test)]
pub(super) mod tests {
    use std::fmt::Debug;
    use std::str::FromStr;

    use proptest::collection::vec;
    use proptest::option::of;
    use proptest::prelude::*;
    use proptest::sample::select;
    use toml::de::DeTable;

    use super::super::{parse, settings};
    use super::*;
    use crate::domain::cluster::Cluster;
    use crate::domain::host::Host;
    use crate::domain::name_constraints::NameConstraints;
    use crate::domain::role::ClientCertificate;
    use crate::domain::settings::{
        CaSettings, CertificateSettings, ClientSettings, Overrides, ServerSettings,
    };
    use crate::domain::validity::{Lifetime, RenewWithin};

    fn server(name: &str, address: &str, hosts: &[&str]) -> ServerSettings {
        ServerSettings {
            name: name.parse().unwrap(),
            address: address.parse().unwrap(),
            hosts: hosts.iter().map(|host| host.parse().unwrap()).collect(),
            options: ServerOptions::default(),
            calls_servers: false,
            conf: None,
            overrides: Overrides::default(),
        }
    }

    #[test]
    fn a_typical_file_is_commented_for_people() {
        let settings = Settings {
            name: "prod".parse().unwrap(),
            ca: CaSettings::default(),
            certificates: CertificateSettings::default(),
            load_balancer: LoadBalancerSettings {
                hosts: vec!["lb.prod.internal".parse().unwrap()],
                client_certificate: ClientCertificate::Required,
                ..LoadBalancerSettings::default()
            },
            servers: vec![
                server(
                    "server1",
                    "10.0.0.11:17010",
                    &["server1.prod.internal", "10.0.0.11"],
                ),
                server(
                    "server2",
                    "10.0.0.12:17010",
                    &["server2.prod.internal", "10.0.0.12"],
                ),
            ],
            clients: Vec::new(),
            revocation: RevocationSettings::default(),
        };
        let golden = r##"# What the cluster prod should be: `zpki plan` shows what has to be done for it, and `zpki apply` does
# it. It is the only file here to edit by hand; it holds no secret, so it is safe to commit.
# A line that is commented out shows the default, or an example where there is none.

[cluster]
name = "prod"

# The certification authority: of this cluster, and of nothing else.
[ca]
# One of ecdsa-p256, ecdsa-p384, ed25519, rsa-2048, rsa-3072, rsa-4096.
key_algorithm = "ecdsa-p256"
# No certificate can outlive it. A year is 365 days; the units are s, m, h, d, w and y.
lifetime = "10y"
# The only names and addresses that the CA can vouch for (name constraints). With domains alone, it
# can vouch for no IP address; with neither, for everything.
# permitted_domains = ["prod.internal"]
# permitted_networks = ["10.0.0.0/8"]
# Where its private key is kept, when that is not ca/ca.key.pem in this directory.
# key_file = "/mnt/vault/ca.key.pem"

# What holds for every certificate. The load-balancer, a server or a client may have any of the
# three for itself.
[certificates]
key_algorithm = "ecdsa-p256"
lifetime = "1y"
# How long before its end a certificate is due: a share of its lifetime, or a time such as "30d".
renew_within = "33%"

# HAProxy, which connects to the servers.
[load_balancer]
# The names and IP addresses in its certificate.
hosts = ["lb.prod.internal"]
# What the servers ask of it (tls_client_certs in server.conf): none, optional or required.
client_certificate = "required"
# true: client applications connect to it with TLS, and it shows them this certificate.
# terminates_tls = false
# The backend section of HAProxy's configuration that has the servers.
# backend = "bck_http_plain"
# Where HAProxy finds its files on its own host, when that is not the folder zpki writes them to.
# ca_file = "/etc/haproxy/tls/ca.cert.pem"
# crt = "/etc/haproxy/tls/key-cert.pem"
# crl_file = "/etc/haproxy/tls/crl.pem"
# false: HAProxy takes the certificate of any server for that of any other.
# verifyhost = true
# HAProxy's real configuration, when it is on this host: `zpki config` edits it.
# config = "/opt/zato/lb/config/repo/zato.config"

# Whether HAProxy refuses certificates that were revoked, and how long a CRL is valid. Once it is
# enabled, an expired CRL makes HAProxy refuse every server.
[revocation]
# enabled = false
# lifetime = "1y"
# When there are CAs above this one: the files of their CRLs, for HAProxy wants each one's.
# extra_crls = ["ca/root.crl.pem"]

# The servers: address is where HAProxy reaches one, hosts are the names and IP addresses in its
# certificate; HAProxy checks the first name that is in no other's. Three keys more:
#   options = "check inter 2s rise 2 fall 2" is what stands on its server line besides TLS;
#   calls_servers = true is for a server that connects to other servers itself;
#   conf = "/opt/zato/server1/config/repo/server.conf" is its real server.conf, when it is on this
#     host: `zpki config` edits it.

[[servers]]
name = "server1"
address = "10.0.0.11:17010"
hosts = ["server1.prod.internal", "10.0.0.11"]

[[servers]]
name = "server2"
address = "10.0.0.12:17010"
hosts = ["server2.prod.internal", "10.0.0.12"]

# Programs that connect to the servers directly, without HAProxy.
# [[clients]]
# name = "scheduler"
"##;
        let text = render(&settings);
        assert_eq!(text, golden);
        assert_eq!(parse(text.as_bytes()), Ok(Cluster::new(settings).unwrap()));
    }

    #[test]
    fn the_lines_that_are_commented_out_are_right_without_the_mark() {
        let mut settings = Settings {
            name: "prod".parse().unwrap(),
            ca: CaSettings::default(),
            certificates: CertificateSettings::default(),
            load_balancer: LoadBalancerSettings::default(),
            servers: vec![server("server1", "10.0.0.11:17010", &[])],
            clients: Vec::new(),
            revocation: RevocationSettings::default(),
        };
        let text = render(&settings);
        let uncommented: Vec<&str> = text
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest) if rest.starts_with("[[") || rest.contains(" = ") => rest,
                _ => line,
            })
            .filter(|line| !line.starts_with("  "))
            .collect();
        settings.ca.name_constraints = NameConstraints {
            permitted_domains: vec!["prod.internal".parse().unwrap()],
            permitted_networks: vec!["10.0.0.0/8".parse().unwrap()],
        };
        settings.ca.key_file = Some("/mnt/vault/ca.key.pem".parse().unwrap());
        settings.revocation.extra_crls = vec!["ca/root.crl.pem".parse().unwrap()];
        settings.load_balancer.hosts = vec!["lb.prod.internal".parse().unwrap()];
        settings.load_balancer.ca_file = Some("/etc/haproxy/tls/ca.cert.pem".parse().unwrap());
        settings.load_balancer.crt = Some("/etc/haproxy/tls/key-cert.pem".parse().unwrap());
        settings.load_balancer.crl_file = Some("/etc/haproxy/tls/crl.pem".parse().unwrap());
        let config = "/opt/zato/lb/config/repo/zato.config";
        settings.load_balancer.config = Some(config.parse().unwrap());
        settings.clients = vec![ClientSettings {
            name: "scheduler".parse().unwrap(),
            hosts: Vec::new(),
            overrides: Overrides::default(),
        }];
        let cluster = parse(uncommented.join("\n").as_bytes()).unwrap();
        assert_eq!(cluster.settings(), &settings);
    }

    proptest! {
        #[test]
        fn what_is_rendered_reads_back(written in any_settings()) {
            let text = render(&written);
            let document = DeTable::parse(&text).unwrap();
            let mut found = Vec::new();
            let read = settings(document.get_ref(), &mut found);
            prop_assert_eq!(read.as_ref(), Some(&written));
            prop_assert!(found.is_empty());
            match (parse(text.as_bytes()), Cluster::new(written)) {
                (Ok(read), Ok(written)) => prop_assert_eq!(read, written),
                (Err(problems), Err(misfits)) => {
                    let mut read: Vec<_> = problems.iter().map(ToString::to_string).collect();
                    let mut written: Vec<_> =
                        misfits.iter().map(|misfit| misfit.reason.to_string()).collect();
                    read.sort();
                    written.sort();
                    prop_assert_eq!(read, written);
                }
                (read, written) => prop_assert!(false, "{read:?} {written:?}"),
            }
        }
    }

    pub(in crate::store::cluster_file) fn any_settings() -> impl Strategy<Value = Settings> {
        (
            parsed("[a-zA-Z0-9][a-z_.-]{0,8}"),
            any_ca(),
            any_certificates(),
            any_load_balancer(),
            vec(any_server(), 1..4),
            vec(any_client(), 0..3),
            any_revocation(),
        )
            .prop_map(
                |(name, ca, certificates, load_balancer, servers, clients, revocation)| Settings {
                    name,
                    ca,
                    certificates,
                    load_balancer,
                    servers,
                    clients,
                    revocation,
                },
            )
    }

    /// Mostly a CA that fits any cluster, so that whole clusters are tried too.
    fn any_ca() -> impl Strategy<Value = CaSettings> {
        let century = "100y".parse().unwrap();
        (
            select(&KeyAlgorithm::ALL),
            prop_oneof![4 => Just(century), 1 => any_lifetime()],
            prop_oneof![4 => Just(NameConstraints::default()), 1 => any_name_constraints()],
            of(parsed("[ -~äß\u{202e}]{1,12}")),
        )
            .prop_map(
                |(key_algorithm, lifetime, name_constraints, key_file)| CaSettings {
                    key_algorithm,
                    lifetime,
                    name_constraints,
                    key_file,
                },
            )
    }

    fn any_name_constraints() -> impl Strategy<Value = NameConstraints> {
        let domain = parsed("lan|prod\\.internal");
        let network = parsed("1[0-9]{0,2}\\.0\\.1\\.0/[1-9]|fd0[0-9]::/8");
        (vec(domain, 0..3), vec(network, 0..3)).prop_map(
            |(permitted_domains, permitted_networks)| NameConstraints {
                permitted_domains,
                permitted_networks,
            },
        )
    }

    fn any_certificates() -> impl Strategy<Value = CertificateSettings> {
        (
            select(&KeyAlgorithm::ALL),
            any_lifetime(),
            any_renew_within(),
        )
            .prop_map(
                |(key_algorithm, lifetime, renew_within)| CertificateSettings {
                    key_algorithm,
                    lifetime,
                    renew_within,
                },
            )
    }

    fn any_load_balancer() -> impl Strategy<Value = LoadBalancerSettings> {
        let client_certificate = select(vec![
            ClientCertificate::None,
            ClientCertificate::Optional,
            ClientCertificate::Required,
        ]);
        let backend = prop_oneof![Just("bck_http_plain".to_owned()), "[a-z_.:-]{1,6}"];
        let path = || of(parsed("/[ -~äß\u{202e}]{0,12}"));
        let config = of(parsed("[ -~äß\u{202e}]{1,12}"));
        (
            any_hosts(),
            client_certificate,
            any::<(bool, bool)>(),
            backend.prop_map(|name| name.parse().unwrap()),
            (path(), path(), path(), config),
            any_overrides(),
        )
            .prop_map(
                |(hosts, client_certificate, flags, backend, paths, overrides)| {
                    LoadBalancerSettings {
                        hosts,
                        client_certificate,
                        terminates_tls: flags.0,
                        backend,
                        ca_file: paths.0,
                        crt: paths.1,
                        crl_file: paths.2,
                        verifyhost: flags.1,
                        config: paths.3,
                        overrides,
                    }
                },
            )
    }

    pub(in crate::store::cluster_file) fn any_server() -> impl Strategy<Value = ServerSettings> {
        let options = prop_oneof![
            Just(ServerOptions::default()),
            parsed("(check|inter|2s|'|\"|\\\\|#| |\t|ü|=){0,12}")
        ];
        (
            any_name(),
            parsed("([a-c_]|10\\.0\\.0\\.[1-9]):[1-9][0-9]{0,3}"),
            any_hosts(),
            options,
            any::<bool>(),
            of(parsed("[ -~äß\u{202e}]{1,12}")),
            any_overrides(),
        )
            .prop_map(
                |(name, address, hosts, options, calls_servers, conf, overrides)| ServerSettings {
                    name,
                    address,
                    hosts,
                    options,
                    calls_servers,
                    conf,
                    overrides,
                },
            )
    }

    fn any_client() -> impl Strategy<Value = ClientSettings> {
        (any_name(), any_hosts(), any_overrides()).prop_map(|(name, hosts, overrides)| {
            ClientSettings {
                name,
                hosts,
                overrides,
            }
        })
    }

    fn any_revocation() -> impl Strategy<Value = RevocationSettings> {
        let extra_crls = vec(parsed("[ -~äß\u{202e}]{1,12}"), 0..3);
        (any::<bool>(), any_lifetime(), extra_crls).prop_map(|(enabled, lifetime, extra_crls)| {
            RevocationSettings {
                enabled,
                lifetime,
                extra_crls,
            }
        })
    }

    fn any_overrides() -> impl Strategy<Value = Overrides> {
        (
            of(select(&KeyAlgorithm::ALL)),
            of(any_lifetime()),
            of(any_renew_within()),
        )
            .prop_map(|(key_algorithm, lifetime, renew_within)| Overrides {
                key_algorithm,
                lifetime,
                renew_within,
            })
    }

    fn any_name<T: FromStr<Err: Debug> + Debug>() -> impl Strategy<Value = T> {
        parsed("[a-z0-9]{1,3}([_-][a-z]{1,2})?|[a-z]\\.lan")
    }

    fn any_hosts() -> impl Strategy<Value = Vec<Host>> {
        let name = parsed("([*]|[a-z]{2,3})\\.(lan|prod\\.internal|grün\\.example)");
        let address = parsed("10\\.0\\.[0-9]\\.1|fd00::[0-9]");
        vec(prop_oneof![3 => name, 1 => address], 0..4)
    }

    fn any_lifetime() -> impl Strategy<Value = Lifetime> {
        let seconds = 60..=100_u64 * 365 * 86_400;
        prop_oneof![
            Just("1y".to_owned()),
            seconds.prop_map(|seconds| format!("{seconds}s"))
        ]
        .prop_map(|text| text.parse().unwrap())
    }

    fn any_renew_within() -> impl Strategy<Value = RenewWithin> {
        prop_oneof![4 => parsed("[1-9][0-9]?%"), 1 => parsed("[0-9]{1,3}[smhdwy]")]
    }

    /// A value from text of the form `pattern`; text that its type refuses is left out.
    fn parsed<T: FromStr<Err: Debug> + Debug>(pattern: &'static str) -> impl Strategy<Value = T> {
        pattern.prop_filter_map("refused by its type", |text: String| text.parse().ok())
    }
}
