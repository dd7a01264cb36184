//! Ranks: Top-N in its spellings, first and last rows by event time, ORDER BY with LIMIT.

use super::relation::{Both, Field, Maker, Relation, Select};
use crate::value::ColumnType;

impl Maker<'_> {
    /// Columns in a random order that decides between any two rows that differ.
    pub(super) fn order(&mut self, input: &Relation, all: bool) -> String {
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
        let mut rest = input.item("a").map(|item| {
            format!("FROM (SELECT a.*, {function}() OVER ({partition}ORDER BY {order}) AS rn FROM {item}) AS b WHERE {condition}")
        });
        let mut made_of = input.with(name, None);
        if !with_rank && self.prng.chance(25) {
            let rank = format!("{function}() OVER ({partition}ORDER BY {order})");
            let condition = condition.replace("b.rn", &rank.replace("a.", "b."));
            rest.flink = format!("FROM {} QUALIFY {condition}", input.item("b").flink);
            made_of.push("QUALIFY");
        }
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
        let kept = self.keep_timed(&mut select, "b", input).filter(|_| first);
        let (direction, name) =
            if first { ("ASC", "first row by time") } else { ("DESC", "last row by time") };
        let partition = partition(&keys);
        let rest = self.in_time(input, &time.in_time, first).map(|item| {
            format!("FROM (SELECT a.*, ROW_NUMBER() OVER ({partition}ORDER BY a.{} {direction}) AS rn FROM {item}) AS b WHERE b.rn = 1", time.column)
        });
        let mut made_of = input.with(name, None);
        made_of.extend(time.in_time.is_some().then_some("late rows"));
        let made = self.made(select, &rest, first, input.rows, made_of);
        Some(Relation { key: Some(key), time: kept, ..made })
    }

    /// An input, for the oracle without its late rows if they are dropped.
    pub(super) fn in_time(
        &self,
        input: &Relation,
        in_time: &Option<String>,
        dropped: bool,
    ) -> Both {
        let item = input.item("a");
        match in_time {
            Some(rows) if dropped => Both { oracle: format!("({rows}) AS a"), ..item },
            _ => item,
        }
    }
}

pub(super) fn partition(keys: &[Field]) -> String {
    if keys.is_empty() {
        return String::new();
    }
    let names: Vec<String> = keys.iter().map(|key| format!("a.{}", key.name)).collect();
    format!("PARTITION BY {} ", names.join(", "))
}
