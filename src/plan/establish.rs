//! What a new cluster needs: its CA, a certificate for each entry, and the first CRL.

use time::OffsetDateTime;

use crate::domain::cluster::{Cluster, Entry};
use crate::domain::finding::Finding;
use crate::domain::name::EntryName;
use crate::domain::role::Role;
use crate::domain::text::joined;
use crate::domain::validity::{NoValidity, Validity, show};

/// What is to be made for a new cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Establishment<'a> {
    /// The CA's common name: unique, so that a CA made later for the same cluster is never taken
    /// for this one.
    pub ca_common_name: String,
    /// The CA's validity.
    pub ca_validity: Validity,
    /// The end entities, in the order of zpki.toml.
    pub issuances: Vec<Issuance<'a>>,
    /// thisUpdate and nextUpdate of the first CRL.
    pub crl_updates: Validity,
    /// CRL number: the time, so that it grows even when the record of the last one is lost.
    pub crl_number: u128,
    /// What was chosen for the user, and what to watch.
    pub findings: Vec<Finding>,
}

/// One certificate that is to be made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issuance<'a> {
    /// For whom.
    pub entry: &'a Entry,
    /// Its validity.
    pub validity: Validity,
}

/// Decides what a new cluster needs at `now`. `distinguisher` is a random number for the CA's
/// common name.
///
/// # Errors
/// When `now` is so far off that no date can be written.
pub fn establish(
    cluster: &Cluster,
    now: OffsetDateTime,
    distinguisher: u16,
) -> Result<Establishment<'_>, NoValidity> {
    let settings = cluster.settings();
    let ca_validity = Validity::starting(now, settings.ca.lifetime, None)?;
    let issuances = cluster.entries().iter().map(|entry| {
        let validity = Validity::starting(now, entry.lifetime, Some(&ca_validity))?;
        Ok(Issuance { entry, validity })
    });
    let date = now.date();
    let name = settings.name.as_str();
    let crl_lifetime = settings.revocation.lifetime.min(settings.ca.lifetime);
    let crl_updates = Validity::starting(now, crl_lifetime, Some(&ca_validity))?;
    Ok(Establishment {
        ca_common_name: format!("{name} cluster CA {date} {distinguisher:04x}"),
        ca_validity,
        issuances: issuances.collect::<Result<_, _>>()?,
        crl_updates,
        crl_number: u128::try_from(now.unix_timestamp()).map_err(|_| NoValidity::OutOfRange)?,
        findings: findings(cluster, crl_updates.not_after),
    })
}

fn findings(cluster: &Cluster, next_update: OffsetDateTime) -> Vec<Finding> {
    let entries = cluster.entries().iter();
    let mut findings: Vec<Finding> = entries
        .filter(|entry| !entry.chosen.is_empty())
        .map(|entry| {
            Finding::note(
                "default-hosts",
                &entry.name,
                format!("host names by default: {}", joined(&entry.chosen, ", ")),
            )
        })
        .collect();
    let callers = cluster.entries().iter();
    let callers = callers.filter(|entry| passes_for_load_balancer(entry));
    findings.extend(callers.map(|entry| caller(&entry.name)));
    if cluster.settings().revocation.enabled {
        findings.push(Finding::note(
            "crl-expires",
            "load-balancer/crl.pem",
            format!(
                "from {} on, when this CRL expires, HAProxy refuses every server: run `zpki apply` regularly, which signs a fresh one when less than a third is left",
                show(next_update)
            ),
        ));
    }
    if !cluster.settings().load_balancer.verifyhost {
        findings.push(Finding::warning(
            "no-verifyhost",
            "load-balancer",
            "the server lines check no name: any server certificate of this CA passes for any server, \
             and HAProxy from 3.3 on answers every request with 503",
            "leave out --no-verifyhost (or verifyhost = false) unless a line must be plain",
        ));
    }
    findings
}

