//! Regular joins, by any conditions and by bounds of time.

use super::relation::{Both, Field, Maker, Relation, Select};
use crate::cases::interval;
use crate::value::ColumnType;

/// The kinds of joins that have an equality.
pub(super) const KINDS: &[(&str, &str)] = &[
    ("JOIN", "INNER JOIN"),
    ("LEFT JOIN", "LEFT JOIN"),
    ("RIGHT JOIN", "RIGHT JOIN"),
    ("FULL JOIN", "FULL JOIN"),
];

/// More rows than this no join is to give.
pub(super) const MOST_ROWS: usize = 3_000;

/// Columns that are compared by a join.
pub(super) struct Condition {
    pub(super) flink: String,
    equal: bool,
    null_safe: bool,
    residual: bool,
}

impl Maker<'_> {
    /// Columns of both sides that can be compared.
    pub(super) fn pair(&mut self, left: &Relation, right: &Relation) -> Option<(Field, Field)> {
        let pairs = left.fields.iter().flat_map(|l| {
            let fits =
                move |r: &&Field| l.ty == r.ty && l.is_key() && l.ty != ColumnType::Timestamp;
            right.fields.iter().filter(fits).map(move |r| (l.clone(), r.clone()))
        });
        let pairs: Vec<(Field, Field)> = pairs.collect();
        (!pairs.is_empty()).then(|| self.prng.pick(&pairs).clone())
    }

    /// A condition of `l` and `r`; with `equal` it has an equality if there can be one.
    pub(super) fn condition(
        &mut self,
        left: &Relation,
        right: &Relation,
        equal: bool,
    ) -> Condition {
        let mut parts = Vec::new();
        let (mut has_equal, mut null_safe) = (false, false);
        let pair = if equal { self.pair(left, right) } else { None };
        if let Some((l, r)) = pair {
            has_equal = true;
            null_safe = self.prng.chance(20);
            let by = if null_safe { "IS NOT DISTINCT FROM" } else { "=" };
            parts.push(format!("(l.{} {by} r.{})", l.name, r.name));
            if self.prng.chance(20)
                && let Some((l, r)) = self.pair(left, right)
            {
                parts.push(format!("l.{} = r.{}", l.name, r.name));
            }
        }
        let residual = parts.is_empty() || self.prng.chance(30);
        if residual {
            parts.push(self.residual(left, right));
        }
        Condition { flink: parts.join(" AND "), equal: has_equal, null_safe, residual }
    }

    fn residual(&mut self, left: &Relation, right: &Relation) -> String {
        match self.prng.below(4) {
            0 => self.predicate("l", left),
            1 => self.predicate("r", right),
            _ => match self.pair(left, right) {
                Some((l, r)) if l.ty != ColumnType::Boolean => {
                    let by = *self.prng.pick(&["<", ">", "<=", "<>"]);
                    format!("l.{} {by} r.{}", l.name, r.name)
                }
                _ => self.predicate("r", right),
            },
        }
    }

    /// Both sides, made smaller if a join by any condition could be too large.
    fn sides(
        &mut self,
        left: &Relation,
        right: &Relation,
        cross: bool,
    ) -> (Relation, Relation, usize) {
        let rows = |l: &Relation, r: &Relation| l.rows * r.rows / if cross { 1 } else { 3 };
        let (mut left, mut right) = (left.clone(), right.clone());
        if rows(&left, &right) > MOST_ROWS {
            right = self.group(&right, 1);
        }
        if rows(&left, &right) > MOST_ROWS {
            left = self.group(&left, 1);
        }
        let rows = rows(&left, &right).max(left.rows + right.rows);
        (left, right, rows)
    }

    /// INNER, LEFT, RIGHT, FULL, CROSS.
    pub(super) fn join(&mut self, left: &Relation, right: &Relation) -> Relation {
        let equal = self.prng.chance(85);
        let (left, right, rows) = self.sides(left, right, !equal);
        let condition = self.condition(&left, &right, equal);
        let (kind, name) = match condition.equal {
            true => *self.prng.pick(KINDS),
            false => *self.prng.pick(&[
                ("JOIN", "join without equality"),
                ("LEFT JOIN", "outer join without equality"),
            ]),
        };
        let mut select = Select::default();
        self.keep_most(&mut select, "l", &left);
        self.keep_most(&mut select, "r", &right);
        if select.fields.is_empty() {
            self.keep(&mut select, "l", &left.fields[0]);
        }
        let mut made_of = left.with(name, Some(&right));
        if made_of.iter().filter(|step| step.ends_with("JOIN")).count() > 1 {
            made_of.push("chain of joins");
        }
        made_of.extend(condition.null_safe.then_some("null-safe key"));
        made_of.extend((condition.equal && condition.residual).then_some("residual condition"));
        let aggregated = |side: &Relation| side.has("GROUP BY") || side.has("aggregate of all");
        made_of.extend((aggregated(&left) || aggregated(&right)).then_some("join over aggregates"));
        let on = condition.flink;
        let rest =
            left.item("l").zip(&right.item("r"), |l, r| format!("FROM {l} {kind} {r} ON {on}"));
        let append = left.append && right.append && kind == "JOIN";
        self.made(select, &rest, append, rows, made_of)
    }

    /// Three inputs, mostly such as only insert, by one key; `None`: they have none, or too many rows of it.
    pub(super) fn several(&mut self) -> Option<Relation> {
        let inputs = [0; 3].map(|_| {
            let inserted = self.prng.chance(85);
            self.base(inserted)
        });
        let [left, right, third] = &inputs;
        let (l, r) = self.pair(left, right)?;
        let fits = |field: &&Field| field.ty == l.ty && field.is_key();
        let keys: Vec<Field> = third.fields.iter().filter(fits).cloned().collect();
        if keys.is_empty() {
            return None;
        }
        let s = self.prng.pick(&keys).clone();
        let rows = left.rows * right.rows * third.rows / 25;
        if rows > 2 * MOST_ROWS {
            return None;
        }
        let mut first = format!("l.{} = r.{}", l.name, r.name);
        let before = *self.prng.pick(&[("l", &l), ("r", &r)]);
        let mut second = format!("s.{} = {}.{}", s.name, before.0, before.1.name);
        let residual = self.prng.chance(30);
        if residual {
            first = format!("{first} AND {}", self.predicate("r", right));
            second = format!("{second} AND {}", self.predicate("s", third));
        }
        let mut select = Select::default();
        for (alias, input) in ["l", "r", "s"].into_iter().zip(&inputs) {
            self.keep_most(&mut select, alias, input);
        }
        if select.fields.is_empty() {
            self.keep(&mut select, "s", &s);
        }
        let two = left.item("l").zip(&right.item("r"), |l, r| format!("{l} JOIN {r} ON {first}"));
        let rest = two.zip(&third.item("s"), |two, s| format!("FROM {two} JOIN {s} ON {second}"));
        let append = inputs.iter().all(|input| input.append);
        let name = if append { "join of several by one key" } else { "chain of joins" };
        let mut made_of = left.with(name, Some(right));
        made_of.extend(third.made_of.iter().filter(|step| !left.made_of.contains(step)));
        made_of.extend(residual.then_some("residual condition"));
        Some(self.made(select, &rest, append, rows, made_of))
    }

    /// A relation joined with itself, which is computed once.
    pub(super) fn itself(&mut self, input: &Relation) -> Relation {
        if self.prng.chance(50) {
            return self.join(input, input);
        }
        let name = format!("w_{}", self.name());
        let named = Relation { flink: format!("SELECT * FROM {name}"), ..input.clone() };
        let mut joined = self.join(&named, &named);
        joined.flink = format!("WITH {name} AS ({}) {}", input.flink, joined.flink);
        joined.made_of.push("WITH");
        joined
    }

    /// A join whose condition bounds the time of one side at least, by which rows can be forgotten.
    pub(super) fn join_by_time(&mut self, left: &Relation, right: &Relation) -> Option<Relation> {
        let (lt, rt) = (left.time.clone()?, right.time.clone()?);
        if !self.meet(&lt, &rt) || left.rows * right.rows / 3 > MOST_ROWS {
            return None;
        }
        let (l, r) = self.pair(left, right)?;
        let (lt, rt) = (format!("l.{}", lt.column), format!("r.{}", rt.column));
        let span = self.span(0, 6);
        let bounds = match self.prng.below(4) {
            0 => span.map(|span| format!("{lt} >= {rt} - {span}")),
            1 => span.map(|span| format!("{lt} <= {rt} + {span}")),
            2 => span.map(|span| format!("{rt} >= {lt} - {span}")),
            // As with auctions and bids: until a time that each row says.
            _ => {
                let condition = self.predicate("r", right);
                let longer = self.span(3, 12);
                let from =
                    Both { flink: format!("CAST({rt} AS TIMESTAMP(3))"), oracle: rt.clone() };
                let ends = span.zip(&longer, |short, long| format!("{short}|{long}"));
                from.zip(&ends, |from, ends| {
                    let (short, long) = ends.split_once('|').unwrap_or((ends, ends));
                    format!(
                        "{lt} BETWEEN {rt} AND CASE WHEN {condition} THEN {from} + {short} ELSE {from} + {long} END"
                    )
                })
            }
        };
        let (kind, _) = *self.prng.pick(KINDS);
        let mut select = Select::default();
        self.keep_most(&mut select, "l", left);
        self.keep_most(&mut select, "r", right);
        let from = left.item("l").zip(&right.item("r"), |l, r| format!("FROM {l} {kind} {r}"));
        let equal = format!("l.{} = r.{}", l.name, r.name);
        let rest = from.zip(&bounds, |from, bounds| format!("{from} ON {equal} AND {bounds}"));
        let name =
            if kind == "JOIN" { "join bounded by time" } else { "outer join bounded by time" };
        let made_of = left.with(name, Some(right));
        let rows = left.rows * right.rows / 3;
        Some(self.made(select, &rest, kind == "JOIN", rows.max(left.rows + right.rows), made_of))
    }

    /// So many to so many times the distance of times.
    pub(super) fn span(&mut self, least: i64, most: i64) -> Both {
        let length = self.spacing * self.prng.between(least, most);
        Both { flink: interval(length), oracle: length.to_string() }
    }
}
