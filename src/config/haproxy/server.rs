//! The options of `server` and `default-server` lines.

use super::global::Global;
use super::options::Options;
use crate::domain::haproxy_tls::{ServerTls, Sni, Verify};
use crate::domain::server_line::takes_argument;
use crate::domain::words::Word;

/// Reads options into `tls`, which holds what is inherited: later values override.
pub(super) fn read_options(tls: &mut ServerTls, options: &mut Options<'_>, global: &Global<'_>) {
    while let Some(keyword) = options.next() {
        let known = read_flag(tls, &keyword.value, global)
            || read_argument(tls, keyword, options, global)
            || options.version(keyword, &mut tls.versions);
        if known || FLAGS.contains(&keyword.value.as_str()) {
            continue;
        }
        if takes_argument(&keyword.value) {
            options.argument(keyword);
        } else {
            options.unknown(keyword, "server");
        }
    }
}

fn read_flag(tls: &mut ServerTls, keyword: &str, global: &Global<'_>) -> bool {
    match keyword {
        "check" => tls.check = true,
        "check-ssl" => tls.check_ssl = true,
        "disabled" => tls.disabled = true,
        "enabled" => tls.disabled = false,
        "no-check" => tls.check = false,
        "no-check-ssl" => tls.check_ssl = false,
        "no-sni-auto" => tls.sni_auto = Some(false),
        "no-ssl" => tls.ssl = false,
        "sni-auto" => tls.sni_auto = Some(true),
        "ssl" => tls.ssl = true,
        _ => return false,
    }
    // That is the moment when HAProxy takes them over: a `global` that comes later has no part.
    if matches!(keyword, "check-ssl" | "ssl") {
        tls.versions.take_defaults(&global.server_versions);
    }
    true
}

fn read_argument(
    tls: &mut ServerTls,
    keyword: &Word,
    options: &mut Options<'_>,
    global: &Global<'_>,
) -> bool {
    let (ca_base, crt_base) = (global.ca_base.as_deref(), global.crt_base.as_deref());
    match keyword.value.as_str() {
        "alpn" => replace(&mut tls.alpn, options.text(keyword)),
        "ca-file" => replace(&mut tls.ca_file, options.file(keyword, ca_base)),
        "check-sni" => replace(&mut tls.check_sni, options.text(keyword)),
        "crl-file" => replace(&mut tls.crl_file, options.file(keyword, ca_base)),
        "crt" => replace(&mut tls.crt, options.file(keyword, crt_base)),
        "sni" => replace(&mut tls.sni, options.text(keyword).map(sni)),
        "verify" => {
            let values = [Verify::None, Verify::Required];
            let verify = options.choice(keyword, &["none", "required"], values);
            replace(&mut tls.verify, verify);
        }
        "verifyhost" => replace(&mut tls.verifyhost, options.text(keyword)),
        _ => return false,
    }
    true
}

/// What cannot be read leaves the earlier value as it is.
pub(super) fn replace<T>(target: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *target = value;
    }
}

/// `str(NAME)` is a constant; with a converter or with quotes of its own in it, it is left as it is.
fn sni(expression: String) -> Sni {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '*');
    match expression
        .strip_prefix("str(")
        .and_then(|rest| rest.strip_suffix(')'))
    {
        Some(name) if !name.is_empty() && name.chars().all(plain) => Sni::Constant(name.to_owned()),
        _ => Sni::Expression(expression),
    }
}

/// Options without an argument that have no part in what is read (HAProxy's configuration manual,
/// 5.2, of 2.6 to 3.4).
const FLAGS: &[&str] = &[
    "agent-check",
    "allow-0rtt",
    "backup",
    "check-reuse-pool",
    "check-send-proxy",
    "check-sni-auto",
    "check-via-socks4",
    "no-agent-check",
    "no-backup",
    "no-check-reuse-pool",
    "no-check-send-proxy",
    "no-check-sni-auto",
    "no-renegotiate",
    "no-send-proxy",
    "no-send-proxy-v2",
    "no-send-proxy-v2-ssl",
    "no-send-proxy-v2-ssl-cn",
    "no-ssl-reuse",
    "no-tfo",
    "no-tls-tickets",
    "non-stick",
    "send-proxy",
    "send-proxy-v2",
    "send-proxy-v2-ssl",
    "send-proxy-v2-ssl-cn",
    "ssl-reuse",
    "stick",
    "strict-maxconn",
    "tfo",
    "tls-tickets",
];
