//! Random questions about a table's windows: the query in Flink's SQL, the same for the oracle, and
//! the columns of the result.

use anyhow::{Result, anyhow, ensure};

use super::aggregate::{Aggregate, Answer, average, predicate};
use super::table::{Column, Lateness, Table};
use super::window::Window;
use crate::compare::{Row, Shape, canonical_row};
use crate::oracle::Oracle;
use crate::prng::Prng;
use crate::value::{ColumnType, timestamp};

/// A question.
#[derive(Debug, Clone)]
pub struct Question {
    /// Views that the query needs, as whole statements.
    pub views: Vec<String>,
    /// The query in Flink's SQL.
    pub flink: String,
    /// The query for the oracle; none where only Flink can judge (late rows in sessions).
    oracle: Option<String>,
    answers: Vec<Answer>,
    /// Types of the result's columns.
    pub types: Vec<ColumnType>,
    /// Whether Flink's answer counts: it ranks sessions of one end together, whatever their start,
    /// filters rows before it finds the sessions that an aggregate is about, and does not window
    /// what changes, as do sessions that are not grouped by their partition.
    pub flink_is_right: bool,
}

impl Question {
    /// Names of the result's columns, `c0` and so on.
    pub fn columns(&self) -> Vec<String> {
        (0..self.types.len()).map(|index| format!("c{index}")).collect()
    }

    /// How the result's columns are compared.
    pub fn shapes(&self) -> Vec<Shape> {
        self.types.iter().map(|ty| ty.shape()).collect()
    }

    /// `CREATE TABLE` of a sink for the result, as JSON files at a path.
    pub fn sink(&self, name: &str, path: &str) -> String {
        let columns = self.columns().into_iter().zip(&self.types);
        let columns: Vec<String> =
            columns.map(|(column, ty)| format!("{column} {}", ty.sql())).collect();
        format!(
            "CREATE TABLE {name} ({}) WITH ('connector'='filesystem', 'path'='{path}', 'format'='json', \
             'json.encode.decimal-as-plain-number'='true')",
            columns.join(", ")
        )
    }

    /// The oracle's answer in canonical form; none if only Flink can judge.
    ///
    /// # Errors
    /// With the oracle's query.
    pub fn ask(&self, oracle: &Oracle) -> Result<Option<Vec<Row>>> {
        let Some(sql) = &self.oracle else {
            return Ok(None);
        };
        let rows = oracle.query(sql)?;
        let shapes = self.shapes();
        rows.iter()
            .map(|row| canonical_row(&shapes, &self.finish(row)?))
            .collect::<Result<_>>()
            .map(Some)
    }

    fn finish(&self, row: &Row) -> Result<Row> {
        let mut columns = row.iter();
        let mut next =
            || columns.next().ok_or_else(|| anyhow!("the oracle's row is too short: {row:?}"));
        let mut finished = Vec::new();
        for answer in &self.answers {
            let value = next()?;
            finished.push(match answer {
                Answer::Plain => value.clone(),
                Answer::Millis => {
                    value.as_ref().map(|millis| millis.parse().map(timestamp)).transpose()?
                }
                Answer::Average(ty) => average(*ty, value.as_deref(), next()?.as_deref())?,
            });
        }
        ensure!(columns.next().is_none(), "the oracle's row is too long: {row:?}");
        Ok(finished)
    }
}

/// A random question about a table; `name` is free for views.
pub fn question(name: &str, table: &Table, prng: &mut Prng) -> Question {
    match prng.below(10) {
        0 => windows_of_rows(table, prng),
        1 => top_rows(table, prng),
        2 => top_groups(table, prng),
        3 | 4 => cascade(name, table, prng),
        _ => aggregation(table, prng),
    }
}

/// Columns of a result that is being put together.
#[derive(Default)]
struct Output {
    flink: Vec<String>,
    oracle: Vec<String>,
    answers: Vec<Answer>,
    types: Vec<ColumnType>,
}

impl Output {
    fn windows() -> Self {
        let mut output = Self::default();
        output.add("window_start", "ws", Answer::Millis, ColumnType::Timestamp);
        output.add("window_end", "we", Answer::Millis, ColumnType::Timestamp);
        output
    }

    fn add(&mut self, flink: &str, oracle: &str, answer: Answer, ty: ColumnType) {
        self.flink.push(flink.to_owned());
        self.oracle.push(oracle.to_owned());
        self.answers.push(answer);
        self.types.push(ty);
    }

    fn column(&mut self, column: &Column) {
        self.add(&column.name, &column.name, Answer::Plain, column.ty);
    }

    fn aggregate(&mut self, aggregate: &Aggregate, index: usize) {
        self.flink.push(format!("{} AS a{index}", aggregate.flink()));
        let calls = aggregate.oracle();
        for (call, alias) in calls.iter().zip(["a", "b"]) {
            self.oracle.push(format!("{call} AS {alias}{index}"));
        }
        self.answers.push(aggregate.answer());
        self.types.push(aggregate.ty());
    }

