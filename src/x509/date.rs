//! Time (RFC 5280 4.1.2.5), read as leniently as X.680 46 and 47 write it: seconds may be missing, a
//! UTCTime may have an offset, a GeneralizedTime a fraction too. OpenSSL shows a date that is none
//! as `Bad time value` and answers `-checkend` with success, so that here it is an error in words.

use time::{Date, Month};

pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;

const DAY: i64 = 86_400;
/// Of 1970-01-01.
const JULIAN_DAY: i64 = 2_440_588;

/// Seconds since 1970 (UTC), negative before. Fractions are cut, a leap second is the second before
/// it.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn seconds(tag: u8, octets: &[u8]) -> Result<i64, &'static str> {
    let mut rest = Rest(octets);
    let year = match tag {
        UTC_TIME => match rest.pair()? {
            year @ 50.. => 1900 + year,
            year => 2000 + year,
        },
        GENERALIZED_TIME => rest.pair()? * 100 + rest.pair()?,
        _ => return Err("it is neither a UTCTime nor a GeneralizedTime"),
    };
    let (month, day) = (rest.pair()?, rest.pair()?);
    let (hour, minute) = (rest.pair()?, rest.pair()?);
    let second = if rest.is_at_digit() { rest.pair()? } else { 0 };
    if tag == GENERALIZED_TIME {
        rest.skip_fraction()?;
    }
    let offset = rest.offset()?;
    if hour > 23 || minute > 59 || second > 60 {
        return Err("a day has no such time");
    }
    let days = day_of(year, month, day).ok_or("the calendar has no such day")?;
    let time = i64::from(hour * 60 + minute) * 60 + i64::from(second.min(59));
    Ok(days * DAY + time - offset)
}

/// Days since 1970.
fn day_of(year: u32, month: u32, day: u32) -> Option<i64> {
    let month = Month::try_from(month as u8).ok()?;
    let date = Date::from_calendar_date(year as i32, month, day as u8).ok()?;
    Some(i64::from(date.to_julian_day()) - JULIAN_DAY)
}

struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    /// A number of two digits.
    fn pair(&mut self) -> Result<u32, &'static str> {
        match self.0 {
            [tens @ b'0'..=b'9', ones @ b'0'..=b'9', rest @ ..] => {
                self.0 = rest;
                Ok(u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
            }
            [] => Err("it is too short"),
            _ => Err("it has something else where digits should be"),
        }
    }

    fn is_at_digit(&self) -> bool {
        self.0.first().is_some_and(u8::is_ascii_digit)
    }

    fn skip_fraction(&mut self) -> Result<(), &'static str> {
        let [b'.' | b',', fraction @ ..] = self.0 else {
            return Ok(());
        };
        self.0 = fraction;
        if !self.is_at_digit() {
            return Err("its fraction has no digits");
        }
        let is_other = |octet: &u8| !octet.is_ascii_digit();
        let length = fraction.iter().position(is_other);
        self.0 = &fraction[length.unwrap_or(fraction.len())..];
        Ok(())
    }

    /// Seconds east of Greenwich; nothing may be behind.
    fn offset(&mut self) -> Result<i64, &'static str> {
        let sign = match self.0 {
            [b'Z'] => return Ok(0),
            [] => return Err("it names no time zone: Z is missing"),
            [b'+', ..] => 1,
            [b'-', ..] => -1,
            _ => return Err("it goes on where Z should be its end"),
        };
        self.0 = &self.0[1..];
        let (hours, minutes) = (self.pair()?, self.pair()?);
        if hours > 23 || minutes > 59 || !self.0.is_empty() {
            return Err("its offset is none");
        }
        Ok(sign * i64::from(hours * 60 + minutes) * 60)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use x509_parser::prelude::{ASN1Time, FromDer as _};

    use super::super::der::wrapped;
    use super::*;

    fn utc(text: &str) -> Result<i64, &'static str> {
        seconds(UTC_TIME, text.as_bytes())
    }

    fn generalized(text: &str) -> Result<i64, &'static str> {
        seconds(GENERALIZED_TIME, text.as_bytes())
    }

    #[test]
    fn every_form_is_read() {
        assert_eq!(utc("700101000000Z"), Ok(0));
        assert_eq!(utc("691231235959Z"), Ok(-1));
        assert_eq!(utc("491231235959Z"), Ok(2_524_607_999));
        assert_eq!(utc("500101000000Z"), Ok(-631_152_000));
        assert_eq!(utc("7001010000Z"), Ok(0));
        assert_eq!(utc("700101000000+0100"), Ok(-3600));
        assert_eq!(utc("7001010000-0030"), Ok(1800));
        assert_eq!(generalized("19700101000000Z"), Ok(0));
        assert_eq!(generalized("19700101000000.999Z"), Ok(0));
        assert_eq!(generalized("19700101000000,123456789Z"), Ok(0));
        assert_eq!(generalized("197001010000-2359"), Ok(86_340));
        assert_eq!(generalized("99991231235959Z"), Ok(253_402_300_799));
        assert_eq!(generalized("99991231235959-2359"), Ok(253_402_387_139));
        assert_eq!(generalized("00000101000000Z"), Ok(-62_167_219_200));
        assert_eq!(generalized("00010101000000Z"), Ok(-62_135_596_800));
        assert_eq!(generalized("20280229000000Z"), Ok(1_835_395_200));
    }

    #[test]
    fn a_leap_second_is_the_second_before_it() {
        assert_eq!(utc("161231235960Z"), utc("161231235959Z"));
        assert!(utc("161231235961Z").is_err());
    }

    #[test]
    fn what_is_no_date_is_told_why() {
        for (text, because) in [
            ("", "it is too short"),
            ("2711", "it is too short"),
            ("27112", "it has something else where digits should be"),
            (
                "27112609000xZ",
                "it has something else where digits should be",
            ),
            (
                "-71126090000Z",
                "it has something else where digits should be",
            ),
            ("271126090000", "it names no time zone: Z is missing"),
            ("271126090000z", "it goes on where Z should be its end"),
            ("271126090000ZZ", "it goes on where Z should be its end"),
            ("271126090000.5Z", "it goes on where Z should be its end"),
            ("271126090000+2400", "its offset is none"),
            ("271126090000+0160", "its offset is none"),
            ("271126090000+01000", "its offset is none"),
            ("270230090000Z", "the calendar has no such day"),
            ("270229090000Z", "the calendar has no such day"),
            ("271301090000Z", "the calendar has no such day"),
            ("270001090000Z", "the calendar has no such day"),
            ("270100090000Z", "the calendar has no such day"),
            ("271126240000Z", "a day has no such time"),
            ("271126096000Z", "a day has no such time"),
        ] {
            assert_eq!(utc(text), Err(because), "{text:?}");
        }
        assert!(generalized("21000229000000Z").is_err());
        assert!(generalized("120271126090000Z").is_err());
        assert!(generalized("20271126090000.Z").is_err());
        assert!(generalized("20271126090000").is_err());
        assert!(seconds(0x13, b"271126090000Z").is_err());
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(tag: u8, octets: Vec<u8>) {
            let _ = seconds(tag, &octets);
        }

        /// x509-parser takes -0030 for +0030, and a GeneralizedTime without Z.
        #[test]
        fn x509_parser_reads_the_same(text in "(19|20)?[0-9]{2}(0[1-9]|1[0-2])[0-3][0-9][0-2][0-9]{5}(Z|[+-](0[1-9]|1[0-4])[0-5][0-9])") {
            for tag in [UTC_TIME, GENERALIZED_TIME] {
                let der = wrapped(tag, &[text.as_bytes()]);
                if let Ok((_, date)) = ASN1Time::from_der(&der) {
                    prop_assert_eq!(seconds(tag, text.as_bytes()), Ok(date.timestamp()));
                }
            }
        }
    }
}
