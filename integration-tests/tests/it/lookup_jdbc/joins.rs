//! What joins give: against nested loops over the same rows, also when the job is killed on the way.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use tidegate_integration_tests::compare::Row;
use tidegate_integration_tests::databases::{Database, Product};
use tidegate_integration_tests::folder::CaseFolder;
use tidegate_integration_tests::interrupted::{Course, Job, Source, Stop};
use tidegate_integration_tests::prng::Prng;
use tidegate_integration_tests::rows::json_folder;

use super::{Case, both, row};

/// A row of the stream.
struct Event {
    id: i64,
    k: Option<i64>,
    region: Option<&'static str>,
    amount: i64,
}

/// A row of the table in the database.
struct User {
    id: Option<i64>,
    region: Option<&'static str>,
    name: String,
    credit: i64,
}

const REGIONS: [Option<&str>; 4] = [Some("eu"), Some("us"), Some("it's"), None];

fn events(count: i64, prng: &mut Prng) -> Vec<Event> {
    let key = |prng: &mut Prng| (!prng.chance(15)).then(|| prng.between(1, 60));
    (0..count)
        .map(|id| Event {
            id,
            k: key(prng),
            region: *prng.pick(&REGIONS),
            amount: prng.between(0, 100),
        })
        .collect()
}

/// Ids 1 to 40, some of them several times, and rows without one.
fn users(prng: &mut Prng) -> Vec<User> {
    let user = |id: Option<i64>, prng: &mut Prng, number: usize| User {
        id,
        region: *prng.pick(&REGIONS),
        name: format!("user {number}"),
        credit: prng.between(0, 100),
    };
    let ids = (1..=40).chain((1..=40).step_by(3)).chain([7, 7]).map(Some).chain([None, None]);
    ids.enumerate().map(|(number, id)| user(id, prng, number)).collect()
}

fn line(event: &Event) -> String {
    json!({"id": event.id, "k": event.k, "region": event.region, "amount": event.amount})
        .to_string()
}

fn quoted(text: Option<&str>) -> String {
    text.map_or("NULL".to_owned(), |text| format!("'{}'", text.replace('\'', "''")))
}

/// Puts the users into a new table.
fn create(database: &Database, users: &[User]) -> Result<String> {
    let table = database.unique("users");
    let rows: Vec<String> = users
        .iter()
        .map(|User { id, region, name, credit }| {
            let id = id.map_or("NULL".to_owned(), |id| id.to_string());
            format!("({id}, {}, '{name}', {credit}, {})", quoted(*region), credit % 2)
        })
        .collect();
    database.execute(&format!(
        "CREATE TABLE {table} (id INT, region VARCHAR(10), name VARCHAR(40), credit INT, vip INT); \
         INSERT INTO {table} VALUES {}; CREATE INDEX {table}_i ON {table} (id)",
        rows.join(", ")
    ))?;
    Ok(table)
}

const COLUMNS: &str = "id BIGINT, k INT, region STRING, amount INT";
const USERS: &str = "id INT, region STRING, name STRING, credit INT, vip INT";

/// Pairs by nested loops, as `(id, name)`; `outer` keeps events without any.
fn pairs(
    events: &[Event],
    users: &[User],
    outer: bool,
    on: impl Fn(&Event, &User) -> bool,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for event in events {
        let before = rows.len();
        for user in users.iter().filter(|user| on(event, user)) {
            rows.push(row(&[Some(&event.id), Some(&user.name)]));
        }
        if outer && rows.len() == before {
            rows.push(row(&[Some(&event.id), None]));
        }
    }
    rows
}

fn same_id(event: &Event, user: &User) -> bool {
    event.k.is_some() && event.k == user.id
}

fn same_region(event: &Event, user: &User) -> bool {
    event.region.is_some() && event.region == user.region
}

