//! A cluster at rest: the PKI directory and what was copied out of it, each to its place.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};

use tempfile::TempDir;

use super::process::{run, tool};

/// The servers of each site.
pub(super) const SERVERS: [&str; 2] = ["server1", "server2"];

/// The port of HAProxy's `front_http_plain`. Below the range that outgoing connections take theirs
/// from, as the servers' ports are.
pub(super) const FRONTEND_PORT: u16 = 27223;

/// One failure takes a server down at the start, one success brings it back, and a slow answer from a
/// busy machine does neither.
const CHECK: &str = "check inter 1s downinter 200ms rise 1 fall 2";

/// The files of one cluster. They are gone when it is dropped.
pub(super) struct Site {
    directory: TempDir,
    host: Ipv4Addr,
}

impl Site {
    /// A running cluster's zato.config is given to `zpki init`; what that writes is installed.
    pub(super) fn init(arguments: &[&str]) -> Self {
        let site = Self::without_pki();
        let zato_config = site.zato_config();
        site.init_pki(
            "demo",
            &["--from-haproxy", zato_config.to_str().unwrap()],
            arguments,
        );
        site.install();
        site
    }

    /// The servers are given to `zpki init` by flags; the lines it prints have its own options.
    pub(super) fn init_by_flags(arguments: &[&str]) -> Self {
        let site = Self::without_pki();
        let servers = SERVERS.map(|name| format!("--server={name}={}", site.address(name)));
        site.init_pki("demo", &servers.each_ref().map(String::as_str), arguments);
        site.install();
        site
    }

    /// A site before zpki: HAProxy speaks plain HTTP to the servers.
    pub(super) fn without_pki() -> Self {
        let site = Self {
            directory: tempfile::tempdir().unwrap(),
            host: loopback_address_of_its_own(),
        };
        fs::write(site.path("503.http"), SERVICE_UNAVAILABLE).unwrap();
        fs::write(site.zato_config(), site.plain_zato_config()).unwrap();
        site
    }

    /// Servers that speak plain HTTP, as Zato makes them.
    pub(super) fn make_plain_servers(&self) {
        for server in SERVERS {
            fs::create_dir_all(self.server_file(server, "")).unwrap();
            let address = self.address(server);
            let text = format!("[main]\ngunicorn_bind={address}\n\n[crypto]\n{ZATO_CRYPTO}");
            fs::write(self.server_file(server, "server.conf"), text).unwrap();
        }
    }

