//! Random questions about tables that change: aggregates, joins, ranks, sets and what is composed of
//! them, in Flink's SQL and in DataFusion's, over inputs that grow or change.

mod aggregate;
mod join;
mod over;
mod rank;
mod relation;
mod sets;
mod subquery;
mod table;
mod timed;
mod windowed;

use anyhow::{Result, ensure};

pub use relation::Maker;
use relation::Relation;
pub use table::{Input, Kind, Schema};

use crate::compare::{Row, Shape, canonical_row};
use crate::oracle::Oracle;
use crate::value::{ColumnType, timestamp};

/// What the last step of a question can be; each comes in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Group,
    Nested,
    GroupingSets,
    Distinct,
    Join,
    JoinByTime,
    Itself,
    Chain,
    Several,
    JoinOfAggregates,
    Semi,
    Scalar,
    Lateral,
    Top,
    Limit,
    Deduplicate,
    OverTime,
    OverOther,
    Arrival,
    Set,
    Values,
    Unnest,
    Interval,
    WindowJoin,
    WindowGroup,
    Temporal,
    Sort,
    Plain,
}

/// The frequent ones stand twice.
const IN_TURN: &[Last] = &[
    Last::Group,
    Last::Join,
    Last::Top,
    Last::Interval,
    Last::Semi,
    Last::OverTime,
    Last::Nested,
    Last::Set,
    Last::Temporal,
    Last::Chain,
    Last::Several,
    Last::Deduplicate,
    Last::Scalar,
    Last::GroupingSets,
    Last::Join,
    Last::Top,
    Last::WindowJoin,
    Last::OverOther,
    Last::JoinByTime,
    Last::WindowGroup,
    Last::Set,
    Last::Distinct,
    Last::Unnest,
    Last::Semi,
    Last::Lateral,
    Last::JoinOfAggregates,
    Last::Limit,
    Last::Group,
    Last::Interval,
    Last::OverTime,
    Last::Itself,
    Last::Values,
    Last::Sort,
    Last::Deduplicate,
    Last::Plain,
    Last::Temporal,
    Last::WindowGroup,
    Last::Arrival,
    Last::JoinByTime,
];

/// A question.
#[derive(Debug, Clone)]
pub struct Question {
    /// The query in Flink's SQL.
    pub flink: String,
    /// The query for the oracle.
    pub oracle: String,
    types: Vec<ColumnType>,
    names: Vec<String>,
    /// Places of columns of which no two rows are ever equal.
    pub key: Option<Vec<usize>>,
    /// Whether the key is declared in the sink.
    pub declared: bool,
    /// The place of the column in whose order rows come, if they come in order.
    pub ordered: Option<usize>,
    /// What it is made of.
    pub made_of: Vec<&'static str>,
}

impl Question {
    /// Names of the result's columns.
    pub fn columns(&self) -> &[String] {
        &self.names
    }

    /// How the result's columns are compared.
    pub fn shapes(&self) -> Vec<Shape> {
        self.types.iter().map(|ty| ty.shape()).collect()
    }

    /// `CREATE TABLE` of a sink that takes changes, with one file after the other.
    pub fn sink(&self, name: &str, path: &str) -> String {
        let columns = self.names.iter().zip(&self.types);
        let mut columns: Vec<String> =
            columns.map(|(column, ty)| format!("{column} {}", ty.sql())).collect();
        if let Some(key) = self.key.as_ref().filter(|_| self.declared) {
            let key: Vec<&str> = key.iter().map(|place| self.names[*place].as_str()).collect();
            columns.push(format!("PRIMARY KEY ({}) NOT ENFORCED", key.join(", ")));
        }
        format!(
            "CREATE TABLE {name} ({}) WITH ('connector'='filesystem', 'path'='{path}', 'format'='debezium-json', \
             'debezium-json.encode.decimal-as-plain-number'='true', 'sink.parallelism'='1')",
            columns.join(", ")
        )
    }

