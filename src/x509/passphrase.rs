//! Passphrases of private keys.

use std::fmt::{self, Debug, Formatter};

use zeroize::Zeroizing;

use super::error::Error;

/// A passphrase: not empty, wiped from memory when dropped, and never shown.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// A passphrase, taken as it is: blanks count.
    ///
    /// # Errors
    /// [`Error::PassphraseEmpty`]: what is encrypted with an empty one only looks protected.
    pub fn new(text: Zeroizing<String>) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::PassphraseEmpty);
        }
        Ok(Self(text))
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    pub(super) fn octets(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Debug for Passphrase {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_passphrase_is_refused() {
        let error = Passphrase::new(Zeroizing::default()).unwrap_err();
        assert_eq!(error.to_string(), "the passphrase is empty");
    }

    #[test]
    fn it_is_not_shown() {
        let passphrase = Passphrase::new(Zeroizing::new("secret".to_owned())).unwrap();
        assert_eq!(format!("{passphrase:?}"), "Passphrase(..)");
    }
}
