//! Which tables and keys zpki.toml has, as data: what is read, what is unknown, and what an error
//! shows as an example all come from here.

/// A table of zpki.toml.
#[derive(Debug, Eq, PartialEq)]
pub struct TableSchema {
    /// Its name, such as `servers`.
    pub name: &'static str,
    /// Whether there may be several: `[[servers]]`.
    pub repeated: bool,
    /// Its keys, each with a value that it could have, as TOML.
    pub keys: &'static [(&'static str, &'static str)],
}

/// Every table, in the order in which the documentation has them.
pub(super) static TABLES: [&TableSchema; 7] = [
    &CLUSTER,
    &CA,
    &CERTIFICATES,
    &LOAD_BALANCER,
    &SERVERS,
    &CLIENTS,
    &REVOCATION,
];

pub(super) static CLUSTER: TableSchema = TableSchema {
    name: "cluster",
    repeated: false,
    keys: &[("name", r#""prod""#)],
};

pub(super) static CA: TableSchema = TableSchema {
    name: "ca",
    repeated: false,
    keys: &[
        KEY_ALGORITHM,
        ("lifetime", r#""10y""#),
        ("permitted_domains", r#"["prod.internal"]"#),
        ("permitted_networks", r#"["10.0.0.0/8"]"#),
        ("key_file", r#""/mnt/vault/ca.key.pem""#),
    ],
};

pub(super) static CERTIFICATES: TableSchema = TableSchema {
    name: "certificates",
    repeated: false,
    keys: &[KEY_ALGORITHM, LIFETIME, RENEW_WITHIN],
};

pub(super) static LOAD_BALANCER: TableSchema = TableSchema {
    name: "load_balancer",
    repeated: false,
    keys: &[
        ("hosts", r#"["lb.prod.internal"]"#),
        ("client_certificate", r#""required""#),
        ("terminates_tls", "true"),
        ("backend", r#""bck_http_plain""#),
        ("ca_file", r#""/etc/haproxy/tls/ca.cert.pem""#),
        ("crt", r#""/etc/haproxy/tls/key-cert.pem""#),
        ("crl_file", r#""/etc/haproxy/tls/crl.pem""#),
        ("verifyhost", "false"),
        ("config", r#""/opt/zato/lb/config/repo/zato.config""#),
        KEY_ALGORITHM,
        LIFETIME,
        RENEW_WITHIN,
    ],
};

pub(super) static SERVERS: TableSchema = TableSchema {
    name: "servers",
    repeated: true,
    keys: &[
        ("name", r#""server1""#),
        ("address", r#""10.0.0.11:17010""#),
        ("hosts", r#"["server1.prod.internal", "10.0.0.11"]"#),
        ("options", r#""check inter 2s rise 2 fall 2""#),
        ("calls_servers", "true"),
        ("conf", r#""/opt/zato/server1/config/repo/server.conf""#),
        KEY_ALGORITHM,
        LIFETIME,
        RENEW_WITHIN,
    ],
};

pub(super) static CLIENTS: TableSchema = TableSchema {
    name: "clients",
    repeated: true,
    keys: &[
        ("name", r#""scheduler""#),
        ("hosts", r#"["scheduler.prod.internal"]"#),
        KEY_ALGORITHM,
        LIFETIME,
        RENEW_WITHIN,
    ],
};

/// The only table of a manifest.
pub(super) static CERTIFICATE: TableSchema = TableSchema {
    name: "certificate",
    repeated: true,
    keys: &[
        ("name", r#""app1""#),
        ("role", r#""server""#),
        ("hosts", r#"["app1.prod.internal", "10.0.0.21"]"#),
        KEY_ALGORITHM,
        LIFETIME,
    ],
};

pub(super) static REVOCATION: TableSchema = TableSchema {
    name: "revocation",
    repeated: false,
    keys: &[
        ("enabled", "true"),
        LIFETIME,
        ("extra_crls", r#"["ca/root.crl.pem"]"#),
    ],
};

const KEY_ALGORITHM: (&str, &str) = ("key_algorithm", r#""ecdsa-p256""#);
const LIFETIME: (&str, &str) = ("lifetime", r#""1y""#);
const RENEW_WITHIN: (&str, &str) = ("renew_within", r#""33%""#);

impl TableSchema {
    /// The line that begins it: `[ca]`, `[[servers]]`.
    pub(super) fn header(&self) -> String {
        if self.repeated {
            format!("[[{}]]", self.name)
        } else {
            format!("[{}]", self.name)
        }
    }

    /// Whether it has a key of that name.
    pub(super) fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|(name, _)| *name == key)
    }

    /// A line that sets `key`: `lifetime = "1y"`.
    pub(super) fn example(&self, key: &str) -> String {
        let known = self.keys.iter().find(|(name, _)| *name == key);
        let (_, value) = known.expect("only keys of the schema are read");
        format!("{key} = {value}")
    }

    /// The names of its keys.
    pub(super) fn key_names(&self) -> Vec<&'static str> {
        self.keys.iter().map(|(name, _)| *name).collect()
    }
}
