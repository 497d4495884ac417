//! Public key algorithms (RFC 5280 4.1.2.7) that zpki makes keys of.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use super::error::Invalid;
use super::text::serialize_as_text;

/// A key algorithm with its parameters.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum KeyAlgorithm {
    /// NIST P-256: the default. Every HAProxy, OpenSSL and Python in use takes it, and it is the
    /// fastest to sign with.
    #[default]
    EcdsaP256,
    /// NIST P-384.
    EcdsaP384,
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// RSA, 2048 bits: the least that OpenSSL's security level 2 takes.
    Rsa2048,
    /// RSA, 3072 bits.
    Rsa3072,
    /// RSA, 4096 bits.
    Rsa4096,
}

serialize_as_text!(KeyAlgorithm);

impl KeyAlgorithm {
    /// Every algorithm, in the order of the documentation.
    pub const ALL: [Self; 6] = [
        Self::EcdsaP256,
        Self::EcdsaP384,
        Self::Ed25519,
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
    ];

    /// The words for them, in the same order.
    pub const NAMES: &'static [&'static str] = &[
        "ecdsa-p256",
        "ecdsa-p384",
        "ed25519",
        "rsa-2048",
        "rsa-3072",
        "rsa-4096",
    ];

    /// Whether TLS key exchange may encrypt to the key: keyEncipherment is for RSA only.
    #[must_use]
    pub fn is_rsa(self) -> bool {
        self.rsa_bits().is_some()
    }

    /// The length of the modulus, in bits, for RSA.
    #[must_use]
    pub fn rsa_bits(self) -> Option<usize> {
        match self {
            Self::EcdsaP256 | Self::EcdsaP384 | Self::Ed25519 => None,
            Self::Rsa2048 => Some(2048),
            Self::Rsa3072 => Some(3072),
            Self::Rsa4096 => Some(4096),
        }
    }
}

impl FromStr for KeyAlgorithm {
    type Err = Invalid;

    fn from_str(value: &str) -> Result<Self, Invalid> {
        let index = Self::NAMES.iter().position(|name| *name == value);
        index
            .map(|index| Self::ALL[index])
            .ok_or_else(|| Invalid::Choice {
                what: "key algorithm",
                value: value.to_owned(),
                choices: Self::NAMES,
            })
    }
}

impl Display for KeyAlgorithm {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EcdsaP256 => "ecdsa-p256",
            Self::EcdsaP384 => "ecdsa-p384",
            Self::Ed25519 => "ed25519",
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa3072 => "rsa-3072",
            Self::Rsa4096 => "rsa-4096",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for algorithm in KeyAlgorithm::ALL {
            assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
        }
    }

    #[test]
    fn a_misspelt_name_gets_a_suggestion() {
        let error = "ecdsa-p265".parse::<KeyAlgorithm>().unwrap_err();
        assert_eq!(error.to_string(), "unknown key algorithm `ecdsa-p265`");
        assert_eq!(
            error.hint(),
            "did you mean `ecdsa-p256`?  one of: ecdsa-p256, ecdsa-p384, ed25519, rsa-2048, rsa-3072, rsa-4096"
        );
    }
}
