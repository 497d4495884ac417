//! The CRLs of the CAs above an intermediate CA (`[revocation] extra_crls`). With a `crl-file` HAProxy
//! wants one for every CA of a certification path, and takes every server down that lacks one.

use std::path::PathBuf;

use time::OffsetDateTime;

use super::directory::View;
use super::error::Error;
use super::state::Ca;
use crate::domain::settings::RevocationSettings;
use crate::domain::text::Quoted;
use crate::domain::validity::show;
use crate::store;
use crate::x509::certificate::ParsedCertificate;
use crate::x509::path_certificate::PathCertificate;
use crate::x509::path_crl::PathCrl;
use crate::x509::{crl, pem};

/// What load-balancer/crl.pem has behind the CA's own CRL, PEM; nothing when the cluster uses no
/// revocation.
///
/// # Errors
/// [`Error::ExtraCrl`] when one is not there or no regular file, has expired at `fresh_at` or is not valid
/// yet, if that matters, or is by none of the CAs above; and when one of these has none.
pub(super) fn read(
    settings: &RevocationSettings,
    ca: &Ca,
    view: &View<'_>,
    fresh_at: Option<OffsetDateTime>,
) -> Result<String, Error> {
    if !settings.enabled {
        return Ok(String::new());
    }
    let above = ca.above();
    let mut lacking: Vec<&ParsedCertificate> = above.clone();
    let mut text = String::new();
    for path in settings.extra_crls.iter().map(|path| path.as_path()) {
        let refused = |because: String| Error::ExtraCrl {
            path: Some(view.path().join(path)),
            because,
        };
        let bytes = view.bytes(path).map_err(|error| match error {
            store::Error::NotAFile { .. } => refused("it is not a regular file".to_owned()),
            error => error.into(),
        })?;
        let bytes = bytes.ok_or_else(|| refused("it is not there".to_owned()))?;
        let blocks = ders(&bytes).map_err(|error| refused(error.to_string()))?;
        for der in blocks {
            let list = PathCrl::from_der(&der).map_err(|error| refused(error.to_string()))?;
            let by = issuer(&list, &above).map_err(refused)?;
            if let Some(why) = fresh_at.and_then(|at| not_fresh(&list, at)) {
                return Err(refused(why));
            }
            lacking.retain(|ca| ca.der != by.der);
            text += &crl::to_pem(&der);
        }
    }
    match lacking.first() {
        None => Ok(text),
        Some(ca) => Err(Error::ExtraCrl {
            path: None,
            because: format!(
                "there is no CRL of {}: with a crl-file HAProxy wants one for every CA of the path, \
                 and takes every server down that lacks one",
                Quoted(&ca.details.subject)
            ),
        }),
    }
}

/// Why HAProxy does not take a CRL at an instant.
fn not_fresh(list: &PathCrl, at: OffsetDateTime) -> Option<String> {
    if at < list.this_update {
        let begins = show(list.this_update);
        return Some(format!("it is not valid yet (thisUpdate {begins})"));
    }
    let ends = list.next_update.filter(|ends| *ends <= at)?;
    Some(format!("it expired on {} (nextUpdate)", show(ends)))
}

/// Whether all of what [`read`] gave are valid already.
pub(super) fn have_begun(text: &str, at: OffsetDateTime) -> bool {
    let lists = pem::scan(text.as_bytes()).into_iter().flatten();
    let mut lists = lists.filter_map(|block| PathCrl::from_der(&block.contents).ok());
    lists.all(|list| list.this_update <= at)
}

/// The same CRLs as they stand in their files, whether or not they are any good: what is to be in
/// load-balancer/crl.pem.
pub(super) fn as_they_are(settings: &RevocationSettings, view: &View<'_>) -> String {
    let paths = settings.extra_crls.iter().map(|path| path.as_path());
    let files = paths.filter_map(|path| view.bytes(path).ok().flatten());
    let lists = files.filter_map(|bytes| ders(&bytes).ok());
    lists.flatten().map(|der| crl::to_pem(&der)).collect()
}

/// The files.
pub(super) fn files(settings: &RevocationSettings) -> impl Iterator<Item = PathBuf> {
    let paths = settings.extra_crls.iter().filter(|_| settings.enabled);
    paths.map(|path| path.as_path().to_owned())
}

/// PEM with one or more, or DER.
fn ders(bytes: &[u8]) -> Result<Vec<Vec<u8>>, crate::x509::error::Error> {
    let blocks = pem::scan(bytes);
    if blocks.is_empty() {
        return Ok(vec![bytes.to_vec()]);
    }
    let contents = |block: Result<pem::Block, _>| block.map(|it| it.contents.to_vec());
    blocks.into_iter().map(contents).collect()
}

fn issuer<'a>(
    list: &PathCrl,
    above: &[&'a ParsedCertificate],
) -> Result<&'a ParsedCertificate, String> {
    let is_issuer = |ca: &&&ParsedCertificate| {
        let Ok(path) = PathCertificate::from_der(&ca.der) else {
            return false;
        };
        let signed = list.signed().and_then(|it| it.is_by(&ca.public_key_der));
        list.issuer.is_same_as(&path.subject) && signed != Some(false)
    };
    let issuer = above.iter().find(is_issuer).copied();
    issuer.ok_or_else(|| {
        format!(
            "it is by {}, and not signed by a CA above this one",
            Quoted(&list.issuer.shown)
        )
    })
}
