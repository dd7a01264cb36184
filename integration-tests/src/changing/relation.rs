//! Queries as they are put together: the same in Flink's SQL and in the oracle's, their columns, and what
//! is known of them. Every column of a step has a name of its own, so that steps nest freely.

use super::table::{Input, Kind};
use crate::cases::Lateness;
use crate::prng::Prng;
use crate::value::ColumnType;

/// A column of a query.
#[derive(Debug, Clone)]
pub struct Field {
    /// Name, `c` and a number.
    pub name: String,
    /// Type by Flink's rules.
    pub ty: ColumnType,
    /// Whether sums of it do not depend on the order.
    pub exact: bool,
}

impl Field {
    /// Whether it may be a key: all but floating-point numbers.
    pub fn is_key(&self) -> bool {
        self.ty != ColumnType::Double
    }

    /// Whether SUM may take it.
    pub fn is_summable(&self) -> bool {
        self.exact && self.ty.is_numeric() && self.ty != ColumnType::SmallInt
    }
}

/// A query in both dialects.
#[derive(Debug, Clone)]
pub struct Relation {
    /// In Flink's SQL.
    pub flink: String,
    /// In the oracle's.
    pub oracle: String,
    /// Its columns.
    pub fields: Vec<Field>,
    /// Whether rows are only added.
    pub append: bool,
    /// The column of event time, if it is still an attribute.
    pub time: Option<Time>,
    /// About how many rows it has at most.
    pub rows: usize,
    /// Columns of which no two rows are ever equal, at any moment of the output.
    pub key: Option<Vec<String>>,
    /// A column without equals and NULL.
    pub unique: Option<String>,
    /// What it is made of, the last step last.
    pub made_of: Vec<&'static str>,
}

/// A time attribute.
#[derive(Debug, Clone)]
pub struct Time {
    /// Its name.
    pub column: String,
    /// Whether no two rows have the same time.
    pub distinct: bool,
    /// The oracle's query without rows that are late; none if no row is.
    pub in_time: Option<String>,
    /// The input whose watermarks it has; none if they stay behind all rows.
    pub of: Option<String>,
}

impl Relation {
    /// The query of a dialect as an item of FROM.
    pub fn item(&self, alias: &str) -> Both {
        Both {
            flink: format!("({}) AS {alias}", self.flink),
            oracle: format!("({}) AS {alias}", self.oracle),
        }
    }

    /// Fields that have a property.
    pub fn some(&self, wanted: impl Fn(&Field) -> bool) -> Vec<&Field> {
        self.fields.iter().filter(|field| wanted(field)).collect()
    }

    /// What both and one more step are made of.
    pub fn with(&self, step: &'static str, other: Option<&Relation>) -> Vec<&'static str> {
        let other = other.map(|other| other.made_of.clone()).unwrap_or_default();
        self.made_of.iter().copied().chain(other).chain([step]).collect()
    }

    /// Whether a step is in it.
    pub fn has(&self, step: &str) -> bool {
        self.made_of.contains(&step)
    }
}

/// A text in both dialects.
#[derive(Debug, Clone)]
pub struct Both {
    /// Flink's.
    pub flink: String,
    /// The oracle's.
    pub oracle: String,
}

impl Both {
    /// One text for both.
    pub fn same(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { oracle: text.clone(), flink: text }
    }

    /// Makes a longer text of this one, alike in both dialects.
    #[must_use]
    pub fn map(&self, longer: impl Fn(&str) -> String) -> Self {
        Self { flink: longer(&self.flink), oracle: longer(&self.oracle) }
    }

    /// Joins two texts, alike in both dialects.
    #[must_use]
    pub fn zip(&self, other: &Self, join: impl Fn(&str, &str) -> String) -> Self {
        Self { flink: join(&self.flink, &other.flink), oracle: join(&self.oracle, &other.oracle) }
    }
}

/// The list of a SELECT.
#[derive(Debug, Default)]
pub struct Select {
    flink: Vec<String>,
    oracle: Vec<String>,
    /// The columns so far.
    pub fields: Vec<Field>,
}

impl Select {
    /// The whole query.
    pub fn query(&self, rest: &Both) -> Both {
        Both {
            flink: format!("SELECT {} {}", self.flink.join(", "), rest.flink),
            oracle: format!("SELECT {} {}", self.oracle.join(", "), rest.oracle),
        }
    }
}

/// Makes queries over the inputs of a run.
pub struct Maker<'a> {
    /// The inputs.
    pub inputs: &'a [Input],
    /// Mean distance of event times, ms.
    pub spacing: i64,
    /// Whether files come while the job runs. Then a source is idle between two files, and others carry
    /// event time past it: rows of two inputs meet in time only if their watermarks are the same.
    pub unbounded: bool,
    /// The source of chance.
    pub prng: Prng,
    next: usize,
}

