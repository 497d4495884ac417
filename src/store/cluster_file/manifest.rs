//! A manifest: many certificates that are asked for in one file, as TOML or CSV.
//!
//! Read as zpki.toml is: whatever is wrong is reported in one run, each thing with its line.

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use toml::de::DeTable;

use crate::domain::cluster::MisfitReason;
use crate::domain::error::Invalid;
use crate::domain::host::Host;
use crate::domain::name::EntryName;
use crate::domain::order::{Order, Refusal};
use crate::domain::text::Quoted;

use super::problem::{Found, Lines, Problem, Reason, in_line_order, not_utf8, shown};
use super::schema::CERTIFICATE;
use super::section::{Section, check_tables};
use super::syntax;

/// The columns of a manifest that is CSV, in this order.
const COLUMNS: [&str; 3] = ["name", "role", "hosts"];

/// An order of a manifest, and where it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listed {
    /// The order.
    pub order: Order,
    line: usize,
    source: String,
}

/// What is wrong with a manifest, besides what can be wrong with any TOML.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fault {
    /// Text behind the end of a quoted field.
    BehindQuote,
    /// A line with more or fewer fields than the first.
    Fields {
        /// How many it has.
        found: usize,
    },
    /// The first line does not name the columns.
    Header,
    /// Nothing is asked for.
    Nothing,
    /// The cluster cannot fulfil it.
    Refused(Refusal),
    /// A quotation mark within a field that is not quoted.
    StrayQuote,
    /// A key or table that a manifest does not have.
    Unknown {
        /// Its name.
        name: String,
    },
    /// A quoted field that does not end.
    Unclosed,
}

impl Listed {
    /// The problem that the cluster has with it.
    #[must_use]
    pub fn refused(&self, refusal: Refusal) -> Problem {
        Problem {
            line: Some(self.line),
            source: Some(self.source.clone()),
            reason: Reason::Manifest(Fault::Refused(refusal)),
        }
    }
}

/// Reads a manifest: `[[certificate]]` with `name`, `role` and `hosts`, and perhaps `key_algorithm` and
/// `lifetime`.
///
/// # Errors
/// Every problem of the file, in line order.
pub fn parse_toml(bytes: &[u8]) -> Result<Vec<Listed>, Vec<Problem>> {
    let text = std::str::from_utf8(bytes).map_err(|_| not_utf8(bytes))?;
    let in_order = |found| in_line_order(text, found);
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(in_order(syntax(text, &errors)));
    }
    let root = document.get_ref();
    let mut found = Vec::new();
    check_tables(root, &[&CERTIFICATE], &mut found, |name| {
        Reason::Manifest(Fault::Unknown { name })
    });
    let orders = Section::each(root, &CERTIFICATE, &mut found, order);
    finish(text, orders, found)
}

/// Reads a manifest: the first line is `name,role,hosts`, hosts are separated by spaces, fields are quoted
/// as RFC 4180 has it.
///
/// # Errors
/// Every problem of the file, in line order.
pub fn parse_csv(bytes: &[u8]) -> Result<Vec<Listed>, Vec<Problem>> {
    let text = std::str::from_utf8(bytes).map_err(|_| not_utf8(bytes))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut found = Vec::new();
    let mut orders = Vec::new();
    let mut records = Records { text, at: 0 };
    let header = records.next();
    let is_header = matches!(&header, Some((_, Ok(fields))) if *fields == COLUMNS);
    if let (Some((at, _)), false) = (&header, is_header) {
        found.push(fault(*at, Fault::Header));
    }
    for (at, fields) in records {
        match fields.and_then(three) {
            Ok(fields) => orders.extend(row(at, &fields, &mut found)),
            Err(fault) => found.push(Found {
                at: Some(at),
                reason: Reason::Manifest(fault),
            }),
        }
    }
    finish(text, orders, found)
}

fn order(table: &mut Section<'_>) -> Option<(usize, Order)> {
    // Each value is read before the first that is missing ends this.
    let name = table.required("name");
    let role = table.required("role");
    let hosts = table.list("hosts", str::parse);
    let key_algorithm = table.value("key_algorithm");
    let lifetime = table.value("lifetime");
    let order = Order {
        name: name?,
        role: role?,
        hosts,
        key_algorithm,
        lifetime,
    };
    Some((table.place("name")?, order))
}

fn row(at: usize, fields: &[String; 3], found: &mut Vec<Found>) -> Option<(usize, Order)> {
    let [name, role, hosts] = fields;
    let name = value(at, name, found);
    let role = value(at, role, found);
    let hosts = hosts.split_whitespace();
    let hosts: Vec<Option<Host>> = hosts.map(|host| value(at, host, found)).collect();
    let order = Order {
        name: name?,
        role: role?,
        hosts: hosts.into_iter().flatten().collect(),
        key_algorithm: None,
        lifetime: None,
    };
    Some((at, order))
}

