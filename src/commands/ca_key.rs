//! The CA's private key: found, opened, and asked for its passphrase only when something is to be
//! signed.

use std::path::{Path, PathBuf};

use super::directory::PkiDirectory;
use super::error::{Error, Usage};
use crate::domain::cluster::Cluster;
use crate::store::layout;
use crate::system::System;
use crate::x509;
use crate::x509::certificate::ParsedCertificate;
use crate::x509::issue::Authority;
use crate::x509::passphrase::Passphrase;
use crate::x509::pem;
use crate::x509::private_key::PrivateKey;

/// How the CA's private key is come by.
#[derive(Debug, Default)]
pub struct CaKeyAccess {
    /// The file, when it is neither in the PKI directory nor where zpki.toml says.
    pub file: Option<PathBuf>,
    /// What opens it.
    pub passphrase: Option<Passphrase>,
    /// Whether the passphrase may be asked for at the terminal.
    pub may_ask: bool,
}

impl CaKeyAccess {
    /// Opens the key that belongs to `certificate`.
    ///
    /// # Errors
    /// When the file is not there or holds no key, when its passphrase is wrong or is not given, and when
    /// the key is not that of the certificate.
    pub(super) fn open(
        &mut self,
        certificate: &ParsedCertificate,
        cluster: &Cluster,
        directory: &PkiDirectory,
        system: &mut System,
    ) -> Result<Authority, Error> {
        let path = self.path(cluster, directory, system);
        let bytes = system.read(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::NoCaKey { path: path.clone() },
            _ => Error::input(&path, error),
        })?;
        let unreadable = |line, error: &x509::error::Error| Error::Unreadable {
            path: path.clone(),
            line,
            because: error.to_string(),
            hint: error.hint(),
        };
        let mut blocks = pem::scan(&bytes).into_iter();
        let block = match blocks.next() {
            Some(Ok(block)) => block,
            Some(Err(error)) => return Err(unreadable(error.line(), &error)),
            None => {
                return Err(Error::Unreadable {
                    path,
                    line: None,
                    because: "it has no PEM block".to_owned(),
                    hint: "name the file of the CA's private key: --ca-key".to_owned(),
                });
            }
        };
        let key = match PrivateKey::from_pem(&block, self.passphrase.as_ref()) {
            Err(x509::error::Error::KeyEncrypted) => {
                self.ask(&path, system)?;
                PrivateKey::from_pem(&block, self.passphrase.as_ref())
            }
            key => key,
        };
        let key = key.map_err(|error| match error {
            x509::error::Error::PassphraseWrong => Error::CaKeyPassphrase { path: path.clone() },
            other => unreadable(Some(block.line), &other),
        })?;
        Ok(Authority::new(certificate.clone(), key)?)
    }

    /// Where the key is looked for: `--ca-key`, else where zpki.toml says, else in the PKI directory.
    fn path(&self, cluster: &Cluster, directory: &PkiDirectory, system: &System) -> PathBuf {
        let own = || {
            directory
                .path()
                .join(layout::ca_key(&cluster.settings().ca))
        };
        self.file
            .as_deref()
            .map_or_else(own, |file| system.locate(file))
    }

    fn ask(&mut self, path: &Path, system: &mut System) -> Result<(), Error> {
        let Some(prompt) = system.prompt.as_deref_mut().filter(|_| self.may_ask) else {
            return Err(Error::Usage(Usage::NoPassphrase));
        };
        let question = format!("Passphrase of {}", path.display());
        self.passphrase = Some(prompt.passphrase(&question)?);
        Ok(())
    }
}
