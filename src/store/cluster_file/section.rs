//! One table of zpki.toml while it is read. A value that is wrong is reported and then read as if
//! it were not there, so that every other value is still looked at.

use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::domain::error::Invalid;

use super::problem::{Found, Reason};
use super::schema::{TABLES, TableSchema};

/// A value of the file, and where it stands.
pub(super) type Node<'a> = Spanned<DeValue<'a>>;

/// A table of the file; one that the file does not have has no items.
pub(super) struct Section<'a> {
    schema: &'static TableSchema,
    items: Option<&'a DeTable<'a>>,
    at: Option<usize>,
    found: &'a mut Vec<Found>,
}

/// Reports what stands outside of the tables that zpki.toml has.
pub(super) fn check_top_level(root: &DeTable<'_>, found: &mut Vec<Found>) {
    let is_known = |name: &str| TABLES.iter().any(|table| table.name == name);
    let unknown = root.iter().filter(|(name, _)| !is_known(name.get_ref()));
    for (key, item) in unknown {
        let name = key.get_ref().to_string();
        found.push(Found {
            at: Some(key.span().start),
            reason: if item.get_ref().is_table() || is_list_of_tables(item) {
                Reason::UnknownTable { name }
            } else {
                Reason::UnknownTopLevelKey { key: name }
            },
        });
    }
}

/// Reports what stands outside of `tables`, in the words of another file than zpki.toml.
pub(super) fn check_tables(
    root: &DeTable<'_>,
    tables: &[&TableSchema],
    found: &mut Vec<Found>,
    unknown: impl Fn(String) -> Reason,
) {
    let is_known = |name: &str| tables.iter().any(|table| table.name == name);
    let keys = root.keys().filter(|key| !is_known(key.get_ref()));
    found.extend(keys.map(|key| Found {
        at: Some(key.span().start),
        reason: unknown(key.get_ref().to_string()),
    }));
}

impl<'a> Section<'a> {
    /// The table of the file that `schema` describes; none when something that is no table bears
    /// its name.
    pub(super) fn find(
        root: &'a DeTable<'a>,
        schema: &'static TableSchema,
        found: &'a mut Vec<Found>,
    ) -> Option<Self> {
        match root.get(schema.name) {
            Some(item) => Self::of(item, schema, found),
            None => Some(Self {
                schema,
                items: None,
                at: None,
                found,
            }),
        }
    }

    /// What `read` makes of each table that `schema` describes.
    pub(super) fn each<T>(
        root: &DeTable<'_>,
        schema: &'static TableSchema,
        found: &mut Vec<Found>,
        read: impl Fn(&mut Section<'_>) -> Option<T>,
    ) -> Vec<T> {
        let Some(item) = root.get(schema.name) else {
            return Vec::new();
        };
        let Some(items) = item.get_ref().as_array() else {
            found.push(wrong_type(item, "a list of tables", schema.header()));
            return Vec::new();
        };
        let items = items.iter();
        items
            .filter_map(|item| read(&mut Section::of(item, schema, found)?))
            .collect()
    }

    fn of(
        item: &'a Node<'a>,
        schema: &'static TableSchema,
        found: &'a mut Vec<Found>,
    ) -> Option<Self> {
        let Some(items) = item.get_ref().as_table() else {
            found.push(wrong_type(item, "a table", schema.header()));
            return None;
        };
        let unknown = items.keys().filter(|key| !schema.has(key.get_ref()));
        found.extend(unknown.map(|key| Found {
            at: Some(key.span().start),
            reason: Reason::UnknownKey {
                table: schema,
                key: key.get_ref().to_string(),
            },
        }));
        Some(Self {
            schema,
            items: Some(items),
            at: Some(item.span().start),
            found,
        })
    }

    /// The value of a key that must be there.
    pub(super) fn required<T: FromStr<Err = Invalid>>(&mut self, key: &'static str) -> Option<T> {
        let Some(item) = self.item(key) else {
            let table = self.schema;
            self.found.push(Found {
                at: self.at,
                reason: Reason::Missing { table, key },
            });
            return None;
        };
        self.text(item, key, &T::from_str)
    }

    /// The value of a key, which is a string in the file.
    pub(super) fn value<T: FromStr<Err = Invalid>>(&mut self, key: &'static str) -> Option<T> {
        let item = self.item(key)?;
        self.text(item, key, &T::from_str)
    }

    /// The value of a key that is true or false.
    pub(super) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let item = self.item(key)?;
        let flag = item.get_ref().as_bool();
        if flag.is_none() {
            let example = self.schema.example(key);
            self.found.push(wrong_type(item, "true or false", example));
        }
        flag
    }

    /// The values of a key that is a list of strings, each read by `read`.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&str) -> Result<T, Invalid>,
    ) -> Vec<T> {
        let Some(item) = self.item(key) else {
            return Vec::new();
        };
        let Some(items) = item.get_ref().as_array() else {
            let example = self.schema.example(key);
            self.found
                .push(wrong_type(item, "a list of strings", example));
            return Vec::new();
        };
        let items = items.iter();
        items
            .filter_map(|item| self.text(item, key, &read))
            .collect()
    }

    /// Where the value of `key` stands, or else the table itself.
    pub(super) fn place(&self, key: &'static str) -> Option<usize> {
        let item = self.item(key).map(|item| item.span().start);
        item.or(self.at)
    }

    fn item(&self, key: &'static str) -> Option<&'a Node<'a>> {
        debug_assert!(self.schema.has(key), "{key} is not in the schema");
        self.items?.get(key)
    }

    fn text<T>(
        &mut self,
        item: &Node<'_>,
        key: &'static str,
        read: &impl Fn(&str) -> Result<T, Invalid>,
    ) -> Option<T> {
        let Some(text) = item.get_ref().as_str() else {
            let example = self.schema.example(key);
            self.found.push(wrong_type(item, "a string", example));
            return None;
        };
        read(text)
            .map_err(|invalid| {
                self.found.push(Found {
                    at: Some(item.span().start),
                    reason: Reason::Value(invalid),
                });
            })
            .ok()
    }
}

fn wrong_type(item: &Node<'_>, expected: &'static str, example: String) -> Found {
    let found = match item.get_ref() {
        DeValue::Array(_) if is_list_of_tables(item) => "a list of tables",
        DeValue::Array(_) => "a list",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Float(_) => "a float",
        DeValue::Integer(_) => "an integer",
        DeValue::String(_) => "a string",
        DeValue::Table(_) => "a table",
    };
    Found {
        at: Some(item.span().start),
        reason: Reason::WrongType {
            expected,
            found,
            example,
        },
    }
}

fn is_list_of_tables(item: &Node<'_>) -> bool {
    let is_table = |item: &Node<'_>| item.get_ref().is_table();
    let list = item.get_ref().as_array();
    list.is_some_and(|list| !list.is_empty() && list.iter().all(is_table))
}
