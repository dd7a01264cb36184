//! Which tables a plan uses, for what, and which of their columns: what grants and policies are compared with.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_connector_spec::{Required, connector};
use tidegate_plan::operator::{LookupJoin, Mask, Source, Table};
use tidegate_plan::{Expr, Operator, StreamGraph};

use crate::lower::COLLECT;

/// What a job does with a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableRole {
    /// Its rows are a source.
    Read,
    /// Rows are looked up in it by key.
    LookedUp,
    /// Rows are written into it.
    Written,
}

/// A governed table in a role. A table in two roles is listed twice, one that is read twice once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GovernedUse {
    /// Resource name.
    pub reference: String,
    /// Its name in the plan: `project.database.table`.
    pub name: String,
    /// [`schema_digest`](super::schema_digest) of the definition that the plan was made with.
    pub schema_digest: String,
    /// What it is used for.
    pub role: TableRole,
    /// The columns that the plan needs, sorted by name: of a source those that come out of it and those that they and
    /// its conditions are computed from; of a sink all that it writes.
    pub columns: Vec<UsedColumn>,
}

/// A column that a plan needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsedColumn {
    /// Name in the table's definition.
    pub name: String,
    /// The mask that it is read through. A plan that was made before the column was masked has none.
    pub mask: Option<Mask>,
}

/// A table that the script itself declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InlineUse {
    /// Its name in the plan.
    pub name: String,
    /// What it is used for.
    pub role: TableRole,
    /// Its connector.
    pub connector: String,
    /// The options that say where it points, such as `topic` and `properties.bootstrap.servers`; no secrets.
    pub target: BTreeMap<String, String>,
}

/// The tables of a plan, each list in the plan's order. The rows of a SELECT go to none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsedTables {
    /// Those that the catalog defines.
    pub governed: Vec<GovernedUse>,
    /// Those that the script declares.
    pub inline: Vec<InlineUse>,
}

/// Lists the tables of a plan.
pub fn used_tables(graph: &StreamGraph) -> UsedTables {
    let mut used = UsedTables::default();
    for node in &graph.nodes {
        match &node.operator {
            Operator::Source(source) => used.add(&source.table, TableRole::Read, read(source)),
            Operator::LookupJoin(join) => {
                used.add(&join.table, TableRole::LookedUp, looked_up(join));
            }
            Operator::Sink(sink)
                if sink.table.options.get("connector").is_some_and(|c| c == COLLECT) => {}
            Operator::Sink(sink) => {
                let written = node.schema.iter().map(|field| field.name.clone());
                used.add(&sink.table, TableRole::Written, written.collect());
            }
            _ => {}
        }
    }
    used
}

impl UsedTables {
    fn add(&mut self, table: &Table, role: TableRole, columns: BTreeSet<String>) {
        let Some(governed) = &table.governed else {
            let inline = InlineUse {
                name: table.name.clone(),
                role,
                connector: table.options.get("connector").cloned().unwrap_or_default(),
                target: target(&table.options),
            };
            if !self.inline.contains(&inline) {
                self.inline.push(inline);
            }
            return;
        };
        let columns = columns.into_iter().map(|name| {
            let mask = governed.masks.get(&name).copied();
            UsedColumn { name, mask }
        });
        let known = self.governed.iter_mut();
        let mut known =
            known.filter(|known| known.reference == governed.reference && known.role == role);
        match known.next() {
            Some(known) => {
                known.columns.extend(columns);
                known.columns.sort();
                known.columns.dedup();
            }
            None => self.governed.push(GovernedUse {
                reference: governed.reference.clone(),
                schema_digest: governed.schema_digest.clone(),
                name: table.name.clone(),
                role,
                columns: columns.collect(),
            }),
        }
    }
}

fn read(source: &Source) -> BTreeSet<String> {
    let produced = source.read.iter().chain(source.metadata.iter().map(|column| &column.field));
    let produced: Vec<&str> = produced.map(|field| field.name.as_str()).collect();
    let exprs = source.projection.iter().map(|named| &named.expr).chain(&source.pushed);
    let below = exprs.flat_map(Expr::columns).filter_map(|index| produced.get(index).copied());
    let own = source.projection.iter().map(|named| named.name.as_str());
    own.chain(below).map(str::to_owned).collect()
}

fn looked_up(join: &LookupJoin) -> BTreeSet<String> {
    // Every column that is read is a key, comes out or stands in the condition; of those that are masked to NULL
    // nothing is seen.
    join.read.iter().map(|field| field.name.clone()).collect()
}

/// Options that say where a table is, beside those that its connector cannot do without.
const TARGETS: &[&str] = &[
    "topic",
    "topic-pattern",
    "properties.bootstrap.servers",
    "url",
    "table-name",
    "path",
    "hosts",
    "hostname",
    "host",
    "port",
    "database-name",
    "schema-name",
    "index",
    "endpoint",
    "bucket",
    "zookeeper.quorum",
];

fn target(options: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let name = options.get("connector").map(String::as_str).unwrap_or_default();
    let specs = connector(name).map(|spec| spec.options).unwrap_or_default();
    let points = |key: &str| {
        let spec = specs.iter().find(|spec| spec.key == key);
        let secret = spec.is_some_and(|spec| spec.secret);
        let format = key == "format" || key.ends_with(".format");
        let required = spec.is_some_and(|spec| spec.required != Required::No && !format);
        !secret && (required || TARGETS.contains(&key))
    };
    let own = options.iter().filter(|(key, _)| points(key));
    own.map(|(key, value)| (key.clone(), without_login(value))).collect()
}

/// An address without user, password and parameters, among which a password may be.
fn without_login(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else { return value.to_owned() };
    let (authority, rest) = rest.split_at(rest.find(['/', '?', ';', '#']).unwrap_or(rest.len()));
    let (path, query) = rest.split_at(rest.find(['?', ';', '#']).unwrap_or(rest.len()));
    let host = match authority.rsplit_once('@') {
        Some((_, host)) => host,
        // A password with a sign in it that ends the authority.
        None if rest.contains('@') && authority.contains(':') && !is_port(authority) => "…",
        None => authority,
    };
    // A list of addresses, each with its login.
    let (host, path) = if path.contains('@') { ("…", "") } else { (host, path) };
    let hidden = host == "…";
    let more = if query.is_empty() && !hidden { "" } else { "?…" };
    format!("{scheme}://{host}{}{more}", if hidden { "" } else { path })
}

/// Whether what stands behind the last colon is the number of a port.
fn is_port(authority: &str) -> bool {
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::without_login;

    #[test]
    fn addresses_are_told_without_passwords() {
        for (value, shown) in [
            ("jdbc:mysql://me:secret@db:3306/shop?password=secret", "jdbc:mysql://db:3306/shop?…"),
            ("jdbc:mysql://me:se@cret@db/shop", "jdbc:mysql://db/shop"),
            ("s3://bucket/folder", "s3://bucket/folder"),
            ("/data/files", "/data/files"),
            ("http://user@host", "http://host"),
            ("http://a:secret@b,http://a:secret@c", "http://…?…"),
            ("jdbc:mysql://me:se/cret@db/shop", "jdbc:mysql://…?…"),
            ("jdbc:mysql://me:se?cret@db/shop", "jdbc:mysql://…?…"),
            ("jdbc:mysql://db:3306/shop?user=a@b", "jdbc:mysql://db:3306/shop?…"),
        ] {
            assert_eq!(without_login(value), shown);
        }
    }
}
