//! What was named: an entry, a serial number, or a file.

use std::path::Path;

use super::refusal::Refusal;
use super::{Request, Which};
use crate::commands::directory::{PkiDirectory, View};
use crate::commands::error::Error;
use crate::domain::name::EntryName;
use crate::domain::serial_number::SerialNumber;
use crate::store::layout;
use crate::system::System;
use crate::x509::certificate::ParsedCertificate;
use crate::x509::pem;

/// What is to be revoked, as far as the command line says.
#[derive(Debug)]
pub(super) enum Subject {
    /// A certificate's file.
    File(Box<ParsedCertificate>),
    /// A certificate of the inventory.
    Issued(EntryName, SerialNumber),
    /// What the inventory has of a name.
    Name(EntryName),
    /// A serial number that the inventory does not have.
    Unlisted(SerialNumber),
}

/// So many digits of a serial number are enough, if no other begins with them.
const DIGITS: usize = 8;

impl Subject {
    /// Names go before serial numbers, and those before files.
    pub(super) fn find(
        request: &Request,
        directory: &PkiDirectory,
        system: &mut System,
    ) -> Result<Self, Error> {
        let path = &request.subject;
        if let Some(text) = path.to_str()
            && let Some(found) = directory.read(|view| Self::listed(text, view))?
        {
            let is_name = matches!(found, Self::Name(_));
            return found.if_it_goes_with(request.which, is_name);
        }
        let unlisted = path.to_str().and_then(|text| text.parse().ok());
        let found = match system.read(path) {
            Ok(bytes) => Self::File(Box::new(certificate(&bytes, path)?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => match unlisted {
                Some(serial_number) => Self::Unlisted(serial_number),
                None => {
                    return Err(Refusal::Unknown {
                        subject: path.clone(),
                    }
                    .into());
                }
            },
            Err(error) => return Err(Error::input(path, error)),
        };
        found.if_it_goes_with(request.which, false)
    }

    fn if_it_goes_with(self, which: Which, is_name: bool) -> Result<Self, Error> {
        if is_name || which == Which::One {
            return Ok(self);
        }
        Err(Refusal::OnlyWithName.into())
    }

    /// A name that there is something of, or a serial number of the inventory.
    fn listed(text: &str, view: &View<'_>) -> Result<Option<Self>, Error> {
        let issued = view.issued_names()?;
        if let Some(name) = EntryName::of_inventory(text)
            && (issued.contains(&name) || view.cluster()?.entry(text).is_some())
        {
            return Ok(Some(Self::Name(name)));
        }
        let Ok(serial_number) = text.parse::<SerialNumber>() else {
            return Ok(None);
        };
        let digits = text.replace(':', "").to_ascii_lowercase();
        let mut begun = Vec::new();
        for name in issued {
            for file in view.list(&layout::issued_directory(&name))? {
                let Some(listed) = layout::serial_number_of(&file) else {
                    continue;
                };
                if listed == serial_number {
                    return Ok(Some(Self::Issued(name, listed)));
                }
                if digits.len() >= DIGITS && listed.to_string().starts_with(&digits) {
                    begun.push((name.clone(), listed));
                }
            }
        }
        match begun.len() {
            0 => Ok(None),
            1 => Ok(begun.pop().map(|(name, listed)| Self::Issued(name, listed))),
            _ => Err(Refusal::SeveralBegin { found: begun }.into()),
        }
    }
}

/// The first certificate of a file, PEM or DER.
fn certificate(bytes: &[u8], path: &Path) -> Result<ParsedCertificate, Error> {
    let unreadable = |line, because: String| Error::Unreadable {
        path: path.to_owned(),
        line,
        because,
        hint: "name a certificate's file, PEM or DER".to_owned(),
    };
    let blocks = pem::scan(bytes);
    if blocks.is_empty() {
        return ParsedCertificate::from_der(bytes).map_err(|_| {
            unreadable(
                None,
                "it has no PEM block and is not DER of a certificate".to_owned(),
            )
        });
    }
    for block in blocks {
        let block = block.map_err(|error| unreadable(error.line(), error.to_string()))?;
        if ["CERTIFICATE", "X509 CERTIFICATE"].contains(&block.label.as_str()) {
            return ParsedCertificate::from_der(&block.contents)
                .map_err(|error| unreadable(Some(block.line), error.to_string()));
        }
    }
    Err(unreadable(None, "it has no certificate".to_owned()))
}
