//! One definition per table.
//!
//! Each `entity!` block gives the documented struct, the table's descriptor and the codec between them. Column
//! lists in SQL, export and import, and the types of the bindings all follow from it; the hand-written DDL in
//! `migrations/` is compared with it by a test, column by column.

mod data;
mod json;
mod main_tables;

pub use data::*;
pub use main_tables::*;

use crate::error::{Error, Kind, Result};
use crate::record::{Field, Type};
pub use crate::value::ColumnKind;
use crate::value::{Row, Value, names};

names! {
    /// Which of the two databases a table lives in.
    pub enum Database {
        /// API keys and the audit trail; always SQLite.
        Main = "main",
        /// Everything else; SQLite or PostgreSQL.
        Data = "data",
    }
}

names! {
    /// What of a column is sealed, in a store that has a key.
    pub enum Sealing {
        /// Nothing.
        None = "none",
        /// Every value. Without the key its row cannot be read.
        Whole = "whole",
        /// Every value. Without the key its row can be read, and has the value as it is stored.
        Shown = "shown",
        /// The secrets inside a JSON document, as for `Shown`: every text under a name that ends in `password`, and
        /// every URL that carries credentials.
        Inside = "inside",
    }
}

/// One column of a table.
#[derive(Clone, Copy, Debug)]
pub struct ColumnDef {
    /// The name in SQL, Rust, Python, C and JSON.
    pub name: &'static str,
    /// What it holds, for people.
    pub doc: &'static str,
    /// What it holds, for programs.
    pub kind: ColumnKind,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// The most characters that the library accepts.
    pub limit: Option<usize>,
    /// Never shown in a log, an error or a Debug print; left out of a redacted export.
    pub secret: bool,
    /// What of it is sealed; what is sealed is secret.
    pub sealing: Sealing,
}

/// One table.
#[derive(Debug)]
pub struct Table {
    /// The name in SQL.
    pub name: &'static str,
    /// What a row is, for people.
    pub doc: &'static str,
    /// Where it lives.
    pub database: Database,
    /// Its columns, in order.
    pub columns: &'static [ColumnDef],
    /// The columns of the primary key.
    pub key: &'static [&'static str],
    /// Column and table of each foreign key.
    pub references: &'static [(&'static str, &'static str)],
}

impl Table {
    /// `a, b, c`: the column list for SQL.
    #[must_use]
    pub fn column_list(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|c| c.name).collect();
        names.join(", ")
    }

    /// `INSERT INTO t (a, b) VALUES (?1, ?2)`.
    #[must_use]
    pub fn insert(&self) -> String {
        let marks: Vec<String> = (1..=self.columns.len()).map(|i| format!("?{i}")).collect();
        format!("INSERT INTO {} ({}) VALUES ({})", self.name, self.column_list(), marks.join(", "))
    }

    /// `UPDATE t SET b = ?2 WHERE a = ?1`: every column but the key, found by the key. A key that is written,
    /// even with the value it has, makes the database look at every row that belongs to this one. The time of a
    /// message counts as part of its key: it never changes, and it says in which partition the row is.
    #[must_use]
    pub fn update(&self) -> String {
        let is_key =
            |c: &ColumnDef| self.key.contains(&c.name) || (self.name == "messages" && c.name == "created_at");
        let (keys, others): (Vec<_>, Vec<_>) = self.columns.iter().enumerate().partition(|(_, c)| is_key(c));
        let equal = |list: Vec<(usize, &ColumnDef)>, glue: &str| {
            let each = list.iter().map(|(i, c)| format!("{} = ?{}", c.name, i + 1));
            each.collect::<Vec<_>>().join(glue)
        };
        format!("UPDATE {} SET {} WHERE {}", self.name, equal(others, ", "), equal(keys, " AND "))
    }

    /// The position of a column.
    #[must_use]
    pub fn index_of(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == column)
    }

    /// Whether a column of it is sealed.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.columns.iter().any(|c| c.sealing != Sealing::None)
    }

    pub(crate) fn unreadable(&self, column: usize, row: &dyn Row) -> Error {
        let c = &self.columns[column];
        let key: Vec<String> = self
            .key
            .iter()
            .filter_map(|k| self.index_of(k))
            .map(|i| match row.get(i) {
                Value::Text(s) => s.to_owned(),
                Value::Int(n) => n.to_string(),
                other => format!("{other:?}"),
            })
            .collect();
        Error::new(Kind::Unreadable, format!("the stored value is not a {:?}", c.kind))
            .with("table", self.name)
            .with("column", c.name)
            .with("row", key.join("/"))
    }
}

