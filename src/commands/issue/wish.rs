//! What is wished for: on the command line, by a certification request, or in a manifest.

use std::path::{Path, PathBuf};

use crate::commands::error::{Error, Usage};
use crate::domain::host::Host;
use crate::domain::name::EntryName;
use crate::domain::order::{Order, Register, Terms};
use crate::domain::role::Role;
use crate::domain::validity::Lifetime;
use crate::store::cluster_file::Problem;
use crate::store::cluster_file::manifest::{self, Listed};
use crate::system::System;
use crate::x509::csr;
use crate::x509::error::Error as X509Error;
use crate::x509::pem;

/// What is wished for.
#[derive(Debug)]
pub enum Wish {
    /// Certificates for new keys, as a manifest has them.
    Manifest {
        /// Its file.
        file: PathBuf,
    },
    /// A certificate for a new key.
    One(Order),
    /// A certificate for the key of a certification request.
    Request(RequestWish),
}

/// A certificate for the key of a certification request.
#[derive(Debug)]
pub struct RequestWish {
    /// The request's file.
    pub file: PathBuf,
    /// The certificate's name; None is its first host name.
    pub name: Option<EntryName>,
    /// What it is for.
    pub role: Role,
    /// Its hosts; none are those of the request.
    pub hosts: Vec<Host>,
    /// Its lifetime.
    pub lifetime: Option<Lifetime>,
}

/// Wishes that were read.
#[derive(Debug)]
pub(super) enum Orders {
    One(Order),
    Request(Order, Box<csr::Request>),
    Manifest(PathBuf, Vec<Listed>),
}

impl Wish {
    /// The file that is read for it.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Manifest { file } | Self::Request(RequestWish { file, .. }) => Some(file),
            Self::One(_) => None,
        }
    }

    pub(super) fn read(self, system: &mut System) -> Result<Orders, Error> {
        match self {
            Self::One(order) => Ok(Orders::One(order)),
            Self::Request(wish) => {
                let request = read_request(&wish.file, system)?;
                let order = of_request(wish, &request)?;
                Ok(Orders::Request(order, Box::new(request)))
            }
            Self::Manifest { file } => {
                let bytes = system.read(&file).map_err(|it| Error::input(&file, it))?;
                let is_csv = file
                    .extension()
                    .is_some_and(|it| it.eq_ignore_ascii_case("csv"));
                let parse = match is_csv {
                    true => manifest::parse_csv,
                    false => manifest::parse_toml,
                };
                match parse(&bytes) {
                    Ok(listed) => Ok(Orders::Manifest(file, listed)),
                    Err(problems) => Err(Error::Manifest {
                        path: file,
                        problems,
                    }),
                }
            }
        }
    }
}

impl Orders {
    /// What the cluster makes of each.
    pub(super) fn terms(&self, register: &Register<'_>) -> Result<Vec<Terms>, Error> {
        match self {
            Self::One(order) | Self::Request(order, _) => {
                let refused = |refusals| Error::OrderRefused {
                    name: order.name.clone(),
                    refusals,
                };
                Ok(vec![register.terms(order).map_err(refused)?])
            }
            Self::Manifest(path, listed) => {
                let mut terms = Vec::with_capacity(listed.len());
                let mut problems: Vec<Problem> = Vec::new();
                for listed in listed {
                    match register.terms(&listed.order) {
                        Ok(it) => terms.push(it),
                        Err(refusals) => {
                            problems.extend(refusals.into_iter().map(|it| listed.refused(it)));
                        }
                    }
                }
                if problems.is_empty() {
                    return Ok(terms);
                }
                Err(Error::Manifest {
                    path: path.clone(),
                    problems,
                })
            }
        }
    }
}

fn read_request(path: &Path, system: &mut System) -> Result<csr::Request, Error> {
    let bytes = system
        .read(path)
        .map_err(|error| Error::input(path, error))?;
    let unreadable = |line, because: String, hint| Error::Unreadable {
        path: path.to_owned(),
        line,
        because,
        hint,
    };
    let no_request = || {
        let hint = "make one with: openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout KEY -out FILE";
        unreadable(
            None,
            "it has no certification request".to_owned(),
            hint.to_owned(),
        )
    };
    let mut requests = Vec::new();
    for block in pem::scan(&bytes) {
        let block = block.map_err(|it| unreadable(it.line(), it.to_string(), it.hint()))?;
        if block.label.ends_with("CERTIFICATE REQUEST") {
            requests.push((Some(block.line), block.contents.to_vec()));
        }
    }
    if requests.is_empty() && bytes.first() == Some(&0x30) {
        requests.push((None, bytes.to_vec()));
    }
    let mut requests = requests.into_iter();
    let (line, der) = requests.next().ok_or_else(no_request)?;
    if let Some((second, _)) = requests.next() {
        let because = "it has a second certification request".to_owned();
        return Err(unreadable(second, because, "give one at a time".to_owned()));
    }
    let refused = |it: X509Error| unreadable(line, it.to_string(), it.hint());
    let request = csr::Request::read(&der).map_err(refused)?;
    request.public_key().map_err(refused)?;
    Ok(request)
}

/// The order that a request makes: of what it says, its names alone, and those only when no others are
/// given.
fn of_request(wish: RequestWish, request: &csr::Request) -> Result<Order, Error> {
    let hosts = match wish.hosts.is_empty() {
        false => wish.hosts,
        true => request.hosts().map_err(|error| Error::Unreadable {
            path: wish.file.clone(),
            line: None,
            because: error.to_string(),
            hint: format!("{}; or give the names yourself: --host", error.hint()),
        })?,
    };
    let name = match wish.name {
        Some(name) => name,
        None => default_name(&hosts)?,
    };
    Ok(Order {
        name,
        role: wish.role,
        hosts,
        key_algorithm: None,
        lifetime: wish.lifetime,
    })
}

/// The first DNS name, if it can be the name of a certificate.
fn default_name(hosts: &[Host]) -> Result<EntryName, Error> {
    let first = hosts.iter().find_map(Host::as_dns);
    let name = first.map(|first| first.as_str().parse());
    match name {
        Some(Ok(name)) => Ok(name),
        Some(Err(invalid)) => Err(Error::Usage(Usage::NoName {
            invalid: Some(invalid),
        })),
        None => Err(Error::Usage(Usage::NoName { invalid: None })),
    }
}
