//! The texts in `templates/`, which are part of the program.

use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

pub(super) const ALERT_RULES: &str = "zpki.rules.yml";
pub(super) const APPLY_SERVICE: &str = "zpki-apply.service";
pub(super) const APPLY_TIMER: &str = "zpki-apply.timer";
pub(super) const CRON: &str = "zpki.cron";
pub(super) const EXPIRY_SERVICE: &str = "zpki-expiry.service";
pub(super) const EXPIRY_TIMER: &str = "zpki-expiry.timer";
pub(super) const FRONTEND: &str = "frontend.cfg";
pub(super) const HAPROXY: &str = "haproxy.cfg";
pub(super) const LB_AGENT: &str = "lb-agent.conf";
pub(super) const NAGIOS: &str = "zpki.cfg";
pub(super) const SERVER_CONF: &str = "server.conf";

/// Compiled once: `init` renders a server.conf for each of a thousand servers.
static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::empty();
    templates.set_auto_escape_callback(|_| AutoEscape::None);
    templates.set_syntax(syntax());
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    let sources = [
        (ALERT_RULES, include_str!("../../templates/zpki.rules.yml")),
        (
            APPLY_SERVICE,
            include_str!("../../templates/zpki-apply.service"),
        ),
        (
            APPLY_TIMER,
            include_str!("../../templates/zpki-apply.timer"),
        ),
        (CRON, include_str!("../../templates/zpki.cron")),
        (
            EXPIRY_SERVICE,
            include_str!("../../templates/zpki-expiry.service"),
        ),
        (
            EXPIRY_TIMER,
            include_str!("../../templates/zpki-expiry.timer"),
        ),
        (FRONTEND, include_str!("../../templates/frontend.cfg")),
        (HAPROXY, include_str!("../../templates/haproxy.cfg")),
        (LB_AGENT, include_str!("../../templates/lb-agent.conf")),
        (NAGIOS, include_str!("../../templates/zpki.cfg")),
        (SERVER_CONF, include_str!("../../templates/server.conf")),
    ];
    for (name, source) in sources {
        templates
            .add_template(name, source)
            .expect("the template is part of the program, and the tests render it");
    }
    templates
});

/// Statements of a template stand on lines of their own and leave nothing behind.
fn syntax() -> SyntaxConfig {
    SyntaxConfig::builder()
        .keep_trailing_newline(true)
        .lstrip_blocks(true)
        .trim_blocks(true)
        .build()
        .expect("the delimiters are the default ones")
}

pub(super) fn render(name: &str, values: Value) -> String {
    TEMPLATES
        .get_template(name)
        .and_then(|template| template.render(values))
        .expect("the tests render every branch of the template with the same values")
}
