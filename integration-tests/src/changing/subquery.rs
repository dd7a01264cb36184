//! Subqueries: EXISTS and IN in their spellings, values, and LATERAL.

use super::aggregate::Place;
use super::rank::partition;
use super::relation::{Both, Maker, Relation, Select};
use crate::value::ColumnType;

impl Maker<'_> {
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

    /// A comparison with any or all rows of a subquery.
    pub(super) fn compared(&mut self, left: &Relation, right: &Relation) -> Option<Relation> {
        let (x, y) = self.pair(left, right)?;
        if x.ty == ColumnType::Boolean {
            return None;
        }
        let (x, y) = (x.name, y.name);
        // The other two, `<> ANY` and `= ALL`, are refused.
        let (word, only) = *self.prng.pick(&[("ANY", "="), ("ANY", "="), ("ALL", "<>")]);
        let by = *self.prng.pick(&["<", ">", "<=", ">=", only]);
        let (l, r) = (left.item("l"), right.item("r"));
        let mut select = Select::default();
        self.keep_most(&mut select, "l", left);
        let flink =
            format!("FROM {} WHERE l.{x} {by} {word} (SELECT r.{y} FROM {})", l.flink, r.flink);
        // Of all none is an exception, and none that is unknown.
        let (kind, test) = if word == "ANY" { ("SEMI", "") } else { ("ANTI", " IS NOT TRUE") };
        let oracle =
            format!("FROM {} LEFT {kind} JOIN {} ON (l.{x} {by} r.{y}){test}", l.oracle, r.oracle);
        let made_of = left.with(word, Some(right));
        Some(self.made(select, &Both { flink, oracle }, false, left.rows, made_of))
    }

    /// A subquery in FROM that is computed for each row: the first rows by a key, or an aggregate of them.
    pub(super) fn lateral(&mut self, left: &Relation, right: &Relation) -> Option<Relation> {
        let (x, y) = self.pair(left, right)?;
        let outer = self.prng.chance(50);
        let (cross, joined, on) = match outer {
            true => ("LEFT JOIN", "LEFT JOIN", " ON TRUE"),
            false => ("CROSS JOIN", "JOIN", ""),
        };
        let (l, r) = (left.item("l"), right.item("a"));
        let mut select = Select::default();
        self.keep_most(&mut select, "l", left);
        let mut inner = Select::default();
        let same = format!("a.{} = l.{}", y.name, x.name);
        if self.prng.chance(40) {
            let call = self.call("a", right, Place::Value);
            let text = call.both(&Both::same(""));
            let value = self.add(&mut inner, &text, call.ty, call.exact);
            let count = text.flink.starts_with("COUNT");
            let read = if count { format!("COALESCE(s.{value}, 0)") } else { format!("s.{value}") };
            let read = Both { flink: format!("s.{value}"), oracle: read };
            self.add(&mut select, &read, call.ty, call.exact);
            let query = inner.query(&r.map(|r| format!("FROM {r}")));
            let flink =
                format!("FROM {} {cross} LATERAL ({} WHERE {same}) AS s{on}", l.flink, query.flink);
            // An aggregate of nothing is a row too.
            let oracle = format!(
                "FROM {0} LEFT JOIN ({1} GROUP BY a.{2}) AS s ON l.{3} = s.y",
                l.oracle,
                query.oracle.replacen("SELECT", &format!("SELECT a.{} AS y,", y.name), 1),
                y.name,
                x.name
            );
            let made_of = left.with("LATERAL aggregate", Some(right));
            return Some(self.made(select, &Both { flink, oracle }, false, left.rows, made_of));
        }
        let order = self.order(right, true);
        let most = self.prng.between(1, 3);
        self.keep_most(&mut inner, "a", right);
        for field in inner.fields.clone() {
            self.keep(&mut select, "s", &field);
        }
        let query = inner.query(&r.map(|r| format!("FROM {r}")));
        let flink = format!(
            "FROM {} {cross} LATERAL ({} WHERE {same} ORDER BY {order} LIMIT {most}) AS s{on}",
            l.flink, query.flink
        );
        let number = format!(
            "SELECT a.{0} AS y, ROW_NUMBER() OVER ({1}ORDER BY {order}) AS rn,",
            y.name,
            partition(std::slice::from_ref(&y))
        );
        let oracle = format!(
            "FROM {} {joined} ({}) AS s ON l.{} = s.y AND s.rn <= {most}",
            l.oracle,
            query.oracle.replacen("SELECT", &number, 1),
            x.name
        );
        let made_of = left.with("LATERAL Top-N", Some(right));
        let rows = left.rows * most as usize;
        Some(self.made(select, &Both { flink, oracle }, false, rows, made_of))
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
        let call = self.call("r", right, Place::Value);
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