    fn question(self, views: Vec<String>, flink_rest: &str, oracle_rest: Option<&str>) -> Question {
        let oracle = oracle_rest.map(|rest| format!("SELECT {} {rest}", self.oracle.join(", ")));
        let flink = format!("SELECT {} {flink_rest}", self.flink.join(", "));
        Question {
            views,
            flink,
            oracle,
            answers: self.answers,
            types: self.types,
            flink_is_right: true,
        }
    }
}

fn names(columns: &[Column]) -> Vec<String> {
    columns.iter().map(|column| column.name.clone()).collect()
}

/// The oracle's relation of rows with their windows, without those that come late for a window;
/// none where that depends on which sessions live.
fn windowed(window: &Window, table: &Table) -> Option<String> {
    let rows = window.oracle(&table.name, &names(&table.keys));
    match (table.lateness, window.is_session()) {
        (Lateness::Late, true) => None,
        (Lateness::Late, false) => Some(format!("(SELECT * FROM ({rows}) WHERE we - 1 > wm)")),
        _ => Some(format!("({rows})")),
    }
}

/// Key columns to group by, any number of them.
fn grouping(table: &Table, prng: &mut Prng) -> Vec<Column> {
    table.keys[..prng.below(table.keys.len() + 1)].to_vec()
}

/// The key columns that sessions are partitioned by; any number of them for other windows.
fn partition(window: &Window, table: &Table, prng: &mut Prng) -> Vec<Column> {
    match window {
        Window::Session { keys, .. } => table.keys[..*keys].to_vec(),
        _ => grouping(table, prng),
    }
}

fn group_by(start: &str, end: &str, keys: &[Column]) -> String {
    let columns: Vec<String> =
        [start, end].map(str::to_owned).into_iter().chain(names(keys)).collect();
    format!("GROUP BY {}", columns.join(", "))
}

/// `SELECT window, keys, aggregates … GROUP BY window, keys`.
fn aggregation(table: &Table, prng: &mut Prng) -> Question {
    let window = Window::any(table.keys.len(), prng);
    let keys = match prng.chance(50) {
        true => partition(&window, table, prng),
        false => grouping(table, prng),
    };
    let mut output = Output::windows();
    keys.iter().for_each(|key| output.column(key));
    for index in 0..=prng.below(5) {
        output.aggregate(&Aggregate::random(table, prng), index);
    }
    let judged = !window.is_session() || table.lateness != Lateness::Late;
    let condition = match judged && prng.chance(20) {
        true => format!("WHERE {}", predicate(table, prng)),
        false => String::new(),
    };
    let having = if prng.chance(15) { " HAVING COUNT(*) > 1" } else { "" };
    let function = window.flink(&table.name, "ts", &names(&table.keys));
    let flink = format!(
        "FROM {function} {condition} {}{having}",
        group_by("window_start", "window_end", &keys)
    );
    let oracle = windowed(&window, table)
        .map(|rows| format!("FROM {rows} {condition} {}{having}", group_by("ws", "we", &keys)));
    let flink_is_right = !window.is_session() || condition.is_empty();
    Question { flink_is_right, ..output.question(Vec::new(), &flink, oracle.as_deref()) }
}

/// A window function without an aggregate drops nothing, late or not; a SESSION does.
fn windows_of_rows(table: &Table, prng: &mut Prng) -> Question {
    let window = Window::any(table.keys.len(), prng);
    let mut output = Output::windows();
    output.add("id", "id", Answer::Plain, ColumnType::BigInt);
    output.column(&table.keys[0]);
    output.column(&table.values[0]);
    let keys = names(&table.keys);
    let flink = format!("FROM {}", window.flink(&table.name, "ts", &keys));
    let oracle = match window.is_session() {
        true => windowed(&window, table),
        false => Some(format!("({})", window.oracle(&table.name, &keys))),
    };
    let oracle = oracle.map(|rows| format!("FROM {rows}"));
    output.question(Vec::new(), &flink, oracle.as_deref())
}

/// Any window but sessions of late rows: nobody could judge their ranks, see `flink_is_right`.
fn judged(table: &Table, prng: &mut Prng) -> Window {
    match Window::any(table.keys.len(), prng) {
        Window::Session { .. } if table.lateness == Lateness::Late => Window::aligned(prng),
        window => window,
    }
}

