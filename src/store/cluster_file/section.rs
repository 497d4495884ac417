//! One table of zpki.toml while it is read. A value that is wrong is reported and then read as if
//! it were not there, so that every other value is still looked at.

use std::str::FromStr;

use toml_edit::{Item, Key, Table, TableLike};

use crate::domain::error::Invalid;

use super::problem::{Found, Reason};
use super::schema::{TABLES, TableSchema};

/// A table of the file; one that the file does not have has no items.
pub(super) struct Section<'a> {
    schema: &'static TableSchema,
    items: Option<&'a dyn TableLike>,
    at: Option<usize>,
    found: &'a mut Vec<Found>,
}

/// Reports what stands outside of the tables that zpki.toml has.
pub(super) fn check_top_level(root: &Table, found: &mut Vec<Found>) {
    let unknown = root
        .iter()
        .filter(|(name, _)| TABLES.iter().all(|table| table.name != *name));
    for (name, item) in unknown {
        let is_table = item.is_table_like() || item.is_array_of_tables();
        let name = name.to_owned();
        found.push(Found {
            at: key_start(root, &name),
            reason: if is_table {
                Reason::UnknownTable { name }
            } else {
                Reason::UnknownTopLevelKey { key: name }
            },
        });
    }
}

impl<'a> Section<'a> {
    /// The table of the file that `schema` describes; none when something that is no table bears
    /// its name.
    pub(super) fn find(
        root: &'a Table,
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
        root: &Table,
        schema: &'static TableSchema,
        found: &mut Vec<Found>,
        read: impl Fn(&mut Section<'_>) -> Option<T>,
    ) -> Vec<T> {
        let Some(item) = root.get(schema.name) else {
            return Vec::new();
        };
        if !is_list(item) {
            found.push(wrong_type(item, "a list of tables", schema.header()));
        }
        elements(item)
            .filter_map(|item| read(&mut Section::of(item, schema, found)?))
            .collect()
    }

    fn of(item: &'a Item, schema: &'static TableSchema, found: &'a mut Vec<Found>) -> Option<Self> {
        let Some(items) = item.as_table_like() else {
            found.push(wrong_type(item, "a table", schema.header()));
            return None;
        };
        let unknown = items.iter().filter(|(key, _)| !schema.has(key));
        found.extend(unknown.map(|(key, _)| Found {
            at: key_start(items, key),
            reason: Reason::UnknownKey {
                table: schema,
                key: key.to_owned(),
            },
        }));
        Some(Self {
            schema,
            items: Some(items),
            at: start(item),
            found,
        })
    }

    /// The value of a key that must be there.
    pub(super) fn required<T: FromStr<Err = Invalid>>(&mut self, key: &'static str) -> Option<T> {
        if self.item(key).is_none() {
            let table = self.schema;
            self.found.push(Found {
                at: self.at,
                reason: Reason::Missing { table, key },
            });
        }
        self.value(key)
    }

    /// The value of a key, which is a string in the file.
    pub(super) fn value<T: FromStr<Err = Invalid>>(&mut self, key: &'static str) -> Option<T> {
        let item = self.item(key)?;
        self.text(item, key, &T::from_str)
    }

    /// The value of a key that is true or false.
    pub(super) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let item = self.item(key)?;
        if !item.is_bool() {
            let example = self.schema.example(key);
            self.found.push(wrong_type(item, "true or false", example));
        }
        item.as_bool()
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
        if !is_list(item) {
            let example = self.schema.example(key);
            self.found
                .push(wrong_type(item, "a list of strings", example));
        }
        elements(item)
            .filter_map(|item| self.text(item, key, &read))
            .collect()
    }

    fn item(&self, key: &'static str) -> Option<&'a Item> {
        debug_assert!(self.schema.has(key), "{key} is not in the schema");
        self.items?.get(key)
    }

    fn text<T>(
        &mut self,
        item: &Item,
        key: &'static str,
        read: &impl Fn(&str) -> Result<T, Invalid>,
    ) -> Option<T> {
        let Some(text) = item.as_str() else {
            let example = self.schema.example(key);
            self.found.push(wrong_type(item, "a string", example));
            return None;
        };
        read(text)
            .map_err(|invalid| {
                self.found.push(Found {
                    at: start(item),
                    reason: Reason::Value(invalid),
                });
            })
            .ok()
    }
}

fn wrong_type(item: &Item, expected: &'static str, example: String) -> Found {
    let found = match item.type_name() {
        "array" => "a list",
        "array of tables" => "a list of tables",
        "boolean" => "a boolean",
        "datetime" => "a date",
        "float" => "a float",
        "integer" => "an integer",
        "string" => "a string",
        _ => "a table",
    };
    Found {
        at: start(item),
        reason: Reason::WrongType {
            expected,
            found,
            example,
        },
    }
}

fn is_list(item: &Item) -> bool {
    item.is_array() || item.is_array_of_tables()
}

/// The elements of an array or an array of tables; of anything else, none.
fn elements(item: &Item) -> impl Iterator<Item = &Item> {
    (0..).map_while(|index: usize| item.get(index))
}

fn start(item: &Item) -> Option<usize> {
    item.span().map(|span| span.start)
}

fn key_start(table: &dyn TableLike, key: &str) -> Option<usize> {
    table.key(key).and_then(Key::span).map(|span| span.start)
}
