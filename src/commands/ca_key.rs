//! The CA's private key: found, opened, and asked for its passphrase only when something is to be
//! signed.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::directory::PkiDirectory;
use super::error::{Error, Usage};
use crate::domain::cluster::Cluster;
use crate::store::layout::{self, CA_KEY};
use crate::system::System;
use crate::x509;
use crate::x509::certificate::ParsedCertificate;
use crate::x509::issue::Authority;
use crate::x509::passphrase::Passphrase;
use crate::x509::pem::{self, Block};
use crate::x509::private_key::{self, PrivateKey};

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

/// The private key of a CA, opened.
#[derive(Debug)]
pub(super) struct OpenedKey {
    /// Its file, absolute.
    pub(super) path: PathBuf,
    /// What is in the file.
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// How it is encrypted there, in words; None for one in the clear.
    pub(super) encryption: Option<String>,
    /// The key.
    pub(super) key: PrivateKey,
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
        let opened = self.open_key(cluster, directory, system)?;
        let path = opened.path;
        Authority::new(certificate.clone(), opened.key).map_err(|error| match error {
            x509::error::Error::KeyMismatch { .. } => Error::Unreadable {
                path,
                line: None,
                because: error.to_string(),
                hint: "name the file of the CA's private key: --ca-key".to_owned(),
            },
            error => error.into(),
        })
    }

    /// Opens the key, whoever's it is.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(super) fn open_key(
        &mut self,
        cluster: &Cluster,
        directory: &PkiDirectory,
        system: &mut System,
    ) -> Result<OpenedKey, Error> {
        let path = self.path(cluster, directory, system);
        let opened = self.open_file(path, system);
        opened.map_err(|error| match error {
            Error::NoCaKey { path, .. } => {
                let own = directory.path().join(CA_KEY);
                let is_left_behind =
                    self.file.is_none() && own != path && system.read_named(&own).is_ok();
                Error::NoCaKey {
                    path,
                    left_behind: is_left_behind.then_some(own),
                }
            }
            error => error,
        })
    }

    /// Opens the key in the file at `path`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(super) fn open_file(
        &mut self,
        path: PathBuf,
        system: &mut System,
    ) -> Result<OpenedKey, Error> {
        let read = match self.file {
            Some(_) => system.read(&path),
            None => system.read_named(&path),
        };
        let bytes = read.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::NoCaKey {
                path: path.clone(),
                left_behind: None,
            },
            _ => Error::input(&path, error),
        })?;
        let unreadable = |line, error: &x509::error::Error| Error::Unreadable {
            path: path.clone(),
            line,
            because: error.to_string(),
            hint: error.hint(),
        };
        let Some(block) = private_key_block(&bytes) else {
            let (because, hint) = match bytes.first() {
                Some(&SEQUENCE) => (
                    "it is not PEM; DER, by its first octet",
                    "convert it: openssl pkey -inform DER -in FILE -out NEW",
                ),
                _ => (
                    "it has no PEM block",
                    "name the file of the CA's private key, in PEM",
                ),
            };
            return Err(Error::Unreadable {
                path,
                line: None,
                because: because.to_owned(),
                hint: hint.to_owned(),
            });
        };
        let block = block.map_err(|error| unreadable(error.line(), &error))?;
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
        let encryption = private_key::encryption(&block);
        Ok(OpenedKey {
            encryption,
            path,
            bytes,
            key,
        })
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

/// What a private key in DER begins with.
const SEQUENCE: u8 = 0x30;

/// The first private key of a file, behind what `openssl ecparam` writes before it; without one,
/// whatever comes first.
pub(super) fn private_key_block(bytes: &[u8]) -> Option<Result<Block, x509::error::Error>> {
    let mut blocks = pem::scan(bytes);
    let is_key = |block: &Result<Block, x509::error::Error>| {
        let label = block.as_ref().map(|block| block.label.as_str());
        label.is_ok_and(|label| label.ends_with("PRIVATE KEY"))
    };
    let position = blocks.iter().position(is_key).unwrap_or_default();
    (position < blocks.len()).then(|| blocks.swap_remove(position))
}