fn value<T: FromStr<Err = Invalid>>(at: usize, text: &str, found: &mut Vec<Found>) -> Option<T> {
    let refused = |invalid| {
        found.push(Found {
            at: Some(at),
            reason: Reason::Value(invalid),
        });
    };
    text.parse().map_err(refused).ok()
}

fn three(fields: Vec<String>) -> Result<[String; 3], Fault> {
    fields
        .try_into()
        .map_err(|fields: Vec<String>| Fault::Fields {
            found: fields.len(),
        })
}

/// The orders, if nothing was found that is wrong with them.
fn finish(
    text: &str,
    orders: Vec<(usize, Order)>,
    mut found: Vec<Found>,
) -> Result<Vec<Listed>, Vec<Problem>> {
    found.extend(duplicates(&orders));
    if orders.is_empty() && found.is_empty() {
        found.push(Found {
            at: None,
            reason: Reason::Manifest(Fault::Nothing),
        });
    }
    if !found.is_empty() {
        return Err(in_line_order(text, found));
    }
    let lines = Lines::of(text);
    let listed = orders.into_iter().map(|(at, order)| {
        let line = lines.number(at);
        Listed {
            order,
            line,
            source: shown(lines.text(line)),
        }
    });
    Ok(listed.collect())
}

fn duplicates(orders: &[(usize, Order)]) -> Vec<Found> {
    let mut seen: HashMap<String, &EntryName> = HashMap::with_capacity(orders.len());
    let mut found = Vec::new();
    for (at, Order { name, .. }) in orders {
        if let Some(other) = seen.insert(name.as_str().to_ascii_lowercase(), name) {
            let reason = MisfitReason::DuplicateName {
                name: name.clone(),
                other: other.clone(),
            };
            found.push(fault(*at, Fault::Refused(Refusal::Misfit(reason))));
        }
    }
    found
}

fn fault(at: usize, fault: Fault) -> Found {
    Found {
        at: Some(at),
        reason: Reason::Manifest(fault),
    }
}

/// The records of a CSV file, each with its place; empty lines are none.
struct Records<'a> {
    text: &'a str,
    at: usize,
}

impl Iterator for Records<'_> {
    type Item = (usize, Result<Vec<String>, Fault>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = &self.text[self.at..];
            let line_end = ["\r\n", "\n"].into_iter().find(|end| rest.starts_with(end));
            match line_end {
                Some(end) => self.at += end.len(),
                None if rest.is_empty() => return None,
                None => break,
            }
        }
        let start = self.at;
        let mut fields = Vec::new();
        loop {
            match self.field() {
                Ok(field) => fields.push(field),
                Err(fault) => {
                    self.skip_line();
                    return Some((start, Err(fault)));
                }
            }
            match self.text[self.at..].strip_prefix(',') {
                Some(_) => self.at += 1,
                None => break,
            }
        }
        self.skip_line();
        Some((start, Ok(fields)))
    }
}

impl Records<'_> {
    /// One field, up to the comma or the end of the line.
    fn field(&mut self) -> Result<String, Fault> {
        let rest = &self.text[self.at..];
        let Some(quoted) = rest.strip_prefix('"') else {
            let length = rest.find([',', '\n']).unwrap_or(rest.len());
            let field = &rest[..length];
            self.at += length;
            let field = match rest[length..].starts_with(',') {
                true => field,
                false => field.strip_suffix('\r').unwrap_or(field),
            };
            return match field.contains('"') {
                true => Err(Fault::StrayQuote),
                false => Ok(field.to_owned()),
            };
        };
        let mut field = String::new();
        let mut rest = quoted;
        loop {
            let end = rest.find('"').ok_or(Fault::Unclosed)?;
            field += &rest[..end];
            rest = &rest[end + 1..];
            match rest.strip_prefix('"') {
                Some(after) => {
                    field.push('"');
                    rest = after;
                }
                None => break,
            }
        }
        self.at = self.text.len() - rest.len();
        let is_over = rest.is_empty() || [",", "\n", "\r\n"].iter().any(|it| rest.starts_with(it));
        match is_over {
            true => Ok(field),
            false => Err(Fault::BehindQuote),
        }
    }

    fn skip_line(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.find('\n').map_or(rest.len(), |end| end + 1);
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::BehindQuote => f.write_str("text behind the end of a quoted field"),
            Self::Fields { found } => write!(f, "expected 3 fields, found {found}"),
            Self::Header => f.write_str("the first line is not name,role,hosts"),
            Self::Nothing => f.write_str("it asks for no certificate"),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::StrayQuote => f.write_str("a quotation mark within a field that is not quoted"),
            Self::Unknown { name } => {
                write!(f, "unknown {} outside of [[certificate]]", Quoted(name))
            }
            Self::Unclosed => f.write_str("a quoted field does not end"),
        }
    }
}