    /// A file or directory of the site.
    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.directory.path().join(relative)
    }

    /// HAProxy's configuration.
    pub(super) fn zato_config(&self) -> PathBuf {
        self.path("zato.config")
    }

    /// HAProxy's statistics socket.
    pub(super) fn stats_socket(&self) -> PathBuf {
        self.path("haproxy-stat.sock")
    }

    /// A file in the directory that a server reads its configuration from.
    pub(super) fn server_file(&self, server: &str, file: &str) -> PathBuf {
        self.path(&format!("{server}/config/repo/{file}"))
    }

    /// The address of HAProxy and of the servers.
    pub(super) fn host(&self) -> Ipv4Addr {
        self.host
    }

    /// Gives `server` the key and the certificate of `other`, a server of the site `from`.
    pub(super) fn take_certificate(&self, server: &str, from: &Self, other: &str) {
        for file in ["zato-server-priv-key.pem", "zato-server-cert.pem"] {
            fs::copy(
                from.server_file(other, file),
                self.server_file(server, file),
            )
            .unwrap();
        }
    }

    /// Gives the load-balancer the key and the certificate of that of the site `from`.
    pub(super) fn take_load_balancer_certificate(&self, from: &Self) {
        let file = "demo/load-balancer/key-cert.pem";
        fs::copy(from.path(file), self.path(file)).unwrap();
    }

    /// Signs the certificate of `server` anew with the cluster's CA, for `days` from now; nothing
    /// else of it changes. With -1 it has been expired for a day.
    pub(super) fn sign_anew(&self, server: &str, days: i32) {
        let certificate = self.server_file(server, "zato-server-cert.pem");
        let request = self.path("request.pem");
        run(tool("openssl")
            .args(["x509", "-x509toreq", "-copy_extensions", "copyall"])
            .arg("-in")
            .arg(&certificate)
            .arg("-signkey")
            .arg(self.server_file(server, "zato-server-priv-key.pem"))
            .arg("-out")
            .arg(&request));
        run(tool("openssl")
            .args(["x509", "-req", "-copy_extensions", "copyall"])
            .args(["-days", &days.to_string()])
            .arg("-in")
            .arg(&request)
            .arg("-CA")
            .arg(self.path("demo/ca/ca.cert.pem"))
            .arg("-CAkey")
            .arg(self.path("demo/ca/ca.key.pem"))
            .arg("-out")
            .arg(&certificate));
    }

    /// Runs zpki in the PKI directory; returns what it says.
    pub(super) fn zpki(&self, arguments: &[&str]) -> String {
        self.zpki_in("demo", arguments)
    }

    fn zpki_in(&self, directory: &str, arguments: &[&str]) -> String {
        run(Command::new(env!("CARGO_BIN_EXE_zpki"))
            .env_clear()
            .arg("-C")
            .arg(self.path(directory))
            .args(arguments))
    }

    /// Has the load-balancer's certificate serve client applications too.
    pub(super) fn terminate_tls(&self) {
        self.edit(&self.path("demo/zpki.toml"), |text| {
            text.replace("# terminates_tls = false", "terminates_tls = true")
        });
        self.zpki(&["apply"]);
    }

    /// Makes a PKI directory for client applications, with the certificates app.pem and old.pem, which
    /// is revoked; and puts its CA and its CRL where the front-ends look for them.
    pub(super) fn init_applications(&self) {
        let server = format!("--server=server1={}:1", self.host);
        self.init_pki("applications", &[&server], &[]);
        let zpki = |arguments: &str| {
            let arguments: Vec<&str> = arguments.split(' ').collect();
            self.zpki_in("applications", &arguments);
        };
        let out = self.path("handed-out").display().to_string();
        for name in ["app", "old"] {
            zpki(&format!(
                "issue {name} --role client --format key-cert --out {out}"
            ));
        }
        zpki("revoke old --force");
        for (from, to) in [
            ("ca-file.pem", "applications.ca.pem"),
            ("crl.pem", "applications.crl.pem"),
        ] {
            let from = self.path("applications/ca").join(from);
            fs::copy(from, self.path("demo/load-balancer").join(to)).unwrap();
        }
    }

    /// Adds a front-end that zpki printed, at the site's own address and at `port`.
    pub(super) fn add_frontend(&self, printed: &str, port: u16) {
        let bind = printed.find("bind 0.0.0.0:").expect("it has an address");
        let behind = printed[bind..].find(" ssl ").expect("it speaks TLS");
        let address = format!("bind {}:{port}", self.host);
        let frontend = format!("{}{address}{}", &printed[..bind], &printed[bind + behind..]);
        self.edit(&self.zato_config(), |text| format!("{text}\n{frontend}"));
    }

    /// Has HAProxy read the CRL: in zpki.toml, and in the lines that follow from it.
    pub(super) fn enable_revocation(&self) {
        self.edit(&self.path("demo/zpki.toml"), |text| {
            text.replace("# enabled = false", "enabled = true")
        });
        self.zpki(&["apply"]);
        self.install_lines();
    }

    /// Adds a layer-7 check to HAProxy's backend.
    pub(super) fn check_with_requests(&self) {
        self.edit(&self.zato_config(), |text| {
            text.replace(
                "balance roundrobin\n",
                "balance roundrobin\n    option httpchk GET /zato/ping\n",
            )
        });
    }

    /// Takes `crt` and its argument off HAProxy's server lines.
    pub(super) fn remove_crt(&self) {
        self.edit_server_lines(|line| {
            let (before, after) = line.split_once(" crt ").expect("the line has `crt`");
            let (_path, after) = after.split_once(' ').expect("`crt` has an argument");
            format!("{before} {after}")
        });
    }

    /// Puts HAProxy's server lines back to what they were before zpki: plain HTTP.
    pub(super) fn remove_ssl(&self) {
        let plain = SERVERS.map(|name| self.plain_server_line(name));
        self.replace_server_lines(&plain);
    }

    /// Takes the line of `key` out of the server.conf of `server`.
    pub(super) fn remove_setting(&self, server: &str, key: &str) {
        self.edit(&self.server_file(server, "server.conf"), |text| {
            let kept = text.split_inclusive('\n');
            kept.filter(|line| setting(line) != Some(key)).collect()
        });
    }

    fn edit(&self, file: &Path, change: impl FnOnce(&str) -> String) {
        let before = fs::read_to_string(file).unwrap();
        let after = change(&before);
        assert_ne!(before, after, "the edit of {} does nothing", file.display());
        fs::write(file, after).unwrap();
    }

    fn edit_server_lines(&self, change: impl Fn(&str) -> String) {
        let text = fs::read_to_string(self.zato_config()).unwrap();
        let lines: Vec<String> = server_lines(&text).map(change).collect();
        self.replace_server_lines(&lines);
    }

    fn replace_server_lines(&self, lines: &[String]) {
        self.edit(&self.zato_config(), |text| {
            assert_eq!(lines.len(), server_lines(text).count());
            let old: Vec<&str> = server_lines(text).collect();
            let pairs = old.iter().zip(lines);
            pairs.fold(text.to_owned(), |text, (old, new)| text.replace(old, new))
        });
    }

    /// Puts an intermediate CA, which openssl makes with its root, in the place of the cluster's CA, and
    /// installs what that issues.
    pub(super) fn import_intermediate_ca(&self) {
        let openssl = |arguments: &str| {
            run(tool("openssl")
                .args(arguments.split(' '))
                .current_dir(self.path("")));
        };
        let usage = "keyUsage=critical,keyCertSign,cRLSign";
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        openssl(&format!(
            "req -x509 {key} -days 900 -subj /CN=root -addext {usage} -keyout root.key -out root.crt"
        ));
        openssl(&format!(
            "req -new {key} -subj /CN=issuing -keyout issuing.key -out issuing.csr"
        ));
        let extensions = format!(
            "basicConstraints=critical,CA:TRUE,pathlen:0\n{usage}\nsubjectKeyIdentifier=hash\n\
             authorityKeyIdentifier=keyid:always\n"
        );
        fs::write(self.path("extensions"), extensions).unwrap();
        openssl(
            "x509 -req -in issuing.csr -CA root.crt -CAkey root.key -days 800 -extfile extensions \
             -out issuing.crt",
        );
        let file = |name: &str| self.path(name).to_str().unwrap().to_owned();
        let (certificate, key) = (file("issuing.crt"), file("issuing.key"));
        let chain = format!("--chain={}", file("root.crt"));
        let import = ["ca", "import", &certificate, &key, &chain];
        self.zpki(&[&import[..], &["--no-ca-passphrase", "--force"]].concat());
        self.zpki(&["apply"]);
        for server in SERVERS {
            self.install_server(server);
        }
    }

    /// Lets HAProxy check CRLs: those of the issuing CA and of its root.
    pub(super) fn enable_revocation_up_to_the_root(&self) {
        let config = "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\ncrlnumber=crlnumber\n\
                      default_md=sha256\n";
        for (name, text) in [
            ("crl.cnf", config),
            ("index.txt", ""),
            ("crlnumber", "01\n"),
        ] {
            fs::write(self.path(name), text).unwrap();
        }
        let gencrl = "ca -gencrl -config crl.cnf -crldays 9 -cert root.crt -keyfile root.key";
        run(tool("openssl")
            .args(gencrl.split(' '))
            .args(["-out", "root.crl"])
            .current_dir(self.path("")));
        self.edit(&self.path("demo/zpki.toml"), |text| {
            text.replace(
                "# enabled = false",
                "enabled = true\nextra_crls = [\"../root.crl\"]",
            )
        });
        self.zpki(&["apply"]);
        self.install_lines();
    }

    /// HAProxy's trust bundle.
    pub(super) fn anchor(&self) -> String {
        fs::read_to_string(self.path("demo/load-balancer/ca.cert.pem")).unwrap()
    }

    /// Gives the servers their trust bundles, and nothing else; HAProxy has its own in its place.
    pub(super) fn install_trust_bundles(&self) {
        for server in SERVERS {
            let file = "zato-server-ca-certs.pem";
            let from = self.path(&format!("demo/servers/{server}/{file}"));
            fs::copy(from, self.server_file(server, file)).unwrap();
        }
    }

    pub(super) fn init_pki(&self, name: &str, servers: &[&str], arguments: &[&str]) {
        run(Command::new(env!("CARGO_BIN_EXE_zpki"))
            .env_clear()
            .arg("init")
            .arg(self.path(name))
            .args(["--cluster", name, "--no-ca-passphrase"])
            .args(servers)
            .args(arguments));
    }

    /// Does what zpki's next steps tell the administrator to do.
    fn install(&self) {
        self.install_lines();
        for server in SERVERS {
            self.install_server(server);
        }
    }

    fn install_lines(&self) {
        let printed = fs::read_to_string(self.path("demo/load-balancer/haproxy.cfg")).unwrap();
        let lines: Vec<String> = server_lines(&printed).map(str::to_owned).collect();
        self.replace_server_lines(&lines);
    }

    pub(super) fn install_server(&self, server: &str) {
        fs::create_dir_all(self.server_file(server, "")).unwrap();
        for entry in fs::read_dir(self.path(&format!("demo/servers/{server}"))).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            let target = self.server_file(server, name.to_str().unwrap());
            fs::copy(entry.path(), target).unwrap();
        }
        self.edit(&self.server_file(server, "server.conf"), |printed| {
            server_conf(&self.address(server), printed)
        });
    }

    fn address(&self, server: &str) -> String {
        let index = SERVERS.iter().position(|name| *name == server).unwrap();
        format!("{}:{}", self.host, 27010 + index)
    }

    fn plain_server_line(&self, server: &str) -> String {
        let address = self.address(server);
        format!(
            "server http_plain--{server} {address} {CHECK} # ZATO backend bck_http_plain:server--{server}"
        )
    }

    /// The file that Zato makes for a load-balancer, with short timeouts.
    fn plain_zato_config(&self) -> String {
        let socket = self.stats_socket();
        let error_file = self.path("503.http");
        let [server1, server2] = SERVERS.map(|name| self.plain_server_line(name));
        format!(
            "\
global
    log 127.0.0.1:514 local0 debug # ZATO global:log
    stats socket {socket} level admin # ZATO global:stats_socket

defaults
    log global
    option httpclose

    stats uri /zato-lb-stats # ZATO defaults:stats uri

    timeout connect 2000 # ZATO defaults:timeout connect
    timeout client 5000 # ZATO defaults:timeout client
    timeout server 5000 # ZATO defaults:timeout server

    errorfile 503 {error_file}

    stats enable
    stats realm   Haproxy\\ Statistics
    stats auth    admin1:admin1
    stats refresh 5s

backend bck_http_plain
    mode http
    balance roundrobin

# ZATO begin backend bck_http_plain

    {server1}
    {server2}

# ZATO end backend bck_http_plain

frontend front_http_plain

    mode http
    default_backend bck_http_plain

    option httplog # ZATO frontend front_http_plain:option log-http-requests
    bind {host}:{FRONTEND_PORT} # ZATO frontend front_http_plain:bind
    maxconn 200 # ZATO frontend front_http_plain:maxconn

    monitor-uri /zato-lb-alive # ZATO frontend front_http_plain:monitor-uri
",
            socket = socket.display(),
            error_file = error_file.display(),
            host = self.host,
        )
    }
}