impl<'a> Maker<'a> {
    /// A maker.
    pub fn new(inputs: &'a [Input], spacing: i64, unbounded: bool, prng: Prng) -> Self {
        Self { inputs, spacing, unbounded, prng, next: 0 }
    }

    /// A name that nothing has yet.
    pub fn name(&mut self) -> String {
        self.next += 1;
        format!("c{}", self.next)
    }

    /// Adds an expression.
    pub fn add(&mut self, select: &mut Select, both: &Both, ty: ColumnType, exact: bool) -> String {
        let name = self.name();
        select.flink.push(format!("{} AS {name}", both.flink));
        select.oracle.push(format!("{} AS {name}", both.oracle));
        select.fields.push(Field { name: name.clone(), ty, exact });
        name
    }

    /// Adds a column of an item.
    pub fn keep(&mut self, select: &mut Select, alias: &str, field: &Field) -> String {
        let column = Both::same(format!("{alias}.{}", field.name));
        self.add(select, &column, field.ty, field.exact)
    }

    /// Adds all columns of a relation, or most of them where there are many.
    pub fn keep_most(&mut self, select: &mut Select, alias: &str, relation: &Relation) {
        for field in &relation.fields {
            if relation.fields.len() < 6 || self.prng.chance(70) {
                self.keep(select, alias, field);
            }
        }
    }

    /// Adds most columns of a relation and always its time; the time as it is called now. Where late rows
    /// are dropped, what comes out has none.
    pub fn keep_timed(
        &mut self,
        select: &mut Select,
        alias: &str,
        relation: &Relation,
    ) -> Option<Time> {
        let mut time = relation.time.clone().filter(|time| time.in_time.is_none());
        for field in &relation.fields {
            let is_time = relation.time.as_ref().is_some_and(|time| time.column == field.name);
            if is_time || self.prng.chance(75) {
                let name = self.keep(select, alias, field);
                time.iter_mut().filter(|_| is_time).for_each(|time| time.column.clone_from(&name));
            }
        }
        time
    }

    /// Whether rows of two inputs meet in time, see [`Maker::unbounded`].
    pub fn meet(&self, one: &Time, other: &Time) -> bool {
        !self.unbounded || one.of == other.of
    }

    /// One of the fields that have a property.
    pub fn pick(&mut self, relation: &Relation, wanted: impl Fn(&Field) -> bool) -> Option<Field> {
        let some = relation.some(wanted);
        (!some.is_empty()).then(|| (*self.prng.pick(&some)).clone())
    }

    /// Up to so many of the fields that may be keys.
    pub fn keys(&mut self, relation: &Relation, most: usize) -> Vec<Field> {
        let mut keys: Vec<Field> = Vec::new();
        for _ in 0..self.prng.below(most + 1) {
            let key = self.pick(relation, |field| {
                field.is_key() && Some(&field.name) != relation.unique.as_ref()
            });
            keys.extend(key.filter(|key| keys.iter().all(|other| other.name != key.name)));
        }
        keys
    }

    /// Any input that a query may begin with.
    pub fn base(&mut self, append: bool) -> Relation {
        let fits = |input: &&Input| match input.kind {
            Kind::Append => true,
            Kind::Changes => !append,
            Kind::Versions | Kind::Ordered => false,
        };
        let inputs: Vec<&Input> = self.inputs.iter().filter(fits).collect();
        let input = *self.prng.pick(&inputs);
        self.input(input)
    }

    /// An input whose times can be compared with those of another one, see [`Maker::unbounded`].
    pub fn beside(&mut self, time: &Time) -> Relation {
        let of = |input: &Input| match input.table.lateness {
            Lateness::Far => None,
            _ => Some(input.table.name.clone()),
        };
        let fits = |input: &&Input| {
            input.kind == Kind::Append && (!self.unbounded || of(input) == time.of)
        };
        let inputs: Vec<&Input> = self.inputs.iter().filter(fits).collect();
        let input = *self.prng.pick(&inputs);
        self.input(input)
    }

    /// An input.
    pub fn input(&mut self, input: &Input) -> Relation {
        let mut select = Select::default();
        let (mut time, mut unique) = (None, None);
        for column in input.table.columns() {
            let stays = ["k0", "v0", "ts"].contains(&column.name.as_str());
            if !stays && self.prng.chance(25) {
                continue;
            }
            let is_time = column.name == "ts";
            let oracle = if is_time { "ts_ms".to_owned() } else { column.name.clone() };
            let both = Both { flink: column.name.clone(), oracle };
            let name = self.add(&mut select, &both, column.ty, true);
            match column.name.as_str() {
                "ts" => time = Some(name),
                "id" => unique = Some(name),
                _ => {}
            }
        }
        let from = format!("FROM {}", input.table.name);
        let late = input.table.lateness == Lateness::Late;
        let in_time =
            late.then(|| select.query(&Both::same(format!("{from} WHERE ts_ms > wm"))).oracle);
        let append = input.kind == Kind::Append;
        let time = time.filter(|_| append).map(|column| Time {
            column,
            distinct: input.distinct_times,
            in_time,
            of: (input.table.lateness != Lateness::Far).then(|| input.table.name.clone()),
        });
        let made_of = vec![if append { "append input" } else { "changing input" }];
        let key = unique.clone().map(|name| vec![name]);
        let made = self.made(select, &Both::same(from), append, input.table.rows.len(), made_of);
        Relation { time, key, unique, ..made }
    }