impl Fault {
    pub(super) fn hint(&self) -> String {
        match self {
            Self::BehindQuote | Self::StrayQuote | Self::Unclosed => {
                "quote the whole field, and write a quotation mark in it twice".to_owned()
            }
            Self::Fields { .. } => {
                "a line is name,role,hosts; several hosts are separated by spaces".to_owned()
            }
            Self::Header => "begin with the line: name,role,hosts".to_owned(),
            Self::Nothing => {
                "give a [[certificate]] with name, role and hosts for each, or in a file named .csv lines of name,role,hosts".to_owned()
            }
            Self::Refused(refusal) => refusal.hint(),
            Self::Unknown { .. } => {
                "a manifest has a [[certificate]] for each certificate, and nothing else".to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::text::joined;

    fn orders(read: Result<Vec<Listed>, Vec<Problem>>) -> Vec<String> {
        let listed = read.unwrap().into_iter().map(|Listed { order, .. }| {
            let mut text = format!(
                "{} {} {}",
                order.name,
                order.role,
                joined(&order.hosts, " ")
            );
            text.extend(order.key_algorithm.map(|it| format!(" {it}")));
            text.extend(order.lifetime.map(|it| format!(" {it}")));
            text
        });
        listed.collect()
    }

    fn problems(read: Result<Vec<Listed>, Vec<Problem>>) -> Vec<String> {
        let problems = read.unwrap_err().into_iter();
        let text = problems.map(|problem| match problem.line {
            Some(line) => format!("{line}: {problem}"),
            None => problem.to_string(),
        });
        text.collect()
    }

    #[test]
    fn toml_has_a_table_for_each() {
        let text = r#"
            [[certificate]]
            name = "a"
            role = "server"
            hosts = ["a.internal", "10.0.0.1"]
            key_algorithm = "ed25519"
            lifetime = "90d"

            [[certificate]]
            name = "b"
            role = "client"
        "#;
        assert_eq!(
            orders(parse_toml(text.as_bytes())),
            ["a server a.internal 10.0.0.1 ed25519 90d", "b client "]
        );
    }

    #[test]
    fn csv_has_a_line_for_each() {
        let text = "\u{feff}name,role,hosts\r\na,server,a.internal 10.0.0.1\r\n\r\n\"b\",client,\n\"c\",\"server\",\"c.internal\nc2.internal\"";
        assert_eq!(
            orders(parse_csv(text.as_bytes())),
            [
                "a server a.internal 10.0.0.1",
                "b client ",
                "c server c.internal c2.internal"
            ]
        );
    }

    #[test]
    fn every_problem_of_toml_has_its_line() {
        let text = r#"owner = "ops"
[[certificate]]
name = "a"
role = "ca"
hosts = ["a_b.internal", 7]
adress = "10.0.0.1"
[[certificate]]
role = "server"
lifetime = 90
[[certificate]]
name = "c"
role = "server"
[[certificate]]
name = "C"
role = "client"
[servers]
"#;
        assert_eq!(
            problems(parse_toml(text.as_bytes())),
            [
                "1: unknown `owner` outside of [[certificate]]",
                "4: unknown role `ca`",
                "5: `_` is not allowed in the host name `a_b.internal`",
                "5: expected a string, found an integer",
                "6: unknown key `adress` in [[certificate]]",
                "7: [[certificate]] has no `name`",
                "9: expected a string, found an integer",
                "14: the names `c` and `C` differ only in case",
                "16: unknown `servers` outside of [[certificate]]",
            ]
        );
        assert_eq!(problems(parse_toml(b"a = \n")).len(), 1);
        assert_eq!(problems(parse_toml(b"")), ["it asks for no certificate"]);
        assert_eq!(
            problems(parse_toml(b"\xff")),
            ["1: byte 0xff at column 1 is not UTF-8"]
        );
    }

    #[test]
    fn every_problem_of_csv_has_its_line() {
        let text = "a,server,a.internal\nb,server\nc,sever,c..internal\nd,\"server\"x,d\ne,ser\"ver,e\na,client,\nA,client,\nz,server,\"z";
        assert_eq!(
            problems(parse_csv(text.as_bytes())),
            [
                "1: the first line is not name,role,hosts",
                "2: expected 3 fields, found 2",
                "3: unknown role `sever`",
                "3: the host name `c..internal` has an empty label",
                "4: text behind the end of a quoted field",
                "5: a quotation mark within a field that is not quoted",
                "7: the names `a` and `A` differ only in case",
                "8: a quoted field does not end",
            ]
        );
        let nothing = problems(parse_csv(b"name,role,hosts\n"));
        assert_eq!(nothing, ["it asks for no certificate"]);
    }
}