/// The page of HAProxy's `errorfile 503`, which must exist.
const SERVICE_UNAVAILABLE: &str = "\
HTTP/1.0 503 Service Unavailable\r
Content-Type: text/plain\r
\r
no server is up
";

/// `[crypto]` as Zato 3.2 makes it.
const ZATO_CRYPTO: &str = "\
use_tls=False
tls_version=TLSv1
tls_ciphers=EECDH+AES:EDH+AES:-SHA1:EECDH+RC4:EDH+RC4:RC4-SHA:EECDH+AES256:EDH+AES256:AES256-SHA:!aNULL:!eNULL:!EXP:!LOW:!MD5
tls_client_certs=optional
priv_key_location=zato-server-priv-key.pem
pub_key_location=zato-server-pub-key.pem
cert_location=zato-server-cert.pem
ca_certs_location=zato-server-ca-certs.pem
";

/// A server.conf whose `[crypto]` has the settings that zpki printed in place of Zato's own.
fn server_conf(address: &str, printed: &str) -> String {
    let (_, printed) = printed
        .split_once("\n[crypto]\n")
        .expect("zpki prints the section with its name");
    let is_printed = |key| printed.lines().any(|line| setting(line) == key);
    let kept = ZATO_CRYPTO.split_inclusive('\n');
    let kept: String = kept.filter(|line| !is_printed(setting(line))).collect();
    format!("[main]\ngunicorn_bind={address}\n\n[crypto]\n{kept}{printed}")
}

/// The key of a `key=value` line.
fn setting(line: &str) -> Option<&str> {
    let (key, _) = line.split_once('=')?;
    Some(key.trim())
}

fn server_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| line.starts_with("server "))
}

/// An address of the loopback network that no other site has, of this process or another: so
/// clusters run side by side.
fn loopback_address_of_its_own() -> Ipv4Addr {
    static LAST: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    let count = 1 + LAST.fetch_add(1, Ordering::Relaxed);
    Ipv4Addr::new(127, high, low, count)
}