/// What there is to say of a certificate with clientAuth that is not the load-balancer's.
#[must_use]
pub fn caller(name: &EntryName) -> Finding {
    Finding::warning(
        "passes-for-load-balancer",
        name,
        "its certificate allows clientAuth, and servers check no name: it passes for the load-balancer",
        "keep its private key as safe as the load-balancer's",
    )
}

fn passes_for_load_balancer(entry: &Entry) -> bool {
    entry.role != Role::LoadBalancer && entry.extended_key_usage.client_auth
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;
    use crate::domain::finding::Severity;
    use crate::domain::settings::{
        CaSettings, CertificateSettings, ClientSettings, LoadBalancerSettings, Overrides,
        RevocationSettings, ServerSettings, Settings,
    };

    const NOW: OffsetDateTime = datetime!(2026-11-23 15:40:00.5 UTC);

    fn settings(name: &str) -> Settings {
        let server = ServerSettings {
            name: "server1".parse().unwrap(),
            address: "10.0.0.1:17010".parse().unwrap(),
            hosts: vec!["server1.prod.internal".parse().unwrap()],
            options: Default::default(),
            calls_servers: false,
            conf: None,
            overrides: Overrides::default(),
        };
        Settings {
            name: name.parse().unwrap(),
            ca: CaSettings::default(),
            certificates: CertificateSettings::default(),
            load_balancer: LoadBalancerSettings {
                hosts: vec!["lb.prod.internal".parse().unwrap()],
                ..LoadBalancerSettings::default()
            },
            servers: vec![server],
            clients: Vec::new(),
            revocation: RevocationSettings::default(),
        }
    }

    fn cluster(settings: Settings) -> Cluster {
        Cluster::new(settings).unwrap()
    }

    /// Each finding as `about: id`, with its severity.
    fn findings(settings: Settings) -> Vec<(Severity, String)> {
        let cluster = cluster(settings);
        let plan = establish(&cluster, NOW, 0).unwrap();
        let told = plan.findings.into_iter();
        told.map(|it| (it.severity, format!("{}: {}", it.about, it.id)))
            .collect()
    }

    #[test]
    fn the_ca_is_named_for_the_cluster_the_day_and_a_random_number() {
        let cluster = cluster(settings("prod"));
        let name = |distinguisher| {
            let plan = establish(&cluster, NOW, distinguisher).unwrap();
            plan.ca_common_name
        };
        assert_eq!(name(0x3f9a), "prod cluster CA 2026-11-23 3f9a");
        assert_eq!(name(0x000a), "prod cluster CA 2026-11-23 000a");
    }

    #[test]
    fn the_longest_cluster_name_leaves_a_common_name_of_64_characters() {
        let cluster = cluster(settings(&"x".repeat(37)));
        let plan = establish(&cluster, NOW, u16::MAX).unwrap();
        assert_eq!(plan.ca_common_name.len(), 64);
    }

    #[test]
    fn every_entry_is_valid_from_an_hour_ago_for_its_own_lifetime() {
        let mut settings = settings("prod");
        settings.servers[0].overrides.lifetime = Some("90d".parse().unwrap());
        let cluster = cluster(settings);
        let plan = establish(&cluster, NOW, 0).unwrap();
        let hour_ago = datetime!(2026-11-23 14:40:00 UTC);
        let whole = datetime!(2026-11-23 15:40:00 UTC);
        let until = |lifetime: i64| Validity {
            not_before: hour_ago,
            not_after: whole + Duration::days(lifetime),
        };
        assert_eq!(plan.ca_validity, until(3650));
        let planned = plan.issuances.iter();
        let planned: Vec<_> = planned
            .map(|issuance| (issuance.entry.name.as_str(), issuance.validity))
            .collect();
        assert_eq!(
            planned,
            [("load-balancer", until(365)), ("server1", until(90))]
        );
    }

    #[test]
    fn no_certificate_and_no_crl_outlives_the_ca() {
        let mut settings = settings("prod");
        let year = "1y".parse().unwrap();
        settings.ca.lifetime = year;
        settings.revocation.lifetime = "2y".parse().unwrap();
        let cluster = cluster(settings);
        let plan = establish(&cluster, NOW, 0).unwrap();
        for issuance in &plan.issuances {
            assert_eq!(issuance.validity, plan.ca_validity);
        }
        assert_eq!(plan.crl_updates, plan.ca_validity);
    }

    #[test]
    fn the_crl_is_numbered_by_the_time_and_has_a_lifetime_of_its_own() {
        let mut settings = settings("prod");
        settings.revocation.lifetime = "30d".parse().unwrap();
        let cluster = cluster(settings);
        let plan = establish(&cluster, NOW, 0).unwrap();
        assert_eq!(plan.crl_number, 1_795_448_400);
        assert_eq!(
            plan.crl_updates.not_before,
            datetime!(2026-11-23 14:40:00 UTC)
        );
        assert_eq!(
            plan.crl_updates.not_after,
            datetime!(2026-12-23 15:40:00 UTC)
        );
    }

    #[test]
    fn a_clock_that_no_certificate_can_show_is_refused() {
        let cluster = cluster(settings("prod"));
        let at = |now| establish(&cluster, now, 0).map(drop);
        let out_of_range = Err(NoValidity::OutOfRange);
        assert_eq!(at(datetime!(1949-12-31 23:59:59 UTC)), out_of_range);
        // A certificate could begin then, but a CRL number counts from 1970.
        assert_eq!(at(datetime!(1969-12-31 23:59:59 UTC)), out_of_range);
        assert_eq!(at(datetime!(1970-01-01 0:00 UTC)), Ok(()));
        // The last day from which ten years of 365 days end in the year 9999.
        assert_eq!(at(datetime!(9990-01-02 23:59:59 UTC)), Ok(()));
        assert_eq!(at(datetime!(9990-01-03 0:00 UTC)), out_of_range);
        assert_eq!(at(datetime!(9999-12-31 23:59:59 UTC)), out_of_range);
    }

    #[test]
    fn what_the_settings_say_themselves_is_no_finding() {
        assert_eq!(findings(settings("prod")), []);
    }

    #[test]
    fn what_was_chosen_for_the_user_is_said() {
        let mut settings = settings("prod");
        settings.load_balancer.hosts.clear();
        let cluster = cluster(settings);
        let plan = establish(&cluster, NOW, 0).unwrap();
        let told = "host names by default: load-balancer.prod.internal";
        let finding = Finding::note("default-hosts", "load-balancer", told);
        assert_eq!(plan.findings, [finding]);
    }

    #[test]
    fn whoever_passes_for_the_load_balancer_is_a_warning() {
        let mut settings = settings("prod");
        settings.servers[0].calls_servers = true;
        settings.clients.push(ClientSettings {
            name: "scheduler".parse().unwrap(),
            hosts: vec!["scheduler.prod.internal".parse().unwrap()],
            overrides: Overrides::default(),
        });
        let warning = |name| {
            let told = format!("{name}: passes-for-load-balancer");
            (Severity::Warning, told)
        };
        let expected = [warning("server1"), warning("scheduler")];
        assert_eq!(findings(settings), expected);
    }

    #[test]
    fn that_haproxy_depends_on_a_fresh_crl_is_told() {
        let mut settings = settings("prod");
        settings.revocation.enabled = true;
        let expected = (
            Severity::Ok,
            "load-balancer/crl.pem: crl-expires".to_owned(),
        );
        assert_eq!(findings(settings), [expected]);
    }

    #[test]
    fn lines_without_verifyhost_are_a_warning() {
        let mut settings = settings("prod");
        settings.load_balancer.verifyhost = false;
        let expected = (Severity::Warning, "load-balancer: no-verifyhost".to_owned());
        assert_eq!(findings(settings), [expected]);
    }
}