    /// The oracle's answer in canonical form.
    ///
    /// # Errors
    /// With the oracle's query.
    pub fn ask(&self, oracle: &Oracle) -> Result<Vec<Row>> {
        let shapes = self.shapes();
        let rows = oracle.query(&self.oracle)?;
        let row = |row: &Row| {
            ensure!(row.len() == self.types.len(), "the oracle's row is too short: {row:?}");
            let value = |(value, ty): (&Option<String>, &ColumnType)| match (value, ty) {
                (Some(millis), ColumnType::Timestamp) => Ok(Some(timestamp(millis.parse()?))),
                (value, _) => Ok(value.clone()),
            };
            let values = row.iter().zip(&self.types).map(value).collect::<Result<Row>>()?;
            canonical_row(&shapes, &values)
        };
        rows.iter().map(row).collect()
    }
}

impl Maker<'_> {
    /// The question of this number; `late`: rows are late, and all is made of what drops them alike.
    pub fn question(&mut self, number: usize, late: bool) -> Question {
        let last = match (IN_TURN[number % IN_TURN.len()], late) {
            (Last::Interval | Last::Temporal | Last::Sort, true) => Last::OverTime,
            (Last::WindowJoin | Last::WindowGroup | Last::JoinByTime, true) => Last::Deduplicate,
            (last, _) => last,
        };
        if last == Last::Sort {
            return self.sorted();
        }
        let depth = self.prng.below(3);
        let relation = self.step(last, depth, late);
        let key = relation.key.as_ref();
        let place = |name: &String| relation.fields.iter().position(|field| field.name == *name);
        let key: Option<Vec<usize>> = key.and_then(|key| key.iter().map(place).collect());
        let declared = key.as_ref().is_some_and(|key| !key.is_empty()) && self.prng.chance(40);
        let mut question = Question {
            key,
            declared,
            types: relation.fields.iter().map(|field| field.ty).collect(),
            names: relation.fields.iter().map(|field| field.name.clone()).collect(),
            flink: relation.flink,
            oracle: relation.oracle,
            ordered: None,
            made_of: relation.made_of,
        };
        if declared {
            // NULL is no key.
            let key = question.key.iter().flatten().map(|place| &question.names[*place]);
            let known: Vec<String> = key.map(|name| format!("q.{name} IS NOT NULL")).collect();
            for sql in [&mut question.flink, &mut question.oracle] {
                *sql = format!("SELECT * FROM ({sql}) AS q WHERE {}", known.join(" AND "));
            }
        }
        question
    }

    /// Rows in the order of time.
    fn sorted(&mut self) -> Question {
        let mut relation = self.base(true);
        if self.prng.chance(50) {
            relation = self.calc(&relation);
        }
        let time = relation.time.as_ref().map(|time| time.column.clone()).unwrap_or_default();
        let place = |field: &relation::Field| field.name == time;
        Question {
            key: None,
            declared: false,
            ordered: relation.fields.iter().position(place),
            types: relation.fields.iter().map(|field| field.ty).collect(),
            names: relation.fields.iter().map(|field| field.name.clone()).collect(),
            flink: format!("{} ORDER BY {time}", relation.flink),
            made_of: relation.with("ORDER BY time", None),
            oracle: relation.oracle,
        }
    }

    /// A query of some steps.
    fn relation(&mut self, depth: usize, late: bool) -> Relation {
        if depth == 0 {
            let latest = self.prng.chance(15) && !late;
            return latest
                .then(|| self.latest(false))
                .flatten()
                .unwrap_or_else(|| self.base(false));
        }
        if self.prng.chance(15) {
            let input = self.relation(depth - 1, late);
            return self.calc(&input);
        }
        let last = *self.prng.pick(&[
            Last::Group,
            Last::Group,
            Last::Join,
            Last::Join,
            Last::Semi,
            Last::Top,
            Last::Deduplicate,
            Last::Set,
            Last::OverTime,
            Last::Distinct,
            Last::Unnest,
            Last::Scalar,
            Last::Interval,
            Last::Temporal,
            Last::Lateral,
            Last::Itself,
            Last::WindowGroup,
            Last::JoinByTime,
        ]);
        let last = match last {
            Last::Interval | Last::Temporal | Last::WindowGroup | Last::JoinByTime if late => {
                Last::Group
            }
            last => last,
        };
        self.step(last, depth - 1, late)
    }

    /// An input with event time, or what comes of one by a step that keeps the time.
    fn timed(&mut self, late: bool) -> Relation {
        let base = self.base(true);
        let Some(time) = base.time.clone().filter(|_| !late && self.prng.chance(55)) else {
            return base;
        };
        let made = match self.prng.below(7) {
            0 | 1 => Some(self.calc(&base)),
            2 | 3 => {
                let other = self.beside(&time);
                self.interval_join(&base, &other)
            }
            4 => self.deduplicate(&base),
            5 => self.temporal_join(&base),
            _ => self.over_time(&base),
        };
        made.filter(|made| made.time.is_some()).unwrap_or(base)
    }

    fn step(&mut self, last: Last, depth: usize, late: bool) -> Relation {
        let made = match last {
            Last::Deduplicate => {
                let input = self.timed(late);
                let input = if input.time.as_ref().is_some_and(|time| time.distinct) {
                    input
                } else {
                    self.base(true)
                };
                self.deduplicate(&input)
            }
            Last::OverTime => {
                let input = self.timed(late);
                self.over_time(&input)
            }
            Last::Interval | Last::JoinByTime => {
                let left = self.timed(late);
                left.time.clone().and_then(|time| {
                    let right = self.beside(&time);
                    let right = if self.prng.chance(30) { self.calc(&right) } else { right };
                    match last {
                        Last::Interval => self.interval_join(&left, &right),
                        _ => self.join_by_time(&left, &right),
                    }
                })
            }
            Last::WindowGroup => {
                let latest = self.prng.chance(30).then(|| self.latest(true)).flatten();
                let input = latest.unwrap_or_else(|| self.timed(late));
                self.window_group(&input)
            }
            Last::Temporal => {
                let mut left = self.timed(late);
                if self.unbounded && left.time.as_ref().is_none_or(|time| time.of.is_some()) {
                    left = self.input(&self.inputs[0]);
                }
                self.temporal_join(&left)
            }
            Last::WindowJoin => Some(self.window_join()),
            Last::Several => self.several(),
            _ => None,
        };
        if let Some(made) = made {
            return made;
        }
        let input = match last {
            Last::Nested | Last::JoinOfAggregates => {
                let inner = self.relation(depth.min(1), late);
                self.group(&inner, 2)
            }
            Last::Chain => {
                let (left, right) = (self.base(false), self.base(false));
                self.join(&left, &right)
            }
            _ => self.relation(depth, late),
        };
        self.on(last, &input, late)
    }

    fn on(&mut self, last: Last, input: &Relation, late: bool) -> Relation {
        let other_depth = self.prng.below(2);
        match last {
            Last::GroupingSets => self.grouping_sets(input),
            Last::Distinct => self.distinct(input),
            Last::Itself => self.itself(input),
            Last::Join | Last::Chain | Last::JoinOfAggregates => {
                let other = self.relation(other_depth, late);
                self.join(input, &other)
            }
            Last::Semi => {
                let other = self.relation(other_depth, late);
                let compared = self.prng.chance(20).then(|| self.compared(input, &other)).flatten();
                compared.unwrap_or_else(|| self.semi(input, &other))
            }
            Last::Lateral => {
                let other = self.relation(other_depth, late);
                self.lateral(input, &other).unwrap_or_else(|| self.semi(input, &other))
            }
            Last::Scalar => {
                let other = self.relation(other_depth, late);
                let listed = self.prng.chance(25).then(|| self.in_value(input, &other)).flatten();
                listed.unwrap_or_else(|| self.scalar(input, &other))
            }
            Last::Set => {
                let other = self.relation(other_depth, late);
                self.set(input, &other).unwrap_or_else(|| self.calc(input))
            }
            Last::Top => self.top(input),
            Last::Limit => self.limit(input),
            Last::Values => self.values(input),
            Last::Unnest => self.unnest(input),
            Last::Arrival => self.arrival(input).unwrap_or_else(|| self.distinct(input)),
            Last::OverOther => self.over_other(input).unwrap_or_else(|| self.calc(input)),
            Last::Plain => self.calc(input),
            _ => self.group(input, 2),
        }
    }
}
