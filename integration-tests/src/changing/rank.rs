//! Ranks: Top-N in its spellings, first and last rows by event time, ORDER BY with LIMIT; and OVER.

use super::relation::{Both, Field, Maker, Relation, Select};
use crate::cases::interval;
use crate::value::ColumnType;

impl Maker<'_> {
    /// Columns in a random order that decides between any two rows that differ.
    fn order(&mut self, input: &Relation, all: bool) -> String {
        let mut fields = input.fields.clone();
        for place in (1..fields.len()).rev() {
            let other = self.prng.below(place + 1);
            fields.swap(place, other);
        }
        if !all {
            fields.truncate(1 + self.prng.below(2));
        }
        let order = fields.iter().map(|field| {
            let direction = *self.prng.pick(&["ASC", "DESC"]);
            format!("a.{} {direction} NULLS {}", field.name, self.prng.pick(&["FIRST", "LAST"]))
        });
        order.collect::<Vec<_>>().join(", ")
    }

    /// The first rows of each partition.
    pub(super) fn top(&mut self, input: &Relation) -> Relation {
        let (function, name) = *self.prng.pick(&[
            ("ROW_NUMBER", "Top-N by ROW_NUMBER"),
            ("ROW_NUMBER", "Top-N by ROW_NUMBER"),
            ("RANK", "Top-N by RANK"),
            ("DENSE_RANK", "Top-N by DENSE_RANK"),
        ]);
        let keys = self.keys(input, 2);
        let order = self.order(input, function == "ROW_NUMBER");
        let (condition, first) = self.ranks();
        let mut select = Select::default();
        let key: Vec<String> = keys.iter().map(|key| self.keep(&mut select, "b", key)).collect();
        for field in &input.fields {
            if keys.iter().all(|key| key.name != field.name) && self.prng.chance(75) {
                self.keep(&mut select, "b", field);
            }
        }
        let with_rank = select.fields.is_empty() || self.prng.chance(50);
        let mut key = (function == "ROW_NUMBER" && (with_rank || first)).then_some(key);
        if with_rank {
            let rank = self.add(
                &mut select,
                &Both { flink: "b.rn".to_owned(), oracle: "CAST(b.rn AS BIGINT)".to_owned() },
                ColumnType::BigInt,
                true,
            );
            key.iter_mut().for_each(|key| key.push(rank.clone()));
        }
        let partition = partition(&keys);
        let rest = input.item("a").map(|item| {
            format!("FROM (SELECT a.*, {function}() OVER ({partition}ORDER BY {order}) AS rn FROM {item}) AS b WHERE {condition}")
        });
        let mut made_of = input.with(name, None);
        made_of.push(if with_rank { "Top-N with rank" } else { "Top-N without rank" });
        made_of.push(if input.append { "Top-N of added rows" } else { "Top-N of changes" });
        Relation { key, ..self.made(select, &rest, false, input.rows, made_of) }
    }

    /// A condition on the rank, and whether it is that of the first row.
    fn ranks(&mut self) -> (String, bool) {
        let limit = self.prng.between(1, 5);
        match self.prng.below(5) {
            0 => ("b.rn = 1".to_owned(), true),
            1 => (format!("b.rn < {}", limit + 1), limit == 1),
            2 => (format!("{limit} >= b.rn"), limit == 1),
            3 => (format!("b.rn BETWEEN {limit} AND {}", limit + 2), false),
            _ => (format!("b.rn <= {limit}"), limit == 1),
        }
    }

    /// ORDER BY … LIMIT.
    pub(super) fn limit(&mut self, input: &Relation) -> Relation {
        let mut select = Select::default();
        for field in &input.fields {
            self.keep(&mut select, "a", field);
        }
        let order = self.order(input, true);
        let offset = match self.prng.chance(30) {
            true => format!(" OFFSET {}", self.prng.between(1, 3)),
            false => String::new(),
        };
        let limit = self.prng.between(1, 6);
        let rest = input
            .item("a")
            .map(|item| format!("FROM {item} ORDER BY {order} LIMIT {limit}{offset}"));
        let made_of = input.with("ORDER BY with LIMIT", None);
        self.made(select, &rest, false, limit as usize, made_of)
    }

    /// The first or the last row per key by event time; none if the input has no times of its own.
    pub(super) fn deduplicate(&mut self, input: &Relation) -> Option<Relation> {
        let time = input.time.clone().filter(|time| time.distinct)?;
        let mut keys = self.keys(input, 2);
        keys.retain(|key| key.name != time.column);
        let first = self.prng.chance(50);
        let mut select = Select::default();
        let key: Vec<String> = keys.iter().map(|key| self.keep(&mut select, "b", key)).collect();
        self.keep_most(&mut select, "b", input);
        if select.fields.is_empty() {
            self.keep(&mut select, "b", &input.fields[0]);
        }
        let (direction, name) =
            if first { ("ASC", "first row by time") } else { ("DESC", "last row by time") };
        let partition = partition(&keys);
        let rest = self.in_time(input, &time.in_time, first).map(|item| {
            format!("FROM (SELECT a.*, ROW_NUMBER() OVER ({partition}ORDER BY a.{} {direction}) AS rn FROM {item}) AS b WHERE b.rn = 1", time.column)
        });
        let mut made_of = input.with(name, None);
        made_of.extend(time.in_time.is_some().then_some("late rows"));
        Some(Relation { key: Some(key), ..self.made(select, &rest, first, input.rows, made_of) })
    }

    /// An input, for the oracle without its late rows if they are dropped.
    fn in_time(&self, input: &Relation, in_time: &Option<String>, dropped: bool) -> Both {
        let item = input.item("a");
        match in_time {
            Some(rows) if dropped => Both { oracle: format!("({rows}) AS a"), ..item },
            _ => item,
        }
    }

    /// OVER by event time; none if the input has none.
    pub(super) fn over_time(&mut self, input: &Relation) -> Option<Relation> {
        let time = input.time.clone()?;
        let late = time.in_time.is_some();
        let rows = time.distinct && self.prng.chance(50);
        let bounded = !late && self.prng.chance(60);
        let frame = match (rows, bounded) {
            (true, true) => {
                let count = self.prng.between(1, 6);
                Both::same(format!("ROWS BETWEEN {count} PRECEDING AND CURRENT ROW"))
            }
            (true, false) => Both::same("ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"),
            (false, true) => {
                let length = self.spacing * self.prng.between(0, 8);
                let range =
                    |length: &str| format!("RANGE BETWEEN {length} PRECEDING AND CURRENT ROW");
                Both { flink: range(&interval(length)), oracle: range(&length.to_string()) }
            }
            (false, false) => Both::same("RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"),
        };
        let mut keys = self.keys(input, 2);
        keys.retain(|key| key.name != time.column);
        let start = format!("{}ORDER BY a.{}", partition(&keys), time.column);
        let window = frame.map(|frame| format!("OVER ({start} {frame})"));
        let mut select = Select::default();
        self.keep_most(&mut select, "a", input);
        let by_row = time.distinct && !bounded && self.prng.chance(25);
        if by_row {
            self.by_row(&mut select, input, &start);
        } else {
            self.frames(&mut select, input, &window);
        }
        let rest = self.in_time(input, &time.in_time, true).map(|item| format!("FROM {item}"));
        let name = match (rows, bounded) {
            (true, true) => "OVER bounded ROWS",
            (true, false) => "OVER unbounded ROWS",
            (false, true) => "OVER bounded RANGE",
            (false, false) => "OVER unbounded RANGE",
        };
        let name = if by_row { "ROW_NUMBER and LAG by time" } else { name };
        let mut made_of = input.with(name, None);
        made_of.extend(late.then_some("late rows"));
        let count = late.then(|| self.counted(&mut select, &window));
        let mut made = self.made(select, &rest, true, input.rows, made_of);
        if let Some(count) = count {
            // Late rows are dropped by who needs the order: not if no result of it is read.
            for sql in [&mut made.flink, &mut made.oracle] {
                *sql = format!("SELECT * FROM ({sql}) AS q WHERE q.{count} > 0");
            }
        }
        Some(made)
    }

    /// Adds the number of rows of a frame.
    fn counted(&mut self, select: &mut Select, window: &Both) -> String {
        let count = window.map(|window| format!("COUNT(*) {window}"));
        self.add(select, &count, ColumnType::BigInt, true)
    }

    /// Functions of the order of rows.
    fn by_row(&mut self, select: &mut Select, input: &Relation, start: &str) {
        let number = Both {
            flink: format!("ROW_NUMBER() OVER ({start})"),
            oracle: format!("CAST(ROW_NUMBER() OVER ({start}) AS BIGINT)"),
        };
        self.add(select, &number, ColumnType::BigInt, true);
        let field = self.prng.pick(&input.fields).clone();
        let distance = self.prng.between(1, 3);
        let lag = Both::same(format!("LAG(a.{}, {distance}) OVER ({start})", field.name));
        self.add(select, &lag, field.ty, field.exact);
    }

    fn frames(&mut self, select: &mut Select, input: &Relation, window: &Both) {
        for _ in 0..=self.prng.below(3) {
            let call = self.call("a", input, true);
            let both = call.both(&window.map(|window| format!(" {window}")));
            self.add(select, &both, call.ty, call.exact);
        }
    }

    /// OVER by any column, also of rows that change.
    pub(super) fn over_other(&mut self, input: &Relation) -> Option<Relation> {
        // Rows that change have no order by a time attribute.
        let not_time = |field: &Field| field.is_key() && field.ty != ColumnType::Timestamp;
        let unique = input.unique.clone().filter(|_| self.prng.chance(70));
        let (order, frame) = match unique {
            Some(unique) => (unique, *self.prng.pick(&["ROWS", "RANGE"])),
            None => (self.pick(input, not_time)?.name, "RANGE"),
        };
        let mut keys = self.keys(input, 2);
        keys.retain(|key| key.name != order);
        let start = format!("{}ORDER BY a.{order}", partition(&keys));
        let frame = format!("{frame} BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW");
        let window = Both {
            flink: format!("OVER ({start} {frame})"),
            oracle: format!("OVER ({start} ASC NULLS FIRST {frame})"),
        };
        let mut select = Select::default();
        self.keep_most(&mut select, "a", input);
        self.frames(&mut select, input, &window);
        let rest = input.item("a").map(|item| format!("FROM {item}"));
        let name = if input.append { "OVER by a column" } else { "OVER by a column, of changes" };
        let made_of = input.with(name, None);
        Some(self.made(select, &rest, false, input.rows, made_of))
    }
}

fn partition(keys: &[Field]) -> String {
    if keys.is_empty() {
        return String::new();
    }
    let names: Vec<String> = keys.iter().map(|key| format!("a.{}", key.name)).collect();
    format!("PARTITION BY {} ", names.join(", "))
}
