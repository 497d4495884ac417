//! Configurations before and after. `<s1>` stands for the TLS options of the server `s1`, as they
//! are documented; `# ZATO s1` for the agent's whole comment.

/// A configuration: where it stands, before, with TLS, and with TLS taken out again where that is
/// not what it was before.
pub(super) struct Case {
    pub(super) about: &'static str,
    pub(super) frame: Frame,
    pub(super) before: &'static str,
    pub(super) secured: &'static str,
    pub(super) plain: Option<&'static str>,
}

/// What stands around the lines.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Frame {
    /// A zato.config.
    Zato,
    /// The section `backend apps`, without markers, between sections with the same servers.
    Section,
    /// The rest of a file whose `global` and `defaults` are there.
    File,
}

/// Of a line that had no TLS.
const fn new(
    frame: Frame,
    about: &'static str,
    before: &'static str,
    secured: &'static str,
) -> Case {
    Case {
        about,
        frame,
        before,
        secured,
        plain: None,
    }
}

/// Of a line that had TLS.
const fn had(
    frame: Frame,
    about: &'static str,
    before: &'static str,
    secured: &'static str,
    plain: &'static str,
) -> Case {
    Case {
        plain: Some(plain),
        ..new(frame, about, before, secured)
    }
}

use Frame::{File, Section, Zato};