/// The statements for whole rows of a table.
pub(crate) struct Sql {
    /// `SELECT a, b FROM t`.
    pub(crate) select: String,
    /// [`Table::insert`].
    pub(crate) insert: String,
    /// [`Table::update`].
    pub(crate) update: String,
}

impl Sql {
    pub(crate) fn of(table: &Table) -> Self {
        Sql {
            select: format!("SELECT {} FROM {}", table.column_list(), table.name),
            insert: table.insert(),
            update: table.update(),
        }
    }
}

/// A struct that is one row of a table.
pub(crate) trait Entity: Sized {
    const TABLE: &'static Table;
    /// Reads a row that was selected with [`Table::column_list`].
    fn from_row(row: &dyn Row) -> Result<Self>;
    /// The statements for whole rows, built once.
    fn sql() -> &'static Sql;
    /// The values in column order.
    fn values(&self) -> Vec<Value<'_>>;
    /// Checks the lengths.
    fn check(&self) -> Result<()>;
}

// A field is `name: Type => limit in characters, secret;`, where limit and `secret` may be left out. A secret that is
// sealed is `sealed`, `sealed_shown` or `sealed_inside` instead; see [`Sealing`].
macro_rules! entity {
    (
        $(#[doc = $doc:literal])+
        $name:ident($table:literal in $database:ident, key $key:expr, references $references:expr) {
            $($(#[doc = $cdoc:literal])+ $column:ident: $type:ty $(=> $limit:literal)? $(, $secret:ident)? ;)+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, PartialEq)]
        pub struct $name { $($(#[doc = $cdoc])+ pub $column: $type,)+ }

        impl $name {
            /// The table's descriptor.
            pub const TABLE: &'static $crate::entity::Table = &$crate::entity::Table {
                name: $table,
                doc: concat!($($doc,)+),
                database: $crate::entity::Database::$database,
                columns: &[$($crate::entity::ColumnDef {
                    name: $crate::entity::column_name(stringify!($column)),
                    doc: concat!($($cdoc,)+),
                    kind: <$type as $crate::value::Column>::KIND,
                    nullable: <$type as $crate::value::Column>::NULLABLE,
                    limit: entity!(@limit $($limit)?),
                    secret: entity!(@secret $($secret)?),
                    sealing: entity!(@sealing $($secret)?),
                },)+],
                key: &$key,
                references: &$references,
            };
        }

        impl $name {
            /// The row as a JSON object, with the columns as keys. Secret columns are left out.
            #[must_use]
            pub fn to_json(&self) -> $crate::json::Json {
                $crate::entity::json::object(Self::TABLE, &$crate::entity::Entity::values(self))
            }
        }

        impl $crate::record::Shaped for $name {
            const SHAPE: &'static $crate::record::Shape = {
                static SHAPE: $crate::record::Shape = $crate::record::Shape {
                    name: stringify!($name),
                    doc: $name::TABLE.doc.trim_ascii(),
                    fields: &[$($crate::entity::field_of(
                        $name::TABLE,
                        $crate::entity::column_name(stringify!($column)),
                        <$type as $crate::record::Described>::TYPE,
                    ),)+],
                };
                &SHAPE
            };
        }

        impl $crate::record::Described for $name {
            const TYPE: $crate::record::Type =
                $crate::record::Type::Record(<$name as $crate::record::Shaped>::SHAPE);
        }

        $crate::record::shape!(@impl output $name { $($column: $type,)+ });

        impl $crate::entity::Entity for $name {
            const TABLE: &'static $crate::entity::Table = $name::TABLE;

            fn from_row(row: &dyn $crate::value::Row) -> $crate::error::Result<Self> {
                let mut at = 0;
                let mut next = || { at += 1; at - 1 };
                Ok($name { $($column: {
                    let i = next();
                    $crate::value::Column::read(row.get(i)).ok_or_else(|| Self::TABLE.unreadable(i, row))?
                },)+ })
            }

            fn sql() -> &'static $crate::entity::Sql {
                static SQL: $crate::fork::Lazy<$crate::entity::Sql> =
                    $crate::fork::Lazy::new(|| $crate::entity::Sql::of($name::TABLE));
                &SQL
            }

            fn values(&self) -> Vec<$crate::value::Value<'_>> {
                vec![$($crate::value::Column::bind(&self.$column)),+]
            }

            fn check(&self) -> $crate::error::Result<()> {
                $($($crate::entity::check_limit($crate::entity::column_name(stringify!($column)), $crate::value::Column::chars(&self.$column), $limit)?;)?)+
                Ok(())
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut s = f.debug_struct(stringify!($name));
                $(entity!(@debug s self $column $($secret)?);)+
                s.finish()
            }
        }
    };
    (@limit) => { None };
    (@limit $limit:literal) => { Some($limit) };
    (@secret) => { false };
    (@secret $secret:ident) => { true };
    (@sealing) => { $crate::entity::Sealing::None };
    (@sealing secret) => { $crate::entity::Sealing::None };
    (@sealing sealed) => { $crate::entity::Sealing::Whole };
    (@sealing sealed_shown) => { $crate::entity::Sealing::Shown };
    (@sealing sealed_inside) => { $crate::entity::Sealing::Inside };
    (@debug $s:ident $self:ident $column:ident) => { $s.field(stringify!($column), &$self.$column) };
    (@debug $s:ident $self:ident $column:ident $secret:ident) => { $s.field(stringify!($column), &format_args!("<secret>")) };
}
use entity;

/// A column as a field of the record that the row becomes.
pub(crate) const fn field_of(table: &'static Table, column: &'static str, ty: Type) -> Field {
    let Some(c) = find_column(table, column) else { panic!("no such column") };
    Field {
        name: c.name,
        doc: c.doc.trim_ascii(),
        ty,
        required: false,
        nullable: c.nullable,
        limit: c.limit,
        secret: c.secret,
    }
}

/// The limit of the column that an input's field is named after, if there is one.
pub(crate) const fn limit_of(table: &Table, column: &str) -> Option<usize> {
    match find_column(table, column) {
        Some(c) => c.limit,
        None => None,
    }
}

/// Whether the column that an input's field is named after is secret.
pub(crate) const fn is_secret(table: &Table, column: &str) -> bool {
    matches!(find_column(table, column), Some(ColumnDef { secret: true, .. }))
}

const fn find_column<'a>(table: &'a Table, name: &str) -> Option<&'a ColumnDef> {
    let mut i = 0;
    while i < table.columns.len() {
        if same(table.columns[i].name, name) {
            return Some(&table.columns[i]);
        }
        i += 1;
    }
    None
}

/// Equality of texts while compiling.
pub(crate) const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// Refuses a value of `chars` characters in a column that holds `limit`.
pub(crate) fn check_limit(column: &'static str, chars: usize, limit: usize) -> Result<()> {
    if chars <= limit {
        return Ok(());
    }
    Err(Error::invalid(column, format!("{column} has {chars} characters; at most {limit} are allowed")))
}

/// A field's name without the `r#` of a Rust keyword.
pub(crate) const fn column_name(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', ..] => field.split_at(2).1,
        _ => field,
    }
}

/// Every table, parents before children.
pub const TABLES: &[&Table] = &[
    ApiKey::TABLE,
    IpWhitelistEntry::TABLE,
    ApiKeyLog::TABLE,
    AuditLog::TABLE,
    Session::TABLE,
    Webhook::TABLE,
    Message::TABLE,
    Contact::TABLE,
    SessionLog::TABLE,
    WebhookLog::TABLE,
    BatchJob::TABLE,
    BatchJobMessage::TABLE,
    WebhookIdempotency::TABLE,
    SessionAuth::TABLE,
    Identity::TABLE,
    MessageReaction::TABLE,
    PendingChange::TABLE,
    OpenwaExtra::TABLE,
];

/// The tables of one database, parents before children.
pub fn tables_of(database: Database) -> impl Iterator<Item = &'static Table> {
    TABLES.iter().copied().filter(move |t| t.database == database)
}