#[test]
fn joins_give_what_nested_loops_give() -> Result<()> {
    both(|database| {
        let mut prng = Prng::new(5);
        let (events, users) = (events(700, &mut prng), users(&mut prng));
        let table = create(database, &users)?;
        let options = database.options(&table);
        let join = |kind: &str, on: &str, filter: &str| {
            format!(
                "SELECT e.id, u.name FROM e {kind}JOIN u FOR SYSTEM_TIME AS OF e.pt ON {on}{filter}"
            )
        };
        let both_keys = "e.k = u.id AND e.region = u.region";
        let columns = "id BIGINT, name STRING";
        let case = Case::new("jdbc-joins", COLUMNS)?
            .with("SET 'execution.batch-size' = '64'")
            .with(&format!("CREATE TABLE u ({USERS}) WITH ({options})"))
            .output("inner", columns, &join("", "e.k = u.id", ""))
            .output("left", columns, &join("LEFT ", "e.k = u.id", ""))
            .output("two", columns, &join("", both_keys, ""))
            .output("two_left", columns, &join("LEFT ", both_keys, ""))
            .output("residual", columns, &join("LEFT ", "e.k = u.id AND e.amount > u.credit", ""))
            .output(
                "filter",
                columns,
                &join("", "e.k = u.id", " WHERE u.vip = 1 AND u.credit > 20"),
            )
            .output("constant", columns, &join("LEFT ", "e.k = u.id AND u.region = 'it''s'", ""))
            .output("text", columns, &join("", "e.region = u.region", " WHERE e.id < 60"));
        case.put("0.json", &events.iter().map(line).collect::<Vec<_>>())?;
        case.run_at(2, "joins")?.finish()?.success()?;
        let (events, users) = (&events[..], &users[..]);
        let checks: [(&str, Vec<Row>); 8] = [
            ("inner", pairs(events, users, false, same_id)),
            ("left", pairs(events, users, true, same_id)),
            ("two", pairs(events, users, false, |e, u| same_id(e, u) && same_region(e, u))),
            ("two_left", pairs(events, users, true, |e, u| same_id(e, u) && same_region(e, u))),
            ("residual", pairs(events, users, true, |e, u| same_id(e, u) && e.amount > u.credit)),
            (
                "filter",
                pairs(events, users, false, |e, u| {
                    same_id(e, u) && u.credit % 2 == 1 && u.credit > 20
                }),
            ),
            (
                "constant",
                pairs(events, users, true, |e, u| same_id(e, u) && u.region == Some("it's")),
            ),
            ("text", pairs(&events[..60], users, false, same_region)),
        ];
        for (name, expected) in checks {
            ensure!(expected.len() > 20, "{name} shows little: {} rows", expected.len());
            case.must_have(name, &["id", "name"], expected)?;
        }
        case.folder.succeed();
        Ok(())
    })
}

/// One chain through both databases, killed twice and stopped once: each row once, as nested loops say.
#[test]
fn kills_and_restores_neither_lose_nor_double_rows() -> Result<()> {
    let mut prng = Prng::new(11);
    let (events, users) = (events(1_200, &mut prng), users(&mut prng));
    let databases = [Product::Postgres, Product::MariaDb].map(Database::shared);
    let [postgres, mariadb] = databases;
    let (postgres, mariadb) = (postgres?, mariadb?);
    let (first, second) = (create(&postgres, &users)?, create(&mariadb, &users)?);
    let folder = CaseFolder::new("jdbc-kills")?;
    let (in_first, in_second) = (postgres.options(&first), mariadb.options(&second));
    let script = |monitor: bool| {
        let more = if monitor { ", 'source.monitor-interval'='10 ms'" } else { "" };
        format!(
            "SET 'pipeline.name' = 'lookups';
CREATE TABLE e ({COLUMNS}, pt AS PROCTIME()) WITH ('connector'='filesystem', 'path'='${{DIR}}/in/e', 'format'='json'{more});
CREATE TABLE u ({USERS}) WITH ({in_first});
CREATE TABLE v ({USERS}) WITH ({in_second}, 'lookup.cache'='PARTIAL', 'lookup.partial-cache.max-rows'='10');
CREATE TABLE o (id BIGINT, name STRING, other STRING) WITH ('connector'='filesystem', 'path'='${{DIR}}/out', 'format'='json');
INSERT INTO o SELECT e.id, u.name, v.name FROM e
  LEFT JOIN u FOR SYSTEM_TIME AS OF e.pt ON e.k = u.id AND e.amount > u.credit
  LEFT JOIN v FOR SYSTEM_TIME AS OF e.pt ON e.k = v.id AND e.region = v.region;
"
        )
    };
    let mut expected: Vec<Row> = Vec::new();
    let left = pairs(&events, &users, true, |e, u| same_id(e, u) && e.amount > u.credit);
    let right = pairs(&events, &users, true, |e, u| same_id(e, u) && same_region(e, u));
    for one in &left {
        let others = right.iter().filter(|other| other[0] == one[0]);
        expected.extend(others.map(|other| vec![one[0].clone(), one[1].clone(), other[1].clone()]));
    }
    expected.sort();
    let files = events.chunks(60).map(|part| part.iter().map(|event| line(event) + "\n").collect());
    let columns = ["id", "name", "other"].map(str::to_owned);
    let out = folder.join("out");
    let seen = || Ok(json_folder(&out, &columns)?.len() >= expected.len());
    let job = Job {
        folder: &folder,
        script: &script,
        sources: vec![Source { name: "e".to_owned(), files: files.collect() }],
        all_seen: &seen,
    };
    job.run(&Course {
        stops: vec![Stop::Kill, Stop::Savepoint, Stop::Kill],
        unbounded: true,
        parallelism: [2, 1],
        pause: Duration::from_millis(30),
        wave: Duration::from_millis(15),
        interval: "30 ms",
    })?;
    super::same("after kills", json_folder(&out, &columns)?, expected)?;
    folder.succeed();
    Ok(())
}