pub(super) const CORPUS: &[Case] = &[
    new(
        Zato,
        "the line that Zato makes",
        "    server http_plain--s1 127.0.0.1:17010 check inter 2s rise 2 fall 2 # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 check inter 2s rise 2 fall 2 <s1> # ZATO s1\n",
    ),
    new(
        Zato,
        "no options",
        "    server http_plain--s1 127.0.0.1:17010 # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 <s1> # ZATO s1\n",
    ),
    new(
        Zato,
        "no indentation",
        "server http_plain--s1 127.0.0.1:17010 check # ZATO s1\n",
        "server http_plain--s1 127.0.0.1:17010 check <s1> # ZATO s1\n",
    ),
    new(
        Zato,
        "two blanks before the comment",
        "    server http_plain--s1 127.0.0.1:17010 check  # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 check <s1>  # ZATO s1\n",
    ),
    new(
        Zato,
        "a tab before the comment",
        "    server http_plain--s1 127.0.0.1:17010 check\t# ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 check <s1>\t# ZATO s1\n",
    ),
    new(
        Zato,
        "tabs everywhere",
        "\tserver\thttp_plain--s1\t127.0.0.1:17010\tcheck\tinter\t2s\t # ZATO s1\n",
        "\tserver\thttp_plain--s1\t127.0.0.1:17010\tcheck\tinter\t2s <s1>\t # ZATO s1\n",
    ),
    new(
        Zato,
        "many blanks",
        "  server   http_plain--s1   127.0.0.1:17010   check   inter   2s   # ZATO s1\n",
        "  server   http_plain--s1   127.0.0.1:17010   check   inter   2s <s1>   # ZATO s1\n",
    ),
    new(
        Zato,
        "blanks behind the comment",
        "    server http_plain--s1 127.0.0.1:17010 check # ZATO s1 \t \n",
        "    server http_plain--s1 127.0.0.1:17010 check <s1> # ZATO s1 \t \n",
    ),
    new(
        Zato,
        "a comment of the user's own",
        "    server http_plain--s1 127.0.0.1:17010 check  # rack 2  # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 check <s1>  # rack 2  # ZATO s1\n",
    ),
    new(
        Zato,
        "a comment that looks like options",
        "    server http_plain--s1 127.0.0.1:17010 check # ssl verify none 'x \\ # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 check <s1> # ssl verify none 'x \\ # ZATO s1\n",
    ),
    new(
        Zato,
        "a comment in another alphabet",
        "    server http_plain--s1 127.0.0.1:17010 check # für später # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 check <s1> # für später # ZATO s1\n",
    ),
    new(
        Zato,
        "comments at the words' end, with no blank between",
        "    server http_plain--s1 127.0.0.1:17010 check# mine # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 check <s1># mine # ZATO s1\n",
    ),
    new(
        Zato,
        "quotes",
        "    server http_plain--s1 127.0.0.1:17010 cookie 'a b' check # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 cookie 'a b' check <s1> # ZATO s1\n",
    ),
    new(
        Zato,
        "a number sign in quotes",
        "    server http_plain--s1 127.0.0.1:17010 check cookie \"a # b\" # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 check cookie \"a # b\" <s1> # ZATO s1\n",
    ),
    new(
        Zato,
        "an escaped blank at the words' end",
        "    server http_plain--s1 127.0.0.1:17010 check cookie a\\  # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 check cookie a\\  <s1> # ZATO s1\n",
    ),
    new(
        Zato,
        "arguments that are named like TLS options",
        "    server http_plain--s1 127.0.0.1:17010 cookie ssl check # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 cookie ssl check <s1> # ZATO s1\n",
    ),
    new(
        Zato,
        "TLS options that are not zpki's",
        "    server http_plain--s1 127.0.0.1:17010 ssl-min-ver TLSv1.2 no-tls-tickets check # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 ssl-min-ver TLSv1.2 no-tls-tickets check <s1> # ZATO s1\n",
    ),
    new(
        Zato,
        "a variable",
        "    server http_plain--s1 127.0.0.1:17010 cookie \"x$HOME\" # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 cookie \"x$HOME\" <s1> # ZATO s1\n",
    ),
    new(
        Zato,
        "a server that the user disabled",
        "    server http_plain--s1 127.0.0.1:17010 disabled check # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 disabled check <s1> # ZATO s1\n",
    ),
    new(
        Zato,
        "a server that stands by",
        "    server http_plain--s1 127.0.0.1:17010 backup weight 3 # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 backup weight 3 <s1> # ZATO s1\n",
    ),
    new(
        Zato,
        "several servers, blank lines, comments and other keywords",
        "\n    server http_plain--s2 127.0.0.1:17011 check # ZATO s2\n\n\n    # server http_plain--s3 127.0.0.1:17012 ssl\n  balance leastconn \n    server http_plain--s1 127.0.0.1:17010 # ZATO s1\n \t\n",
        "\n    server http_plain--s2 127.0.0.1:17011 check <s2> # ZATO s2\n\n\n    # server http_plain--s3 127.0.0.1:17012 ssl\n  balance leastconn \n    server http_plain--s1 127.0.0.1:17010 <s1> # ZATO s1\n \t\n",
    ),
    new(
        Zato,
        "a server that nobody asked for",
        "    server http_plain--s1 127.0.0.1:17010 # ZATO s1\n    server http_plain--other 127.0.0.1:17011 ssl verify none # ZATO other\n",
        "    server http_plain--s1 127.0.0.1:17010 <s1> # ZATO s1\n    server http_plain--other 127.0.0.1:17011 ssl verify none # ZATO other\n",
    ),
    new(
        Zato,
        "a default-server line",
        "    default-server inter 3s ssl verify none\n    server http_plain--s1 127.0.0.1:17010 check # ZATO s1\n",
        "    default-server inter 3s ssl verify none\n    server http_plain--s1 127.0.0.1:17010 check <s1> # ZATO s1\n",
    ),
    new(
        Zato,
        "names with every character that the agent reads",
        "    server http_plain--a-B.c_9 localhost:17010 # ZATO a-B.c_9\n",
        "    server http_plain--a-B.c_9 localhost:17010 <a-B.c_9> # ZATO a-B.c_9\n",
    ),
    new(
        Zato,
        "markers of an indentation of their own",
        "    # ZATO global:log\n    server http_plain--s1 127.0.0.1:17010 # ZATO s1\n",
        "    # ZATO global:log\n    server http_plain--s1 127.0.0.1:17010 <s1> # ZATO s1\n",
    ),
    had(
        Zato,
        "what is wanted already",
        "    server http_plain--s1 127.0.0.1:17010 check <s1> # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 check <s1> # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 check # ZATO s1\n",
    ),
    had(
        Zato,
        "what is wanted already, in another order, other quotes, between other options",
        "    server http_plain--s1 127.0.0.1:17010  verifyhost s1.internal check-sni s1.internal sni 'str(s1.internal)' check crt \"/tls/key-cert.pem\"  crl-file /tls/crl.pem weight 3 ca-file /tls/ca'.'pem verify required ssl  # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010  verifyhost s1.internal check-sni s1.internal sni 'str(s1.internal)' check crt \"/tls/key-cert.pem\"  crl-file /tls/crl.pem weight 3 ca-file /tls/ca'.'pem verify required ssl  # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 check weight 3  # ZATO s1\n",
    ),
    had(
        Zato,
        "another certificate authority",
        "    server http_plain--s1 127.0.0.1:17010 check ssl verify required ca-file /old/ca.pem # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 check <s1> # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 check # ZATO s1\n",
    ),
    had(
        Zato,
        "no verification",
        "    server http_plain--s1 127.0.0.1:17010 ssl verify none check inter 2s # mine # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 check inter 2s <s1> # mine # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 check inter 2s # mine # ZATO s1\n",
    ),
    had(
        Zato,
        "options twice",
        "    server http_plain--s1 127.0.0.1:17010 ssl check ssl ca-file /a ca-file /b verify none verify required # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 check <s1> # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 check # ZATO s1\n",
    ),
    had(
        Zato,
        "what a rename in the web console leaves",
        "    server http_plain--s1 127.0.0.1:17010 check <s2> # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 check <s1> # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 check # ZATO s1\n",
    ),
    had(
        Zato,
        "a variable in a path",
        "    server http_plain--s1 127.0.0.1:17010 check ssl verify required ca-file \"$TLS/ca.pem\" # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 check <s1> # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010 check # ZATO s1\n",
    ),
    had(
        Zato,
        "a path behind ca-base",
        "    server http_plain--s1 127.0.0.1:17010 ssl verify required ca-file ca.pem\t\tcheck # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010\t\tcheck <s1> # ZATO s1\n",
        "    server http_plain--s1 127.0.0.1:17010\t\tcheck # ZATO s1\n",
    ),
    new(
        Section,
        "names without a prefix",
        "    server s1 127.0.0.1:17010 check\n    server s2 127.0.0.1:17011\n",
        "    server s1 127.0.0.1:17010 check <s1>\n    server s2 127.0.0.1:17011 <s2>\n",
    ),
    new(
        Section,
        "names with the agent's prefix",
        "    server apps--s1 127.0.0.1:17010 check\n    server http_plain--s2 127.0.0.1:17011\n",
        "    server apps--s1 127.0.0.1:17010 check <s1>\n    server http_plain--s2 127.0.0.1:17011\n",
    ),
    new(
        Section,
        "an IPv6 address",
        "    server s1 [::1]:17010 check\n    server s2 ipv6@::1:17010\n",
        "    server s1 [::1]:17010 check <s1>\n    server s2 ipv6@::1:17010 <s2>\n",
    ),
    new(
        Section,
        "a socket, an address without a port, a variable",
        "    server s1 /run/app.sock check\n    server s2 127.0.0.1 check port 80\n    server s3 \"127.0.0.1${PORT-:17010}\"\n",
        "    server s1 /run/app.sock check <s1>\n    server s2 127.0.0.1 check port 80 <s2>\n    server s3 \"127.0.0.1${PORT-:17010}\" <s3>\n",
    ),
    new(
        Section,
        "names that only HAProxy reads",
        "    server -a:1 127.0.0.1:17010\n    server \"x${NAME}\" 127.0.0.1:17011\n    server a--s1 127.0.0.1:17012\n    server s1 127.0.0.1:17013\n",
        "    server -a:1 127.0.0.1:17010\n    server \"x${NAME}\" 127.0.0.1:17011\n    server a--s1 127.0.0.1:17012\n    server s1 127.0.0.1:17013 <s1>\n",
    ),
    new(
        Section,
        "quoted words",
        "    'server' \"s1\" '127.0.0.1:17010' \"check\" # c\n",
        "    'server' \"s1\" '127.0.0.1:17010' \"check\" <s1> # c\n",
    ),
    new(
        Section,
        "templates and defaults",
        "    default-server check inter 2s ssl ca-file /tls/ca.pem\n    server-template t 2 127.0.0.1:17010 ssl verify none\n    server s1 127.0.0.1:17012\n",
        "    default-server check inter 2s ssl ca-file /tls/ca.pem\n    server-template t 2 127.0.0.1:17010 ssl verify none\n    server s1 127.0.0.1:17012 <s1>\n",
    ),
    new(
        Section,
        "trailing blanks and white space of every kind",
        "\u{b}server\u{c}s1 \u{b}127.0.0.1:17010\t \n    server s2 127.0.0.1:17011 check \u{c}# c\u{b}\n",
        "\u{b}server\u{c}s1 \u{b}127.0.0.1:17010 <s1>\t \n    server s2 127.0.0.1:17011 check <s2> \u{c}# c\u{b}\n",
    ),
    new(
        Section,
        "a carriage return at a word's end, behind which HAProxy does not read",
        "    server s1 127.0.0.1:17010 check\r ssl verify none\n",
        "    server s1 127.0.0.1:17010 check <s1>\r ssl verify none\n",
    ),
    new(
        Section,
        "comments with everything",
        "    server s1 127.0.0.1:17010 # 'ü \" \\\n    server s2 127.0.0.1:17011 # ZATO x # ZATO y\n",
        "    server s1 127.0.0.1:17010 <s1> # 'ü \" \\\n    server s2 127.0.0.1:17011 <s2> # ZATO x # ZATO y\n",
    ),
    new(
        Section,
        "the agent's markers do not matter",
        "# ZATO begin backend apps\n    server s1 127.0.0.1:17010\n# ZATO end backend apps\n    server s2 127.0.0.1:17011 check # ZATO backend x\n",
        "# ZATO begin backend apps\n    server s1 127.0.0.1:17010 <s1>\n# ZATO end backend apps\n    server s2 127.0.0.1:17011 check <s2> # ZATO backend x\n",
    ),
    new(
        Section,
        "lines under a condition",
        "    .if !defined(NONE)\n    server s1 127.0.0.1:17010\n    .endif\n    .if 1\n    server s2 127.0.0.1:17011\n    .endif\n",
        "    .if !defined(NONE)\n    server s1 127.0.0.1:17010 <s1>\n    .endif\n    .if 1\n    server s2 127.0.0.1:17011 <s2>\n    .endif\n",
    ),
    new(
        Section,
        "no server",
        "    http-request deny\n",
        "    http-request deny\n",
    ),
    had(
        Section,
        "TLS of somebody else's",
        "    server s1 127.0.0.1:17010 ssl crt /tls/key-cert.pem  check ca-file /tls/ca.pem alpn h2,http/1.1 verify required sni req.hdr(host) # c\n",
        "    server s1 127.0.0.1:17010  check alpn h2,http/1.1 <s1> # c\n",
        "    server s1 127.0.0.1:17010  check alpn h2,http/1.1 # c\n",
    ),
    had(
        Section,
        "nothing but TLS",
        "    server s1 127.0.0.1:17010\tssl  verify none  \n",
        "    server s1 127.0.0.1:17010 <s1>  \n",
        "    server s1 127.0.0.1:17010  \n",
    ),
    had(
        Section,
        "TLS between two blanks",
        "    server s1 127.0.0.1:17010 check  ssl  inter 2s # c\n",
        "    server s1 127.0.0.1:17010 check  inter 2s <s1> # c\n",
        "    server s1 127.0.0.1:17010 check  inter 2s # c\n",
    ),
    new(
        File,
        "a listen section",
        "listen apps\n    bind 127.0.0.1:17080 ssl crt /tls/key-cert.pem\n    server s1 127.0.0.1:17010 check\n",
        "listen apps\n    bind 127.0.0.1:17080 ssl crt /tls/key-cert.pem\n    server s1 127.0.0.1:17010 check <s1>\n",
    ),
    new(
        File,
        "a section with defaults of its own, quoted, in one line with a comment",
        "defaults slow\n    mode http\n    timeout connect 9s\n    timeout client 9s\n    timeout server 9s\n\t\"backend\" 'apps' from slow# c\nserver s1 127.0.0.1:17010\nlisten x\n    bind 127.0.0.1:17080\n    server s1 127.0.0.1:17010\n",
        "defaults slow\n    mode http\n    timeout connect 9s\n    timeout client 9s\n    timeout server 9s\n\t\"backend\" 'apps' from slow# c\nserver s1 127.0.0.1:17010 <s1>\nlisten x\n    bind 127.0.0.1:17080\n    server s1 127.0.0.1:17010\n",
    ),
    new(
        File,
        "a frontend of the same name, and sections that are no proxies",
        "frontend apps\n    bind 127.0.0.1:17080\n    default_backend apps\npeers s1\n    peer s1 127.0.0.1:17081\nbackend apps\n    server s1 127.0.0.1:17010\nring logs\n    size 32768\n    server s2 127.0.0.1:17082\n",
        "frontend apps\n    bind 127.0.0.1:17080\n    default_backend apps\npeers s1\n    peer s1 127.0.0.1:17081\nbackend apps\n    server s1 127.0.0.1:17010 <s1>\nring logs\n    size 32768\n    server s2 127.0.0.1:17082\n",
    ),
];
