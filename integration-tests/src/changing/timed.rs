//! Joins by event time: in an interval, in a window, with the version of a time.

use super::relation::{Both, Maker, Relation, Select, Time};
use super::table::{Input, Kind};
use crate::cases::window::Window;
use crate::cases::{Lateness, interval};
use crate::value::ColumnType;

impl Maker<'_> {
    /// A join of rows whose times are near each other.
    pub(super) fn interval_join(&mut self, left: &Relation, right: &Relation) -> Option<Relation> {
        let (lt, rt) = (left.time.clone()?, right.time.clone()?);
        if self.unbounded && lt.of != rt.of {
            return None;
        }
        let before = self.spacing * self.prng.between(0, 6);
        let after = self.spacing * self.prng.between(0, 6);
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
        let on = Both {
            flink: between(&interval(before), &interval(after)),
            oracle: between(&before.to_string(), &after.to_string()),
        };
        let mut select = Select::default();
        let mut time = None;
        for field in &left.fields {
            let is_time = field.name == lt.column;
            if is_time || self.prng.chance(75) {
                let name = self.keep(&mut select, "l", field);
                time = if is_time { Some(name) } else { time };
            }
        }
        self.keep_most(&mut select, "r", right);
        let from = left.item("l").zip(&right.item("r"), |l, r| format!("FROM {l} {kind} {r}"));
        let rest = from.zip(&on, |from, on| format!("{from} ON {on}"));
        let rows = left.rows * right.rows / 4;
        let time = time.filter(|_| kind == "JOIN").map(|column| Time {
            of: lt.of.clone(),
            column,
            distinct: false,
            in_time: None,
        });
        let made = self.made(select, &rest, true, rows, left.with(name, Some(right)));
        Some(Relation { time, ..made })
    }

    /// A join of the rows of the same windows.
    pub(super) fn window_join(&mut self) -> Relation {
        let inputs: Vec<&Input> =
            self.inputs.iter().filter(|input| input.kind == Kind::Append).collect();
        let left = *self.prng.pick(&inputs);
        let together = |input: &&&Input| {
            let far = |input: &Input| input.table.lateness == Lateness::Far;
            let same = input.table.name == left.table.name || far(input) && far(left);
            !self.unbounded || same
        };
        let inputs: Vec<&Input> = inputs.iter().filter(together).copied().collect();
        let right = *self.prng.pick(&inputs);
        let size = self.spacing * self.prng.between(1, 10);
        let window = match self.prng.below(3) {
            0 => Window::Tumble { size, offset: 0 },
            1 => Window::Hop { slide: size, count: self.prng.between(1, 3), offset: 0 },
            _ => Window::Cumulate { step: size, count: self.prng.between(1, 3), offset: 0 },
        };
        let item = |input: &Input, alias: &str| {
            let function = window.flink(&input.table.name, "ts", &[]);
            Both {
                flink: format!("(SELECT * FROM {function}) AS {alias}"),
                oracle: format!("({}) AS {alias}", window.oracle(&input.table.name, &[])),
            }
        };
        let (l, r) = (item(left, "l"), item(right, "r"));
        let mut select = Select::default();
        let bound = |alias: &str, flink: &str, oracle: &str| Both {
            flink: format!("{alias}.{flink}"),
            oracle: format!("{alias}.{oracle}"),
        };
        let of_left = |maker: &mut Self, select: &mut Select| {
            let start = bound("l", "window_start", "ws");
            maker.add(select, &start, ColumnType::Timestamp, true);
            let end = bound("l", "window_end", "we");
            maker.add(select, &end, ColumnType::Timestamp, true);
            maker.columns(select, "l", left);
        };
        of_left(self, &mut select);
        let mut on = "l.k0 = r.k0".to_owned();
        if self.prng.chance(30) {
            on.push_str(" AND l.v0 > r.v0");
        }
        let windows = |start: &str, end: &str| {
            format!("{on} AND l.{start} = r.{start} AND l.{end} = r.{end}")
        };
        let on = Both { flink: windows("window_start", "window_end"), oracle: windows("ws", "we") };
        let (name, rest) = if self.prng.chance(35) {
            let not = self.prng.chance(50);
            let (word, kind) = if not { ("NOT EXISTS", "ANTI") } else { ("EXISTS", "SEMI") };
            let flink = format!(
                "FROM {} WHERE {word} (SELECT * FROM {} WHERE {})",
                l.flink, r.flink, on.flink
            );
            let oracle =
                format!("FROM {} LEFT {kind} JOIN {} ON {}", l.oracle, r.oracle, on.oracle);
            ("window semi and anti join", Both { flink, oracle })
        } else {
            let (kind, name) = *self.prng.pick(&[
                ("JOIN", "window INNER JOIN"),
                ("LEFT JOIN", "window outer join"),
                ("RIGHT JOIN", "window outer join"),
                ("FULL JOIN", "window outer join"),
            ]);
            self.columns(&mut select, "r", right);
            let from = l.zip(&r, |l, r| format!("FROM {l} {kind} {r}"));
            (name, from.zip(&on, |from, on| format!("{from} ON {on}")))
        };
        self.made(select, &rest, true, 500, vec!["append input", name])
    }

    /// Some columns of a table itself.
    fn columns(&mut self, select: &mut Select, alias: &str, input: &Input) {
        for column in input.table.columns() {
            if self.prng.chance(60) {
                let oracle = if column.name == "ts" { "ts_ms" } else { &column.name };
                let both = Both {
                    flink: format!("{alias}.{}", column.name),
                    oracle: format!("{alias}.{oracle}"),
                };
                self.add(select, &both, column.ty, true);
            }
        }
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
        self.keep_most(&mut select, "l", left);
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
        Some(self.made(select, &rest, left.append, left.rows, made_of))
    }
}
