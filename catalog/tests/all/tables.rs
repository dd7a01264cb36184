//! A catalog of many tables with descriptions and commented columns, some of them in Chinese.

use std::collections::BTreeSet;
use std::time::Instant;

use tidegate_catalog::{Action, Catalog, Column, Command, TableAction, TableDefinition, TableName};

/// Columns of every table.
const COLUMNS: usize = 20;

const THINGS: [&str; 8] =
    ["order", "payment", "customer", "shipment", "invoice", "product", "session", "refund"];
const IN_CHINESE: [&str; 8] = [
    "订单明细",
    "支付流水",
    "客户资料",
    "物流轨迹",
    "发票记录",
    "商品目录",
    "访问会话",
    "退款申请",
];

/// Prints how long something takes.
#[allow(clippy::disallowed_methods, reason = "measures")]
pub(crate) fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("{what}: {:.3} ms", start.elapsed().as_secs_f64() * 1e3);
    result
}

/// Id of a project.
pub(crate) fn project(n: usize) -> String {
    format!("p-{n:04}")
}

/// Name of a table; tables go round the projects.
pub(crate) fn table(n: usize, projects: usize) -> TableName {
    let thing = THINGS[n % THINGS.len()];
    TableName::new(&project(n % projects), "default", &format!("{thing}Events_{n:06}")).unwrap()
}

fn definition(n: usize) -> TableDefinition {
    let column = |c: usize| Column {
        name: format!("{}_{c}", THINGS[(n + c) % THINGS.len()]),
        ty: "STRING".to_owned(),
        comment: format!("value {c} of the source, {}", IN_CHINESE[(n * 3 + c) % IN_CHINESE.len()]),
        ..Column::default()
    };
    TableDefinition { columns: (0..COLUMNS).map(column).collect(), ..TableDefinition::default() }
}

/// The command that creates a table. One in 1 000 has the tag `rare`; all have `events` in their names and `daily` in
/// their descriptions.
pub(crate) fn create(n: usize, projects: usize) -> Command {
    let thing = n % THINGS.len();
    let rare = n.is_multiple_of(1_000).then(|| "rare".to_owned());
    Command::new(
        1_000 + n as i64,
        Action::Table(Box::new(TableAction::CreateTable {
            table: table(n, projects),
            kind: if n.is_multiple_of(5) { "mysql" } else { "kafka" }.to_owned(),
            description: format!("daily feed {n} of {}: {}", THINGS[thing], IN_CHINESE[thing]),
            tags: rare.into_iter().chain([format!("team{}", n % 50)]).collect::<BTreeSet<_>>(),
            owner: format!("tenants/default/users/u{}", n % 100),
            definition: Box::new(definition(n)),
            design: None,
        })),
    )
}

/// A catalog with so many projects and tables.
pub(crate) fn filled(projects: usize, tables: usize) -> Catalog {
    let mut catalog = Catalog::new();
    for n in 0..projects {
        let action = Action::CreateProject {
            project: project(n),
            tenant: "default".to_owned(),
            description: format!("project number {n}"),
            services: None,
        };
        catalog.apply(Command::new(1, action)).unwrap();
    }
    let commands: Vec<_> = (0..tables).map(|n| create(n, projects)).collect();
    timed(&format!("apply {tables} commands that create tables"), || {
        for command in commands {
            catalog.apply(command).unwrap();
        }
    });
    catalog
}