/// The first rows of each window, by a value.
fn top_rows(table: &Table, prng: &mut Prng) -> Question {
    let window = judged(table, prng);
    let (key, value) = (&table.keys[0], &table.values[0]);
    let by_key = if prng.chance(50) { format!(", {}", key.name) } else { String::new() };
    let (direction, nulls) = *prng.pick(&[("DESC", "NULLS LAST"), ("ASC", "NULLS FIRST")]);
    let limit = prng.between(1, 3);
    let ranked = |start: &str, end: &str, nulls: &str, rows: &str| {
        format!(
            "FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY {start}, {end}{by_key} ORDER BY {} {direction} {nulls}, id ASC) AS rn \
             FROM {rows}) WHERE rn <= {limit}",
            value.name
        )
    };
    let mut output = Output::windows();
    output.add("id", "id", Answer::Plain, ColumnType::BigInt);
    output.column(value);
    output.add("rn", "rn", Answer::Plain, ColumnType::BigInt);
    let function = window.flink(&table.name, "ts", &names(&table.keys));
    let flink = ranked("window_start", "window_end", "", &function);
    let oracle = windowed(&window, table).map(|rows| ranked("ws", "we", nulls, &rows));
    let question = output.question(Vec::new(), &flink, oracle.as_deref());
    Question { flink_is_right: !window.is_session(), ..question }
}

/// The first groups of each window, by an aggregate; all keys decide between equals.
fn top_groups(table: &Table, prng: &mut Prng) -> Question {
    let window = judged(table, prng);
    let keys = table.keys.clone();
    let aggregate =
        if prng.chance(50) { Aggregate::count() } else { Aggregate::sum(&table.values[0]) };
    let limit = prng.between(1, 4);
    let order = |nulls_last: &str, nulls_first: &str| {
        let keys = keys.iter().map(|key| format!("{} ASC{nulls_first}", key.name));
        [format!("a0 DESC{nulls_last}")].into_iter().chain(keys).collect::<Vec<_>>().join(", ")
    };
    let nested = |start: &str, end: &str, order: &str, calls: &str, rows: &str| {
        format!(
            "FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY {start}, {end} ORDER BY {order}) AS rn FROM \
             (SELECT {start}, {end}, {}, {calls} AS a0 FROM {rows} {})) WHERE rn <= {limit}",
            names(&keys).join(", "),
            group_by(start, end, &keys)
        )
    };
    let mut output = Output::windows();
    keys.iter().for_each(|key| output.column(key));
    output.add("a0", "a0", Answer::Plain, aggregate.ty());
    output.add("rn", "rn", Answer::Plain, ColumnType::BigInt);
    let call = aggregate.flink();
    let function = window.flink(&table.name, "ts", &names(&table.keys));
    let flink = nested("window_start", "window_end", &order("", ""), &call, &function);
    let oracle = windowed(&window, table)
        .map(|rows| nested("ws", "we", &order(" NULLS LAST", " NULLS FIRST"), &call, &rows));
    let question = output.question(Vec::new(), &flink, oracle.as_deref());
    Question { flink_is_right: !window.is_session(), ..question }
}

/// Windows of windows: the time of the inner one's results is the outer one's time.
fn cascade(name: &str, table: &Table, prng: &mut Prng) -> Question {
    // Flink loses the second partition key of a SESSION in a view.
    let inner = Window::any(table.keys.len().min(1), prng);
    let outer = Window::aligned(prng);
    let keys = match inner.is_session() && table.lateness != Lateness::Late && prng.chance(30) {
        true => grouping(table, prng),
        false => partition(&inner, table, prng),
    };
    let sum = Aggregate::sum(&table.values[0]);
    let columns: String = names(&keys).iter().map(|key| format!("{key}, ")).collect();
    let tail: String = names(&keys).iter().map(|key| format!(", {key}")).collect();
    let view = format!(
        "CREATE TEMPORARY VIEW {name} AS SELECT window_time AS rt, {columns}COUNT(*) AS n, {} AS s FROM {} \
         GROUP BY window_start, window_end, window_time{tail}",
        sum.flink(),
        inner.flink(&table.name, "ts", &names(&table.keys)),
    );
    let outer_keys = &keys[..prng.below(keys.len() + 1)];
    let mut output = Output::windows();
    outer_keys.iter().for_each(|key| output.column(key));
    output.add("SUM(n)", "SUM(n)", Answer::Plain, ColumnType::BigInt);
    output.add("COUNT(s)", "COUNT(s)", Answer::Plain, ColumnType::BigInt);
    output.add("MAX(s)", "MAX(s)", Answer::Plain, sum.ty());
    let flink = format!(
        "FROM {} {}",
        outer.flink(name, "rt", &[]),
        group_by("window_start", "window_end", outer_keys)
    );
    let oracle = windowed(&inner, table).map(|rows| {
        let results = format!(
            "(SELECT we - 1 AS ts_ms, {columns}COUNT(*) AS n, {} AS s FROM {rows} GROUP BY ws, we{tail})",
            sum.flink()
        );
        format!("FROM ({}) {}", outer.oracle(&results, &[]), group_by("ws", "we", outer_keys))
    });
    let changing =
        |window: &Window| matches!(window, Window::Session { keys: by, .. } if *by != keys.len());
    let flink_is_right = !changing(&inner);
    Question { flink_is_right, ..output.question(vec![view], &flink, oracle.as_deref()) }
}
