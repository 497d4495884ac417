//! The files in which a certificate is handed over.

use std::path::PathBuf;

use crate::commands::error::Error;
use crate::commands::host_folder::Identity;
use crate::commands::state::Ca;
use crate::domain::name::EntryName;
use crate::domain::order::{Format, Terms};
use crate::domain::role::Role;
use crate::store::file::File;
use crate::store::layout::{self, HostFolder, PUBLIC, SECRET};
use crate::system::Entropy;
use crate::x509::certificate::ParsedCertificate;
use crate::x509::passphrase::Passphrase;
use crate::x509::pkcs12::{self, Contents, Salts};
use crate::x509::private_key::PrivateKey;

/// Where a certificate goes besides the inventory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// Its host folder, which `zpki apply` leaves alone.
    HostFolder,
    /// A directory that is not zpki's.
    Out(Format),
    /// Standard output.
    Stdout,
}

/// A certificate, with the private key if zpki has it.
#[derive(Debug)]
pub(super) struct Handed {
    pub(super) key: Option<Box<PrivateKey>>,
    pub(super) certificate: ParsedCertificate,
}

/// What a PKCS#12 file is encrypted with.
#[derive(Clone, Copy)]
pub(super) struct Sealing<'a> {
    pub(super) passphrase: &'a Passphrase,
    pub(super) entropy: &'a dyn Entropy,
}

impl Place {
    /// The paths of its files, that with the private key first. They are relative to the PKI directory, or
    /// to the directory outside.
    pub(super) fn paths(self, name: &EntryName, with_key: bool) -> Vec<PathBuf> {
        let key = || with_key.then(|| layout::private_key(name));
        let beside_key = |certificate| key().into_iter().chain([certificate]).collect();
        match self {
            Self::HostFolder => {
                let folder = HostFolder::of(name, Role::Client);
                vec![folder.private_key(), folder.certificate()]
            }
            Self::Out(Format::Fullchain) => beside_key(layout::fullchain(name)),
            Self::Out(Format::KeyCert) => vec![layout::key_cert(name)],
            Self::Out(Format::P12) => vec![layout::pkcs12(name)],
            Self::Out(Format::Pem) => beside_key(layout::certificate(name)),
            Self::Stdout => Vec::new(),
        }
    }

    /// Whether the file with the private key can be read without a passphrase.
    pub(super) fn is_readable(self) -> bool {
        self != Self::Out(Format::P12)
    }
}

impl Handed {
    /// Its files. `sealing` is for PKCS#12.
    pub(super) fn files(
        &self,
        place: Place,
        terms: &Terms,
        ca: &Ca,
        sealing: Option<Sealing<'_>>,
    ) -> Result<Vec<File>, Error> {
        let name = &terms.name;
        let chain = &ca.chain_pem;
        let public = |path| File::new(path, PUBLIC, self.certificate.to_pem() + chain);
        let Some(key) = self.key.as_deref() else {
            let paths = place.paths(name, false).into_iter();
            return Ok(paths.map(public).collect());
        };
        let secret = || File::new(layout::private_key(name), SECRET, key.to_pem().as_str());
        Ok(match place {
            Place::HostFolder => {
                Identity::of(name, Role::Client, key, &self.certificate, chain).files()
            }
            Place::Out(Format::Fullchain) => vec![secret(), public(layout::fullchain(name))],
            Place::Out(Format::KeyCert) => {
                let identity =
                    Identity::of(name, Role::LoadBalancer, key, &self.certificate, chain);
                let files = identity.files().into_iter();
                let named = |file: File| File {
                    path: layout::key_cert(name),
                    ..file
                };
                files.map(named).collect()
            }
            Place::Out(Format::P12) => {
                let sealing = sealing.expect("its passphrase is come by before anything is signed");
                let bytes = self.pkcs12(name, key, ca, sealing)?;
                vec![File::new(layout::pkcs12(name), SECRET, bytes)]
            }
            Place::Out(Format::Pem) => vec![secret(), public(layout::certificate(name))],
            Place::Stdout => Vec::new(),
        })
    }

    fn pkcs12(
        &self,
        name: &EntryName,
        key: &PrivateKey,
        ca: &Ca,
        sealing: Sealing<'_>,
    ) -> Result<Vec<u8>, Error> {
        let mut octets = [0; Salts::OCTETS];
        sealing.entropy.fill(&mut octets)?;
        let chain = ca.intermediates.iter().chain(&ca.roots);
        let contents = Contents {
            friendly_name: name.as_str(),
            key,
            certificate: &self.certificate,
            chain: &chain.collect::<Vec<_>>(),
        };
        let salts = Salts::from_random(octets);
        Ok(pkcs12::encode(&contents, sealing.passphrase, &salts)?)
    }
}
