//! The options of `bind` lines.

use super::global::Global;
use super::options::Options;
use super::server::replace;
use crate::domain::haproxy_tls::{Bind, Verify};
use crate::domain::words::Word;

/// Reads the options behind the address; none for a line without `ssl`.
pub(super) fn read_options(
    address: String,
    options: &mut Options<'_>,
    global: &Global<'_>,
) -> Option<Bind> {
    let mut bind = Bind {
        line: options.line.number,
        address,
        ..Bind::default()
    };
    let mut ssl = false;
    while let Some(keyword) = options.next() {
        if keyword.value == "ssl" {
            ssl = true;
            bind.versions.take_defaults(&global.bind_versions);
            continue;
        }
        let known = read_argument(&mut bind, keyword, options, global)
            || options.version(keyword, &mut bind.versions);
        if known || FLAGS.contains(&keyword.value.as_str()) {
            continue;
        }
        if WITH_ARGUMENT.contains(&keyword.value.as_str()) {
            options.argument(keyword);
        } else {
            options.unknown(keyword, "bind");
        }
    }
    ssl.then_some(bind)
}

fn read_argument(
    bind: &mut Bind,
    keyword: &Word,
    options: &mut Options<'_>,
    global: &Global<'_>,
) -> bool {
    let (ca_base, crt_base) = (global.ca_base.as_deref(), global.crt_base.as_deref());
    match keyword.value.as_str() {
        "alpn" => replace(&mut bind.alpn, options.text(keyword)),
        "ca-file" => replace(&mut bind.ca_file, options.file(keyword, ca_base)),
        "ca-ignore-err" => replace(&mut bind.ca_ignore_err, options.text(keyword)),
        "ca-sign-file" => replace(&mut bind.ca_sign_file, options.file(keyword, ca_base)),
        "ca-verify-file" => replace(&mut bind.ca_verify_file, options.file(keyword, ca_base)),
        "crl-file" => replace(&mut bind.crl_file, options.file(keyword, ca_base)),
        "crt" | "default-crt" => bind.crt.extend(options.file(keyword, crt_base)),
        "crt-ignore-err" => replace(&mut bind.crt_ignore_err, options.text(keyword)),
        "crt-list" => bind.crt_list.extend(options.file(keyword, None)),
        "verify" => {
            let values = [Verify::None, Verify::Optional, Verify::Required];
            let verify = options.choice(keyword, &["none", "optional", "required"], values);
            bind.verify = verify.unwrap_or(bind.verify);
        }
        _ => return false,
    }
    true
}

/// Options without an argument that have no part in what is read (HAProxy's configuration manual,
/// 5.1, of 2.6 to 3.4).
const FLAGS: &[&str] = &[
    "accept-proxy",
    "allow-0rtt",
    "defer-accept",
    "generate-certificates",
    "no-alpn",
    "no-ca-names",
    "no-renegotiate",
    "no-strict-sni",
    "no-tls-tickets",
    "prefer-client-ciphers",
    "quic-force-retry",
    "renegotiate",
    "strict-sni",
    "tfo",
    "tls-tickets",
    "transparent",
    "v4v6",
    "v6only",
];

/// Options with one argument that have no part in it.
const WITH_ARGUMENT: &[&str] = &[
    "accept-netscaler-cip",
    "backlog",
    "ca-sign-pass",
    "cc",
    "ciphers",
    "ciphersuites",
    "client-sigalgs",
    "curves",
    "ecdhe",
    "expose-fd",
    "gid",
    "group",
    "guid-prefix",
    "id",
    "idle-ping",
    "interface",
    "label",
    "level",
    "maxconn",
    "mode",
    "mss",
    "name",
    "namespace",
    "nbconn",
    "nice",
    "npn",
    "ocsp-update",
    "process",
    "proto",
    "quic-cc-algo",
    "quic-socket",
    "severity-output",
    "shards",
    "sigalgs",
    "tcp-md5sig",
    "tcp-ss",
    "tcp-ut",
    "thread",
    "tls-ticket-keys",
    "uid",
    "user",
];
