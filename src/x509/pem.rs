//! PEM (RFC 7468): a scanner that loses no block, and the encoder.
//!
//! Bundles are made by hand, and readers that skip what they do not understand answer "all is well"
//! about a file whose last certificate was cut off. Here every BEGIN and every END line is
//! accounted for: each leads to a block or to an error that names its line, and one bad block does
//! not hide the ones after it. Text around blocks, byte order marks, CRLF, long lines and a missing
//! final newline are all fine.

use std::fmt::{self, Debug, Display, Formatter};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pem::{EncodeConfig, Pem};
use pkcs8::der::pem::encode_string;
use zeroize::Zeroizing;

use super::error::Error;
use super::kind;

mod line;
mod outline;

pub use outline::{Outline, outlines};

/// A PEM block, decoded.
pub struct Block {
    /// What stands after BEGIN, such as `CERTIFICATE`.
    pub label: String,
    /// The BEGIN line, counted from 1.
    pub line: usize,
    /// The END line.
    pub end_line: usize,
    /// The headers (RFC 1421 4.4) that encrypted keys of old have, such as `Proc-Type`.
    pub headers: Vec<(String, String)>,
    /// The decoded octets: wiped when dropped, for they may be a private key.
    pub contents: Zeroizing<Vec<u8>>,
    /// Why OpenSSL, and HAProxy with it, does not read this block, though zpki does.
    pub oddity: Option<Oddity>,
}

/// Something about a block that makes OpenSSL 3.0 refuse it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Oddity {
    /// A blank line among the base64.
    BlankLine,
    /// Lines end in a carriage return alone.
    CarriageReturn,
    /// The BEGIN line begins on the END line of another block, as when files without a final
    /// newline are put together; or something else follows the END line.
    Glued,
    /// Headers without a blank line after them.
    Headers,
    /// Its BEGIN or END line is indented.
    Indented,
}

/// Every block of `bytes`, or what is wrong with it, in the order of the file.
///
/// # Errors
/// An item is an error when a block was begun or ended and cannot be read whole; when the file is
/// UTF-16, or base64 without boundaries, that is the only item.
#[must_use]
pub fn scan(bytes: &[u8]) -> Vec<Result<Block, Error>> {
    if is_utf_16(bytes) {
        return vec![Err(Error::PemUtf16)];
    }
    let found: Vec<_> = outlines(bytes).map(|outline| read(&outline)).collect();
    if found.is_empty() && is_bare_base64(bytes) {
        return vec![Err(Error::PemWithoutBoundaries)];
    }
    found
}

/// Decodes a block that may be a private key.
fn read(outline: &Outline<'_>) -> Result<Block, Error> {
    if let Some(error) = outline.flaw() {
        return Err(error);
    }
    let mut characters = Zeroizing::new(Vec::new());
    let mut contents = Zeroizing::new(Vec::new());
    outline.decode_into(&mut characters, &mut contents)?;
    Ok(Block {
        label: outline.label.to_owned(),
        line: outline.line,
        end_line: outline.end_line,
        headers: outline.headers.clone(),
        contents,
        oddity: outline.oddity,
    })
}

/// A PEM block of something public: LF, 64 columns (RFC 7468 3).
#[must_use]
pub fn encode(label: &str, der: &[u8]) -> String {
    let config = EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&Pem::new(label, der), config)
}

/// A PEM block of a private key, in the same form. This encoder makes no second copy of the key, and
/// its time tells nothing about it.
///
/// # Panics
/// Never: a label that is a constant is a valid one, and no DER comes near the largest `usize`.
#[must_use]
pub fn encode_secret(label: &'static str, der: &[u8]) -> Zeroizing<String> {
    let text = encode_string(label, pkcs8::LineEnding::LF, der);
    Zeroizing::new(text.expect("the label is a valid constant"))
}

/// Octets as base64 on one line, which may be a private key: no second copy is made.
///
/// # Panics
/// Never: base64 has four characters for three octets, and all of them are ASCII.
#[must_use]
pub fn base64(octets: &[u8]) -> Zeroizing<String> {
    let mut text = vec![0; octets.len().div_ceil(3) * 4];
    let written = STANDARD.encode_slice(octets, &mut text);
    assert_eq!(written, Ok(text.len()), "there is room for all");
    Zeroizing::new(String::from_utf8(text).expect("base64 is ASCII"))
}

impl Block {
    /// Why HAProxy and servers refuse the block; None when they read it. A key may have headers, and
    /// nothing else may (measured with HAProxy 2.6; `openssl x509` of 3.0 takes them).
    #[must_use]
    pub fn refused(&self) -> Option<Error> {
        let has_headers = !self.headers.is_empty() && !self.label.ends_with("PRIVATE KEY");
        let headers = has_headers.then_some("it has headers");
        let because = self.oddity.map(Oddity::because).or(headers)?;
        Some(Error::PemRefused {
            label: self.label.clone(),
            line: self.line,
            because,
        })
    }
}

