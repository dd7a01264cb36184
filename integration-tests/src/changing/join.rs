//! Regular joins, semi joins in their many spellings, and subqueries as values.

use super::relation::{Both, Field, Maker, Relation, Select};
use crate::value::ColumnType;

/// More rows than this no join is to give.
const MOST_ROWS: usize = 3_000;

/// Columns that are compared by a join.
struct Condition {
    flink: String,
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
    fn condition(&mut self, left: &Relation, right: &Relation, equal: bool) -> Condition {
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
            true => *self.prng.pick(&[
                ("JOIN", "INNER JOIN"),
                ("LEFT JOIN", "LEFT JOIN"),
                ("RIGHT JOIN", "RIGHT JOIN"),
                ("FULL JOIN", "FULL JOIN"),
            ]),
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

    /// EXISTS, NOT EXISTS, IN, NOT IN.
    pub(super) fn semi(&mut self, left: &Relation, right: &Relation) -> Relation {
        let mut select = Select::default();
        self.keep_most(&mut select, "l", left);
        if select.fields.is_empty() {
            self.keep(&mut select, "l", &left.fields[0]);
        }
        let more = if self.prng.chance(20) { self.predicate("l", left) } else { "TRUE".to_owned() };
        let pair = self.pair(left, right).filter(|_| self.prng.chance(55));
        let not = self.prng.chance(50);
        let (l, r) = (left.item("l"), right.item("r"));
        let (name, rest) = match pair {
            Some((x, y)) if not => ("NOT IN", self.not_in(left, right, (&x.name, &y.name), &more)),
            Some((x, y)) => {
                let (x, y) = (x.name, y.name);
                let flink = format!("WHERE l.{x} IN (SELECT r.{y} FROM {}) AND {more}", r.flink);
                let oracle = format!("LEFT SEMI JOIN {} ON l.{x} = r.{y} WHERE {more}", r.oracle);
                (
                    "IN",
                    Both {
                        flink: format!("FROM {} {flink}", l.flink),
                        oracle: format!("FROM {} {oracle}", l.oracle),
                    },
                )
            }
            None => {
                let condition = self.condition(left, right, true).flink;
                let (word, kind) = if not { ("NOT EXISTS", "ANTI") } else { ("EXISTS", "SEMI") };
                let flink = format!(
                    "FROM {} WHERE {word} (SELECT * FROM {} WHERE {condition}) AND {more}",
                    l.flink, r.flink
                );
                let oracle = format!(
                    "FROM {} LEFT {kind} JOIN {} ON {condition} WHERE {more}",
                    l.oracle, r.oracle
                );
                (word, Both { flink, oracle })
            }
        };
        let append = left.append && right.append && !not;
        let made_of = left.with(name, Some(right));
        self.made(select, &rest, append, left.rows, made_of)
    }

    /// The oracle's optimiser need not know the rules of NULL: nothing is outside of a list that has
    /// NULL, and NULL is outside of the empty list only.
    fn not_in(
        &mut self,
        left: &Relation,
        right: &Relation,
        columns: (&str, &str),
        more: &str,
    ) -> Both {
        let (l, r, (x, y)) = (left.item("l"), right.item("r"), columns);
        let flink = format!(
            "FROM {} WHERE l.{x} NOT IN (SELECT r.{y} FROM {}) AND {more}",
            l.flink, r.flink
        );
        let listed = listed(&r.oracle, x, y);
        let oracle = format!(
            "FROM {} {listed} WHERE (q.everything = 0 OR (l.{x} IS NOT NULL AND q.everything = q.known \
             AND f.found IS NULL)) AND {more}",
            l.oracle
        );
        Both { flink, oracle }
    }

    /// IN and NOT IN as a value: TRUE, FALSE or NULL.
    pub(super) fn in_value(&mut self, left: &Relation, right: &Relation) -> Option<Relation> {
        let (x, y) = self.pair(left, right)?;
        let not = if self.prng.chance(40) { "NOT " } else { "" };
        let (l, r, x, y) = (left.item("l"), right.item("r"), x.name, y.name);
        let mut select = Select::default();
        self.keep_most(&mut select, "l", left);
        let value = Both {
            flink: format!("(l.{x} {not}IN (SELECT r.{y} FROM {}))", r.flink),
            oracle: format!(
                "{not}(CASE WHEN q.everything = 0 THEN FALSE WHEN f.found IS NOT NULL THEN TRUE \
                 WHEN l.{x} IS NULL OR q.everything <> q.known THEN NULL ELSE FALSE END)"
            ),
        };
        self.add(&mut select, &value, ColumnType::Boolean, true);
        let listed = listed(&r.oracle, &x, &y);
        let rest = Both {
            flink: format!("FROM {}", l.flink),
            oracle: format!("FROM {} {listed}", l.oracle),
        };
        let made_of = left.with("IN as a value", Some(right));
        Some(self.made(select, &rest, false, left.rows, made_of))
    }

    /// A subquery as a value, alone or by a key, as a column or in a condition.
    pub(super) fn scalar(&mut self, left: &Relation, right: &Relation) -> Relation {
        let call = self.call("r", right, true);
        let text = call.both(&Both::same(""));
        let pair = self.pair(left, right).filter(|_| self.prng.chance(60));
        let mut select = Select::default();
        self.keep_most(&mut select, "l", left);
        let (l, r) = (left.item("l"), right.item("r"));
        let count = text.flink.starts_with("COUNT");
        let (name, value, joined) = match &pair {
            Some((x, y)) => {
                let flink = format!(
                    "(SELECT {} FROM {} WHERE r.{} = l.{})",
                    text.flink, r.flink, y.name, x.name
                );
                let oracle = if count { "COALESCE(s.m, 0)" } else { "s.m" };
                let joined = format!(
                    "LEFT JOIN (SELECT r.{0} AS g, {1} AS m FROM {2} GROUP BY r.{0}) AS s ON l.{3} = s.g",
                    y.name, text.oracle, r.oracle, x.name
                );
                ("correlated subquery", Both { flink, oracle: oracle.to_owned() }, joined)
            }
            None => {
                let flink = format!("(SELECT {} FROM {})", text.flink, r.flink);
                let joined =
                    format!("CROSS JOIN (SELECT {} AS m FROM {}) AS s", text.oracle, r.oracle);
                ("scalar subquery", Both { flink, oracle: "s.m".to_owned() }, joined)
            }
        };
        let mut condition = Both::same("");
        let comparable =
            self.pick(left, |field| field.ty == call.ty && field.ty != ColumnType::Boolean);
        match comparable {
            Some(field) if self.prng.chance(40) => {
                let by = *self.prng.pick(&["<", ">", "<=", ">=", "=", "<>"]);
                condition = value.map(|value| format!(" WHERE l.{} {by} {value}", field.name));
            }
            _ => {
                self.add(&mut select, &value, call.ty, call.exact);
            }
        }
        if select.fields.is_empty() {
            self.keep(&mut select, "l", &left.fields[0]);
        }
        let rest = Both {
            flink: format!("FROM {}{}", l.flink, condition.flink),
            oracle: format!("FROM {} {joined}{}", l.oracle, condition.oracle),
        };
        let made_of = left.with(name, Some(right));
        self.made(select, &rest, false, left.rows, made_of)
    }
}

/// Joins that tell whether `l.x` is among `r.y` (`f.found`), how many rows there are (`q.everything`), and
/// how many without NULL (`q.known`).
fn listed(right: &str, x: &str, y: &str) -> String {
    format!(
        "LEFT JOIN (SELECT DISTINCT r.{y} AS found FROM {right} WHERE r.{y} IS NOT NULL) AS f ON l.{x} = f.found \
         CROSS JOIN (SELECT COUNT(*) AS everything, COUNT(r.{y}) AS known FROM {right}) AS q"
    )
}
