//! OVER by event time, by other columns, and in the order of arrival.

use super::aggregate::Place;
use super::rank::partition;
use super::relation::{Both, Field, Maker, Relation, Select, Time};
use crate::value::ColumnType;

impl Maker<'_> {
    /// OVER by event time; none if the input has none.
    pub(super) fn over_time(&mut self, input: &Relation) -> Option<Relation> {
        let time = input.time.clone()?;
        let late = time.in_time.is_some();
        let (window, start, mut name) = self.window(input, &time);
        let mut select = Select::default();
        let kept = self.keep_timed(&mut select, "a", input);
        let mut made_of = input.made_of.clone();
        if time.distinct && self.prng.chance(15) {
            name = "ROW_NUMBER and LAG by time";
            self.by_row(&mut select, input, &start);
        } else {
            self.frames(&mut select, input, &window, time.distinct);
            if !late && self.prng.chance(30) {
                let (other, _, name) = self.window(input, &time);
                self.frames(&mut select, input, &other, time.distinct);
                made_of.extend([name, "OVER several windows"]);
            }
        }
        made_of.push(name);
        made_of.extend(late.then_some("late rows"));
        let rest = self.in_time(input, &time.in_time, true).map(|item| format!("FROM {item}"));
        let count = late.then(|| self.counted(&mut select, &window));
        let mut made = self.made(select, &rest, true, input.rows, made_of);
        if let Some(count) = count {
            // Late rows are dropped by who needs the order: not if no result of it is read.
            for sql in [&mut made.flink, &mut made.oracle] {
                *sql = format!("SELECT * FROM ({sql}) AS q WHERE q.{count} > 0");
            }
        }
        Some(Relation { time: kept, ..made })
    }

    /// A window by event time, how it begins, and what it is called.
    fn window(&mut self, input: &Relation, time: &Time) -> (Both, String, &'static str) {
        let rows = time.distinct && self.prng.chance(50);
        let bounded = time.in_time.is_none() && self.prng.chance(60);
        let mut keys = self.keys(input, 2);
        keys.retain(|key| key.name != time.column);
        let start = format!("{}ORDER BY a.{}", partition(&keys), time.column);
        let (from, name) = match (rows, bounded) {
            (true, true) => (Both::same(self.prng.between(1, 6).to_string()), "OVER bounded ROWS"),
            (true, false) => (Both::same("UNBOUNDED"), "OVER unbounded ROWS"),
            (false, true) => (self.span(0, 8), "OVER bounded RANGE"),
            (false, false) => (Both::same("UNBOUNDED"), "OVER unbounded RANGE"),
        };
        let unit = if rows { "ROWS" } else { "RANGE" };
        let frame =
            |from: &str| format!("OVER ({start} {unit} BETWEEN {from} PRECEDING AND CURRENT ROW)");
        (from.map(frame), start, name)
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

    /// Calls over a window; `in_order`: no two rows are at the same place of its order.
    fn frames(&mut self, select: &mut Select, input: &Relation, window: &Both, in_order: bool) {
        for _ in 0..=self.prng.below(3) {
            if in_order && self.prng.chance(20) {
                let field = self.prng.pick(&input.fields).clone();
                let function = *self.prng.pick(&["FIRST_VALUE", "LAST_VALUE"]);
                let call = format!("{function}(a.{})", field.name);
                let both =
                    Both { flink: format!("{call} "), oracle: format!("{call} IGNORE NULLS ") };
                let both = both.zip(window, |call, window| format!("{call}{window}"));
                self.add(select, &both, field.ty, field.exact);
                continue;
            }
            let call = self.call("a", input, Place::Frame);
            let both = call.both(&window.map(|window| format!(" {window}")));
            self.add(select, &both, call.ty, call.exact);
        }
    }

    /// Ranks and counts in the order in which rows come: only what does not depend on it.
    pub(super) fn arrival(&mut self, input: &Relation) -> Option<Relation> {
        let keys = self.keys(input, 2);
        if !input.append || keys.is_empty() {
            return None;
        }
        let by = format!("{}ORDER BY ", partition(&keys));
        let most = self.prng.between(1, 4);
        let mut select = Select::default();
        for key in &keys {
            self.keep(&mut select, "b", key);
        }
        let number = "ROW_NUMBER() OVER";
        let (name, call, condition) = if self.prng.chance(50) {
            if self.prng.chance(50) {
                let rank = Both::same("CAST(b.rn AS BIGINT)");
                self.add(&mut select, &rank, ColumnType::BigInt, true);
            }
            let direction = *self.prng.pick(&["", " DESC"]);
            let call = Both {
                flink: format!("{number} ({by}PROCTIME(){direction})"),
                oracle: format!("{number} ({by}1)"),
            };
            ("Top-N by arrival", call, format!("b.rn <= {most}"))
        } else {
            let bound =
                if self.prng.chance(50) { "UNBOUNDED".to_owned() } else { most.to_string() };
            let counted = match bound.as_str() {
                "UNBOUNDED" => "CAST(b.rn AS BIGINT)".to_owned(),
                _ => format!("LEAST(CAST(b.rn AS BIGINT), CAST({} AS BIGINT))", most + 1),
            };
            let both = Both { flink: "b.rn".to_owned(), oracle: counted };
            self.add(&mut select, &both, ColumnType::BigInt, true);
            let frame = format!("ROWS BETWEEN {bound} PRECEDING AND CURRENT ROW");
            let call = Both {
                flink: format!("COUNT(*) OVER ({by}PROCTIME() {frame})"),
                oracle: format!("{number} ({by}1)"),
            };
            ("OVER by arrival", call, "TRUE".to_owned())
        };
        let rest = input.item("a").zip(&call, |item, call| {
            format!("FROM (SELECT a.*, {call} AS rn FROM {item}) AS b WHERE {condition}")
        });
        let append = name.starts_with("OVER");
        Some(self.made(select, &rest, append, input.rows, input.with(name, None)))
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
        self.frames(&mut select, input, &window, false);
        let rest = input.item("a").map(|item| format!("FROM {item}"));
        let name = if input.append { "OVER by a column" } else { "OVER by a column, of changes" };
        let made_of = input.with(name, None);
        Some(self.made(select, &rest, false, input.rows, made_of))
    }
}