    /// A condition on columns of an item.
    pub fn predicate(&mut self, alias: &str, relation: &Relation) -> String {
        if self.prng.chance(20) {
            let (one, other) = (self.simple(alias, relation), self.simple(alias, relation));
            return format!("({one} {} {other})", self.prng.pick(&["AND", "OR"]));
        }
        self.simple(alias, relation)
    }

    fn simple(&mut self, alias: &str, relation: &Relation) -> String {
        let field = self.prng.pick(&relation.fields).clone();
        let name = format!("{alias}.{}", field.name);
        let compare = *self.prng.pick(&["<", ">", "<=", ">=", "<>"]);
        if self.prng.chance(15) {
            let not = if self.prng.chance(60) { "NOT " } else { "" };
            return format!("{name} IS {not}NULL");
        }
        match field.ty {
            ColumnType::Int | ColumnType::BigInt | ColumnType::SmallInt if self.prng.chance(40) => {
                format!("{name} % 3 <> {}", self.prng.between(-1, 2))
            }
            ColumnType::Int | ColumnType::BigInt | ColumnType::SmallInt => {
                format!("{name} {compare} {}", self.prng.between(-10, 15))
            }
            ColumnType::Decimal(..) | ColumnType::Double => {
                format!("{name} {compare} {}.5", self.prng.between(-5, 5))
            }
            ColumnType::Text => format!("{name} {compare} '{}'", self.prng.pick(&["", "a", "b"])),
            ColumnType::Boolean => format!("{}{name}", self.prng.pick(&["", "NOT "])),
            ColumnType::Date => format!("{name} {compare} DATE '2023-12-11'"),
            ColumnType::Timestamp => format!("{name} IS NOT NULL"),
        }
    }

    /// Rows that meet a condition, with some columns or values computed from them.
    pub fn calc(&mut self, input: &Relation) -> Relation {
        let mut select = Select::default();
        let mut time = None;
        let mut unique = None;
        for field in &input.fields {
            let name = format!("a.{}", field.name);
            let is_time = input.time.as_ref().is_some_and(|time| time.column == field.name);
            let is_unique = input.unique.as_ref() == Some(&field.name);
            let integer = matches!(field.ty, ColumnType::Int | ColumnType::BigInt);
            if integer && field.exact && !is_unique && self.prng.chance(30) {
                let value = match self.prng.below(3) {
                    0 => format!("{name} + 1"),
                    1 => format!("CASE WHEN {name} IS NULL THEN 7 ELSE {name} END"),
                    _ => format!("COALESCE({name}, 0)"),
                };
                self.add(&mut select, &Both::same(value), field.ty, true);
            } else if is_time || is_unique || self.prng.chance(85) {
                let kept = self.keep(&mut select, "a", field);
                time = if is_time { Some(kept.clone()) } else { time };
                unique = if is_unique { Some(kept) } else { unique };
            }
        }
        if select.fields.is_empty() {
            self.keep(&mut select, "a", &input.fields[0]);
        }
        let condition = self.predicate("a", input);
        let rest = input.item("a").map(|item| format!("FROM {item} WHERE {condition}"));
        let time = time.zip(input.time.as_ref()).map(|(column, time)| Time {
            column,
            distinct: time.distinct,
            of: time.of.clone(),
            in_time: time.in_time.as_ref().map(|rows| {
                let rest = format!("FROM ({rows}) AS a WHERE {condition}");
                select.query(&Both::same(rest)).oracle
            }),
        });
        let made_of = input.with("condition and projection", None);
        let key = unique.clone().map(|name| vec![name]);
        let made = self.made(select, &rest, input.append, input.rows, made_of);
        Relation { time, key, unique, ..made }
    }

    /// A relation of which nothing more is known.
    pub(super) fn made(
        &mut self,
        select: Select,
        rest: &Both,
        append: bool,
        rows: usize,
        made_of: Vec<&'static str>,
    ) -> Relation {
        let query = select.query(rest);
        Relation {
            flink: query.flink,
            oracle: query.oracle,
            fields: select.fields,
            append,
            time: None,
            rows,
            key: None,
            unique: None,
            made_of,
        }
    }
}