impl Debug for Block {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block")
            .field("label", &self.label)
            .field("line", &self.line)
            .field("end_line", &self.end_line)
            .field("oddity", &self.oddity)
            .finish_non_exhaustive()
    }
}

impl Oddity {
    /// It in words, of the block as `it`.
    #[must_use]
    pub fn because(self) -> &'static str {
        match self {
            Self::BlankLine => "it has a blank line among the base64",
            Self::CarriageReturn => "its lines end in a carriage return alone",
            Self::Glued => "its END line goes on, or it begins on the END line of another block",
            Self::Headers => "no blank line follows its headers",
            Self::Indented => "its BEGIN or END line is indented",
        }
    }
}

impl Display for Oddity {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.because())
    }
}

fn is_utf_16(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'-', 0, ..] | [0, b'-', ..]
    )
}

/// Without a byte order mark.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// What is wrong with a file in which nothing was found and that should have been PEM: UTF-16, or
/// the base64 of something that begins as a certificate or a CRL does.
#[must_use]
pub fn not_pem(bytes: &[u8]) -> Option<Error> {
    if has_utf_16(bytes) {
        return Some(Error::PemUtf16);
    }
    let is_dated = is_bare_base64(bytes) && begins_as_dated(without_mark(bytes).trim_ascii());
    is_dated.then_some(Error::PemWithoutBoundaries)
}

/// Whether a block of PEM in UTF-16 begins somewhere.
#[must_use]
pub fn has_utf_16(bytes: &[u8]) -> bool {
    /// In either byte order.
    const BEGIN: &[u8] = b"-\0-\0-\0-\0-\0B\0E\0G\0I\0N";
    // No other text has a NUL, which is found faster.
    memchr::memchr(0, bytes).is_some() && memchr::memmem::find(bytes, BEGIN).is_some()
}

/// Whether base64 begins as a certificate or a CRL does. Where a private key has its version they
/// have a SEQUENCE: of a key, no more than that is decoded.
fn begins_as_dated(base64: &[u8]) -> bool {
    let octets = |count| STANDARD.decode(base64.get(..count)?).ok();
    octets(8).is_some_and(|octets| kind::is_nested(&octets))
        && octets(16).is_some_and(|octets| kind::may_be_dated(&octets))
}

