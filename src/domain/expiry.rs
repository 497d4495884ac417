//! What `expiry` says of a certificate or a CRL, and of what could not be read.
//!
//! The words are those that monitoring already knows: they are the same in text, JSON, Nagios'
//! line and Prometheus' labels, where the reasons of x509-certificate-exporter are in people's rules.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::finding::Severity;
use super::text::serialize_as_text;
use super::threshold::Bound;

/// What stands in a certification path where, and CRLs.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PathRole {
    /// A CRL.
    Crl,
    /// A CA's certificate that another CA has issued.
    Intermediate,
    /// An end entity's certificate.
    Leaf,
    /// A CA's certificate whose subject is its issuer.
    Root,
}

/// Why something could not be read. Its name in all output is [`ReadReason::code`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ReadReason {
    /// A CRL that is no CRL.
    BadCrl,
    /// A certificate, by its label or its beginning, that is no certificate.
    BadDer,
    /// A PEM block that is damaged.
    BadPem,
    /// A date that no calendar has, or that is not written as one.
    BadTime,
    /// A link to nothing, or to itself.
    BrokenSymlink,
    /// A file that was named and has neither a certificate nor a CRL.
    NoCertificateFound,
    /// A file that was named and is not there.
    NotFound,
    /// A file that was named and is a pipe, a socket or a device.
    NotRegular,
    /// A line of a configuration that was not understood.
    NotUnderstood,
    /// No permission.
    PermissionDenied,
    /// Reading failed otherwise, or the file kept changing.
    ReadFailed,
    /// Longer than any certificate file is.
    TooLarge,
    /// A directory could not be walked.
    WalkError,
}

impl ReadReason {
    /// Its name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::BadCrl => "bad_crl",
            Self::BadDer => "bad_der",
            Self::BadPem => "bad_pem",
            Self::BadTime => "bad_time",
            Self::BrokenSymlink => "broken_symlink",
            Self::NoCertificateFound => "no_certificate_found",
            Self::NotFound => "not_found",
            Self::NotRegular => "not_regular",
            Self::NotUnderstood => "not_understood",
            Self::PermissionDenied => "permission_denied",
            Self::ReadFailed => "read_failed",
            Self::TooLarge => "too_large",
            Self::WalkError => "walk_error",
        }
    }
}

impl ReadReason {
    /// How bad it is: what is not known may be expired; a link to nothing is only a trace of
    /// something that is gone.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::BrokenSymlink => Severity::Warning,
            _ => Severity::Unknown,
        }
    }
}

impl Serialize for ReadReason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// How a certificate or a CRL stands at an instant.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Runs out soon.
    Critical,
    /// Has run out.
    Expired,
    /// Is not valid yet.
    NotYetValid,
    /// All is well.
    Ok,
    /// Has run out, and a newer one of the same names stands beside it: no problem.
    Superseded,
    /// Runs out before long.
    Warning,
}

impl State {
    /// Its name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Ok => "ok",
            Self::Superseded => "superseded",
            Self::Warning => "warning",
        }
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::Ok | Self::Superseded => Severity::Ok,
            Self::Warning => Severity::Warning,
            Self::Critical | Self::Expired | Self::NotYetValid => Severity::Critical,
        }
    }
}

/// Why it stands so. Its `Display` is the stable word of all output.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// A CA has less left than what it issues lasts.
    CaRunway,
    /// notAfter has come.
    Expired,
    /// notAfter lies before notBefore.
    Inverted,
    /// notBefore has not come.
    NotYetValid,
    /// Less remains than this.
    Remaining(Bound),
    /// See [`State::Superseded`].
    Superseded,
}

impl Display for Reason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::CaRunway => f.write_str("ca_runway"),
            Self::Expired => f.write_str("expired"),
            Self::Inverted => f.write_str("inverted"),
            Self::NotYetValid => f.write_str("not_yet_valid"),
            Self::Remaining(bound) => write!(f, "remaining<{bound}"),
            Self::Superseded => f.write_str("superseded"),
        }
    }
}

serialize_as_text!(Reason);
