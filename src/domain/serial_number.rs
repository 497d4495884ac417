//! Serial numbers (RFC 5280 4.1.2.2).

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use super::error::Invalid;
use super::text::{Hex, serialize_as_text};

/// A positive serial number of at most 20 octets, without leading zeros.
///
/// zpki draws 16 random octets and never derives one from the key: a renewal keeps the key, and
/// two certificates with one serial number cannot be revoked apart.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SerialNumber(Vec<u8>);

serialize_as_text!(SerialNumber);

/// Octets that a serial number has at most (RFC 5280 4.1.2.2).
pub const MOST_OCTETS: usize = 20;

/// Octets of a serial number that zpki makes.
pub const RANDOM_OCTETS: usize = 16;

impl SerialNumber {
    /// A new serial number from random octets. The highest bit is cleared, for the number must be
    /// positive, and the next one set, so that each has the same length; 126 random bits remain.
    #[must_use]
    pub fn from_random(mut octets: [u8; RANDOM_OCTETS]) -> Self {
        octets[0] = octets[0] & 0x7f | 0x40;
        Self(octets.to_vec())
    }

    /// The serial number of an existing certificate: big-endian octets, leading zeros ignored.
    #[must_use]
    pub fn from_octets(octets: &[u8]) -> Self {
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        Self(octets[zeros..].to_vec())
    }

    /// Big-endian octets, without leading zeros.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for SerialNumber {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::SerialNumber {
            text: text.to_owned(),
        };
        let digits: String = text.chars().filter(|c| *c != ':').collect();
        let hexadecimal = digits.bytes().all(|b| b.is_ascii_hexdigit());
        if !hexadecimal || digits.is_empty() || digits.len() > 2 * MOST_OCTETS {
            return Err(invalid());
        }
        let even = if digits.len() % 2 == 1 {
            format!("0{digits}")
        } else {
            digits
        };
        let octets: Result<Vec<u8>, _> = (0..even.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&even[at..at + 2], 16))
            .collect();
        Ok(Self::from_octets(&octets.map_err(|_| invalid())?))
    }
}

/// Lower-case hexadecimal, at least 32 digits wide.
impl Display for SerialNumber {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for _ in self.0.len()..RANDOM_OCTETS {
            f.write_str("00")?;
        }
        Hex(&self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_serial_is_positive_and_of_one_width() {
        for random in [[0x00; 16], [0xff; 16]] {
            let serial = SerialNumber::from_random(random);
            assert_eq!(serial.octets().len(), 16);
            assert!((0x40..0x80).contains(&serial.octets()[0]));
            assert_eq!(serial.to_string().len(), 32);
        }
    }

    #[test]
    fn what_is_shown_reads_back() {
        let serial = SerialNumber::from_octets(&[0, 0, 1, 0xab]);
        assert_eq!(serial.to_string(), "000000000000000000000000000001ab");
        assert_eq!(serial.to_string().parse(), Ok(serial.clone()));
        assert_eq!("1:AB".parse(), Ok(serial));
        for bad in ["", "xyz", &"a".repeat(41)] {
            assert!(bad.parse::<SerialNumber>().is_err());
        }
    }
}
