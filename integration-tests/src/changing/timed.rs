//! Joins by event time: in an interval, with the version of a time.

use super::join::MOST_ROWS;
use super::relation::{Both, Maker, Relation, Select, Time};
use super::table::Kind;
use crate::cases::Lateness;

impl Maker<'_> {
    /// A join of rows whose times are near each other.
    pub(super) fn interval_join(&mut self, left: &Relation, right: &Relation) -> Option<Relation> {
        let (lt, rt) = (left.time.clone()?, right.time.clone()?);
        let rows = left.rows * right.rows / 4;
        if !self.meet(&lt, &rt) || rows > MOST_ROWS {
            return None;
        }
        let (before, after) = (self.span(0, 6), self.span(0, 6));
        let (kind, name) = *self.prng.pick(&[
            ("JOIN", "interval INNER JOIN"),
            ("LEFT JOIN", "interval LEFT JOIN"),
            ("RIGHT JOIN", "interval RIGHT JOIN"),
            ("FULL JOIN", "interval FULL JOIN"),
        ]);
        let (l, r) = self.pair(left, right)?;
        let mut on = format!("l.{} = r.{} AND ", l.name, r.name);
        if self.prng.chance(25) {
            on = format!("{on}{} AND ", self.predicate("r", right));
        }
        let between = |before: &str, after: &str| {
            format!("{on}l.{0} BETWEEN r.{1} - {before} AND r.{1} + {after}", lt.column, rt.column)
        };
        let on = before.zip(&after, between);
        let mut select = Select::default();
        let time = self.keep_timed(&mut select, "l", left).filter(|_| kind == "JOIN");
        self.keep_most(&mut select, "r", right);
        let from = left.item("l").zip(&right.item("r"), |l, r| format!("FROM {l} {kind} {r}"));
        let rest = from.zip(&on, |from, on| format!("{from} ON {on}"));
        let time = time.map(|time| Time { distinct: false, ..time });
        let made = self.made(select, &rest, true, rows, left.with(name, Some(right)));
        Some(Relation { time, ..made })
    }

    /// A join with the version that was valid at a row's time.
    pub(super) fn temporal_join(&mut self, left: &Relation) -> Option<Relation> {
        let time = left.time.clone().filter(|time| !self.unbounded || time.of.is_none())?;
        let kind = *self.prng.pick(&[Kind::Versions, Kind::Ordered]);
        let versions = self.inputs.iter().find(|input| input.kind == kind)?;
        let ty = versions.table.keys[0].ty;
        let key = self.pick(left, |field| field.ty == ty)?;
        let outer = self.prng.chance(50);
        let (join, name) = match outer {
            true => ("LEFT JOIN", "temporal LEFT JOIN"),
            false => ("JOIN", "temporal INNER JOIN"),
        };
        let (table, versioned) = (&versions.table.name, versions.versioned());
        let mut select = Select::default();
        let kept = self.keep_timed(&mut select, "l", left).filter(|_| left.append);
        for column in &versions.table.columns()[1..] {
            let oracle = if column.name == "ts" {
                "r.ts_ms".to_owned()
            } else {
                format!("r.{}", column.name)
            };
            let both = Both { flink: format!("r.{}", column.name), oracle };
            self.add(&mut select, &both, column.ty, true);
        }
        let item = left.item("l");
        // A version is valid until the next one of its key; `id` 1 of changes is a deletion.
        let alive = if kind == Kind::Versions { "WHERE id = 0" } else { "WHERE k0 IS NOT NULL" };
        let valid = format!(
            "(SELECT * FROM (SELECT *, LEAD(ts_ms) OVER (PARTITION BY k0 ORDER BY ts_ms) AS until FROM {table}) AS h {alive}) AS r"
        );
        let rest = Both {
            flink: format!(
                "FROM {} {join} {versioned} FOR SYSTEM_TIME AS OF l.{} AS r ON l.{} = r.k0",
                item.flink, time.column, key.name
            ),
            oracle: format!(
                "FROM {0} {join} {valid} ON l.{1} = r.k0 AND l.{2} >= r.ts_ms AND (r.until IS NULL OR l.{2} < r.until)",
                item.oracle, key.name, time.column
            ),
        };
        let mut made_of = left.with(name, None);
        made_of.extend((kind == Kind::Ordered).then_some("versions of a view"));
        let made = self.made(select, &rest, left.append, left.rows, made_of);
        Some(Relation { time: kept, ..made })
    }

    /// Of a table of versions those of now, a table that changes; none if their changes come in any order.
    /// With `timed` their time is an attribute, if it can be: the window of a row that is taken back must
    /// not be over, so the watermark is far behind.
    pub(super) fn latest(&mut self, timed: bool) -> Option<Relation> {
        let kind = *self.prng.pick(&[Kind::Versions, Kind::Ordered]);
        let kind = if timed { Kind::Ordered } else { kind };
        let input = self.inputs.iter().find(|input| input.kind == kind && input.one_by_one)?;
        if timed && input.table.lateness != Lateness::Far {
            return None;
        }
        let mut select = Select::default();
        let (mut time, mut unique) = (None, None);
        for column in &input.table.columns()[1..] {
            let name = &column.name;
            if name == "ts" && kind == Kind::Versions {
                // A deletion has a time of its own.
                continue;
            }
            let both = match (name.as_str(), timed) {
                ("ts", true) => Both { flink: name.clone(), oracle: "ts_ms".to_owned() },
                ("ts", false) => {
                    let flink = "CAST(ts AS TIMESTAMP(3))".to_owned();
                    Both { flink, oracle: "ts_ms".to_owned() }
                }
                _ => Both::same(name.clone()),
            };
            let kept = self.add(&mut select, &both, column.ty, true);
            match name.as_str() {
                "ts" => time = Some(kept).filter(|_| timed),
                "k0" => unique = Some(kept),
                _ => {}
            }
        }
        let alive = if kind == Kind::Versions { " AND id = 0" } else { "" };
        let rest = Both {
            flink: format!("FROM {}", input.versioned()),
            oracle: format!(
                "FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k0 ORDER BY ts_ms DESC) AS nth FROM {}) AS v \
                 WHERE nth = 1{alive}",
                input.table.name
            ),
        };
        let name =
            if kind == Kind::Versions { "versions as they are" } else { "view of last rows" };
        let made = self.made(select, &rest, false, 6, vec!["changing input", name]);
        let time = time.map(|column| Time { column, distinct: true, of: None, in_time: None });
        let key = unique.clone().map(|name| vec![name]);
        // The view may have a row of NULL.
        let unique = unique.filter(|_| kind == Kind::Versions);
        Some(Relation { time, key, unique, ..made })
    }
}
