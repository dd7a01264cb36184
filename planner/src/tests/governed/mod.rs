//! Tests of governed tables, over a small catalog of two projects.

mod bound;
mod hidden;
mod lookups;
mod masks;
mod names;
mod nexmark;
mod preview;
mod recorded;
mod usage;
mod values;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tidegate_plan::StreamGraph;
use tidegate_types::{Error, Result};

use crate::governed::{ColumnAccess, GovernedTable, GovernedTables};
use crate::{Planned, Session, parse_script};

/// Tables by project, database and name.
#[derive(Debug, Default)]
pub(super) struct Shop {
    pub(super) tables: BTreeMap<(String, String, String), GovernedTable>,
    /// What [`GovernedTables::table`] was asked for.
    pub(super) asked: Mutex<Vec<String>>,
    pub(super) broken: Option<Error>,
}

pub(super) const ORDERS: &str = "CREATE TABLE orders (
    id BIGINT, customer STRING, phone VARCHAR(20) NOT NULL, card CHAR(16), amount DECIMAL(10, 2),
    domain AS SUBSTRING(phone FROM 1 FOR 3), ts TIMESTAMP(3), part INT METADATA FROM 'partition' VIRTUAL,
    at_clock AS PROCTIME(), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = '${topic}', 'properties.bootstrap.servers' = '${servers}',
    'properties.sasl.password' = '${password}', 'scan.startup.mode' = 'earliest-offset', 'format' = 'json')";

const CUSTOMERS: &str = "CREATE TABLE customers (
    id STRING, name STRING, mail STRING, born DATE, PRIMARY KEY (id) NOT ENFORCED
) WITH ('connector' = 'jdbc', 'url' = '${url}', 'table-name' = '${table}', 'username' = 'me', 'password' = '${password}')";

const ACCOUNTS: &str = "CREATE TABLE accounts (
    number STRING, owner STRING, balance BIGINT, PRIMARY KEY (number) NOT ENFORCED
) WITH ('connector' = 'upsert-kafka', 'topic' = '${topic}', 'properties.bootstrap.servers' = '${servers}',
    'key.format' = 'json', 'value.format' = 'json')";

const COPIES: &str = "CREATE TABLE copies (id BIGINT, phone STRING, card STRING)
    WITH ('connector' = 'kafka', 'topic' = '${topic}', 'properties.bootstrap.servers' = '${servers}', 'format' = 'json')";

impl Shop {
    /// `my-project`: the databases `default`, with `orders` and `copies`, and `crm`; `other-project`: `default`.
    pub(super) fn new() -> Self {
        let mut shop = Self::default();
        shop.add("my-project", "default", "orders", ORDERS);
        shop.add("my-project", "default", "copies", COPIES);
        shop.add("my-project", "crm", "customers", CUSTOMERS);
        shop.add("my-project", "crm", "accounts", ACCOUNTS);
        shop.add("other-project", "default", "orders", ORDERS);
        shop
    }

    pub(super) fn add(&mut self, project: &str, database: &str, name: &str, definition: &str) {
        let table = GovernedTable {
            reference: format!("projects/{project}/databases/{database}/tables/{name}"),
            definition: definition.to_owned(),
            read: None,
            write: None,
            columns: BTreeMap::new(),
        };
        let path = (project.to_owned(), database.to_owned(), name.to_owned());
        self.tables.insert(path, table);
    }

    pub(super) fn table_mut(&mut self, path: [&str; 3]) -> &mut GovernedTable {
        let [project, database, name] = path.map(str::to_owned);
        self.tables.get_mut(&(project, database, name)).unwrap()
    }

    /// With columns of `my-project.default.orders` masked or denied.
    pub(super) fn with_orders(columns: &[(&str, ColumnAccess)]) -> Self {
        let mut shop = Self::new();
        shop.table_mut(["my-project", "default", "orders"]).columns = access(columns);
        shop
    }

    pub(super) fn session(self) -> Session {
        self.shared().1
    }

    pub(super) fn shared(self) -> (Arc<Self>, Session) {
        let shop = Arc::new(self);
        let session = Session::new(Default::default()).unwrap();
        let session = session.with_governed_tables(Arc::clone(&shop) as _, "my-project").unwrap();
        (shop, session)
    }
}

pub(super) fn access(columns: &[(&str, ColumnAccess)]) -> BTreeMap<String, ColumnAccess> {
    columns.iter().map(|(name, access)| ((*name).to_owned(), *access)).collect()
}

impl GovernedTables for Shop {
    fn projects(&self) -> Result<Vec<String>> {
        let mut projects: Vec<String> = self.tables.keys().map(|key| key.0.clone()).collect();
        projects.dedup();
        Ok(projects)
    }

    fn databases(&self, project: &str) -> Result<Option<Vec<String>>> {
        let of = self.tables.keys().filter(|key| key.0 == project);
        let mut databases: Vec<String> = of.map(|key| key.1.clone()).collect();
        databases.dedup();
        Ok((!databases.is_empty()).then_some(databases))
    }

    fn tables(&self, project: &str, database: &str) -> Result<Vec<String>> {
        let of = self.tables.keys().filter(|key| key.0 == project && key.1 == database);
        Ok(of.map(|key| key.2.clone()).collect())
    }

    fn table(&self, project: &str, database: &str, name: &str) -> Result<Option<GovernedTable>> {
        self.asked.lock().unwrap().push(format!("{project}.{database}.{name}"));
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let path = (project.to_owned(), database.to_owned(), name.to_owned());
        Ok(self.tables.get(&path).cloned())
    }
}

/// Applies a script; the plan of its last job.
pub(super) fn try_job(session: &mut Session, script: &str) -> Result<StreamGraph> {
    let mut last = Err(Error::internal("the script has no job"));
    for statement in parse_script(script)? {
        if let Planned::Job(job) = session.plan(&statement)? {
            last = Ok(job.graph);
        }
    }
    last
}

/// The plan of a job on a shop.
pub(super) fn job(shop: Shop, script: &str) -> StreamGraph {
    try_job(&mut shop.session(), script).unwrap_or_else(|error| panic!("{script}: {error}"))
}

/// The error of a script on a shop.
pub(super) fn refused(shop: Shop, script: &str) -> Error {
    let mut session = shop.session();
    for statement in parse_script(script).unwrap() {
        if let Err(error) = session.plan(&statement) {
            return error;
        }
    }
    panic!("planned: {script}")
}

/// The rows of the last answer of a script, cells joined.
pub(super) fn rows(session: &mut Session, script: &str) -> Vec<String> {
    let mut last = Vec::new();
    for statement in parse_script(script).unwrap() {
        if let Planned::Rows(rows) = session.plan(&statement).unwrap() {
            last = rows.rows.into_iter().map(|row| row.join("|")).collect();
        }
    }
    last
}