/// Whether this is DER (`MI` is how its first octets look) in base64, and nothing else.
fn is_bare_base64(bytes: &[u8]) -> bool {
    let text = without_mark(bytes).trim_ascii();
    text.starts_with(b"MI")
        && text.len() >= 64
        && text
            .iter()
            .all(|octet| outline::is_base64(octet) || matches!(octet, b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::domain::key_algorithm::KeyAlgorithm;
    use crate::x509::private_key::PrivateKey;
    use crate::x509::testing::openssl_succeeds;

    use super::*;

    const A: &str = "-----BEGIN A-----\nAAECAwQF\nBgcICQ==\n-----END A-----\n";
    const B: &str = "-----BEGIN B-----\n/////w==\n-----END B-----\n";

    /// One line for each item: what it is, and where.
    fn told(text: impl AsRef<[u8]>) -> Vec<String> {
        let tell = |item| match item {
            Ok(Block {
                label,
                line,
                end_line,
                contents,
                oddity,
                ..
            }) => {
                let decoded: &[u8] = if label == "A" {
                    &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
                } else {
                    &[0xff; 4]
                };
                assert_eq!(*contents, decoded);
                let oddity = oddity
                    .map(|oddity| format!(" {oddity:?}"))
                    .unwrap_or_default();
                format!("{label} {line}-{end_line}{oddity}")
            }
            Err(error) => match Error::line(&error) {
                Some(line) => format!("{line}: {error}"),
                None => error.to_string(),
            },
        };
        scan(text.as_ref()).into_iter().map(tell).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let text = encode("CERTIFICATE", &[7; 100]);
        assert_eq!(
            text,
            "-----BEGIN CERTIFICATE-----\n\
             BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n\
             BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n\
             BwcHBw==\n\
             -----END CERTIFICATE-----\n"
        );
        let blocks = scan(text.as_bytes());
        let [Ok(block)] = &blocks[..] else {
            panic!("{blocks:?}")
        };
        assert_eq!(*block.contents, [7; 100]);
    }

    #[test]
    fn a_block_is_not_shown() {
        let blocks = scan(A.as_bytes());
        assert_eq!(
            format!("{:?}", blocks[0]),
            r#"Ok(Block { label: "A", line: 1, end_line: 4, oddity: None, .. })"#
        );
    }

    #[test]
    fn text_around_blocks_is_skipped() {
        assert_eq!(
            told(format!("Bag Attributes\n  x: y\n{A}text\n\n{B}more")),
            ["A 3-6", "B 9-11"]
        );
        assert_eq!(
            told(b"\xfc\xff\n-----BEGIN B-----\n/////w==\n-----END B-----"),
            ["B 2-4"]
        );
        assert_eq!(
            told(format!("use -----BEGIN A----- to start\n{B}")),
            ["B 2-4"]
        );
    }

    #[test]
    fn a_file_without_blocks_has_no_items() {
        assert!(told("").is_empty());
        assert!(told(" \n\t\r\n").is_empty());
        assert!(told("text\n").is_empty());
        assert!(told(A.to_lowercase()).is_empty());
    }

    #[test]
    fn line_ends_do_not_matter() {
        assert_eq!(told(A.replace('\n', "\r\n")), ["A 1-4"]);
        assert_eq!(told(A.trim_end()), ["A 1-4"]);
        assert_eq!(told(A.replace('\n', "  \t\n")), ["A 1-4"]);
        assert_eq!(told(A.replace('\n', "\r")), ["A 1-4 CarriageReturn"]);
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        assert_eq!(told(format!("\u{feff}{A}")), ["A 1-4"]);
    }

    #[test]
    fn lines_may_have_any_length() {
        assert_eq!(told(A.replace("\nB", "B")), ["A 1-3"]);
        let der = vec![7; 2_000_000];
        let text = encode("HUGE", &der)
            .replace('\n', "")
            .replace("E-----", "E-----\n");
        let text = text.replace("-----END", "\n-----END");
        let blocks = scan(text.as_bytes());
        assert_eq!(*blocks[0].as_ref().unwrap().contents, der);
    }

    #[test]
    fn blanks_and_blank_lines_are_skipped() {
        assert_eq!(told(A.replace("\nBg", "\n\n  Bg c")).len(), 1);
        assert_eq!(told(A.replace("\nBg", "\n\nBg")), ["A 1-5 BlankLine"]);
        assert_eq!(told(A.replace("\nAAE", "\n\nAA E")), ["A 1-5"]);
    }

    #[test]
    fn headers_are_kept() {
        let text = A.replace(
            "\nAA",
            "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,\n  0123\n\nAA",
        );
        let blocks = scan(text.as_bytes());
        let block = blocks[0].as_ref().unwrap();
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            block.headers,
            [
                header("Proc-Type", "4,ENCRYPTED"),
                header("DEK-Info", "AES-256-CBC,0123")
            ]
        );
        assert_eq!(
            (block.line, block.end_line, block.contents.len()),
            (1, 8, 10)
        );
        assert_eq!(told(A.replace("\nAA", "\nX: y\nAA")), ["A 1-5 Headers"]);
    }

    #[test]
    fn an_indented_block_is_found() {
        assert_eq!(
            told(A.replace("-----BEGIN", "  -----BEGIN")),
            ["A 1-4 Indented"]
        );
        assert_eq!(
            told(A.replace("-----END", "\t-----END")),
            ["A 1-4 Indented"]
        );
        assert_eq!(told(format!("\0{A}")).len(), 1);
    }

    #[test]
    fn glued_blocks_are_both_found() {
        assert_eq!(
            told(format!("{}{B}", A.trim_end())),
            ["A 1-4 Glued", "B 4-6 Glued"]
        );
        assert_eq!(
            told(A.replace("END A-----", "END A-----x")),
            ["A 1-4 Glued"]
        );
    }

    #[test]
    fn a_truncated_last_block_is_an_error() {
        assert_eq!(
            told(format!("{B}-----BEGIN A-----\nAAEC")),
            ["B 1-3", "4: the PEM block `A` has no END line"]
        );
        assert_eq!(
            told("-----BEGIN A-----"),
            ["1: the PEM block `A` has no END line"]
        );
        assert_eq!(
            told(A.replace("END A-----", "END A--")),
            ["4: the PEM block `A` is not base64"]
        );
    }

    #[test]
    fn a_block_within_a_truncated_one_is_found() {
        assert_eq!(
            told(format!("-----BEGIN A-----\nAAEC\n{B}")),
            ["1: the PEM block `A` has no END line", "B 3-5"]
        );
    }

    #[test]
    fn bad_base64_names_its_line_and_hides_nothing() {
        let bad = A.replace("\nBg", "\nB!");
        assert_eq!(
            told(format!("{bad}{B}")),
            ["3: the PEM block `A` is not base64", "B 5-7"]
        );
        let comment = A.replace("AwQF", "AwQF # comment");
        assert_eq!(told(comment), ["2: the PEM block `A` is not base64"]);
        let unpadded = A.replace("==", "=");
        assert_eq!(told(unpadded), ["3: the PEM block `A` is not base64"]);
    }

    #[test]
    fn an_end_line_must_match() {
        assert_eq!(
            told(format!("{}{B}", A.replace("END A", "END X"))),
            ["4: the PEM block `A` ends as `X`", "B 5-7"]
        );
    }

    #[test]
    fn an_end_line_alone_is_an_error() {
        assert_eq!(
            told(A.replace("-----BEGIN", "----BEGIN")),
            ["4: the PEM block `A` has an END line and no BEGIN line"]
        );
    }

    #[test]
    fn an_empty_block_is_an_error() {
        assert_eq!(
            told("-----BEGIN A-----\n\n-----END A-----\n"),
            ["1: the PEM block `A` is empty"]
        );
    }

    #[test]
    fn a_block_on_one_line_is_one_error() {
        let message = "1: the BEGIN line of the PEM block `A` goes on after its dashes";
        assert_eq!(
            told(format!("{}\n{B}", A.replace('\n', r"\n"))),
            [message, "B 2-4"]
        );
        assert_eq!(told(A.replace('\n', "")), [message]);
        assert_eq!(told(A.replace("BEGIN A-----", "BEGIN A-----x")), [message]);
    }

    #[test]
    fn base64_alone_and_utf_16_are_errors() {
        let bare = encode("A", &[0x30, 0x82, 0x03, 0x00].repeat(20))
            .lines()
            .collect::<Vec<_>>()[1..2]
            .join("");
        assert_eq!(
            told(&bare),
            ["the file is base64 without BEGIN and END lines"]
        );
        let utf_16 = |text: &str| {
            text.encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<_>>()
        };
        assert_eq!(told(utf_16(A)), ["the file is UTF-16"]);
        assert_eq!(
            told(utf_16(&format!("\u{feff}{A}"))),
            ["the file is UTF-16"]
        );
    }

    #[test]
    fn a_terminal_sees_no_control_characters() {
        let text = "-----BEGIN A\u{202e}-----\n-----END A-----\n";
        assert_eq!(told(text), [r"2: the PEM block `A\u{202e}` ends as `A`"]);
        assert_eq!(
            told("-----BEGIN A\u{1b}-----\n-----END A-----\n"),
            ["2: the PEM block `A` has an END line and no BEGIN line"]
        );
    }

    #[test]
    fn openssl_agrees_on_what_is_odd() {
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256)
            .unwrap()
            .public_key_pem();
        let end = "-----END PUBLIC KEY-----";
        let shapes = [
            key.clone(),
            format!("\u{feff}{key}"),
            format!("text\n{key}"),
            format!("{end}x\n{key}"),
            key.replace('\n', "\r\n"),
            key.replace('\n', " \n"),
            key.replace('\n', "\r"),
            key.trim_end().to_owned(),
            key.replacen("\nM", "\n\nM", 1),
            key.replacen("\nM", "\nX: y\n\nM", 1),
            key.replacen("\nM", "\nX: y\nM", 1),
            key.replace("==\n", "==\n\n"),
            key.replacen("\nM", "\n  M", 1),
            key.replace("-----BEGIN", " -----BEGIN"),
            key.replace("-----END", " -----END"),
            key.replace(end, &format!("{end}x")),
            format!("{}{key}", key.trim_end()),
        ];
        for text in shapes {
            let blocks = scan(text.as_bytes());
            let block = blocks.iter().flatten().next().unwrap();
            let read = openssl_succeeds(&["pkey", "-pubin", "-noout"], text.as_bytes());
            assert_eq!(
                block.oddity.is_none(),
                read,
                "{:?} in {text:?}",
                block.oddity
            );
        }
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(bytes: Vec<u8>) {
            let _ = scan(&bytes);
        }

        #[test]
        fn no_boundary_is_lost(parts in prop::collection::vec(0..PARTS.len(), 0..12)) {
            let text: String = parts.iter().map(|part| PARTS[*part]).collect();
            let blocks = scan(text.as_bytes());
            let begins = text.matches("-----BEGIN").count();
            prop_assert!(blocks.len() >= begins, "{blocks:?} in {text:?}");
        }
    }

    /// What files are made of, more or less.
    const PARTS: &[&str] = &[
        A,
        B,
        "-----BEGIN A-----\n",
        "-----END A-----\n",
        "AAEC\n",
        "\n",
        "-----\n",
        "X: y\n",
        " ",
        "\r",
    ];
}
