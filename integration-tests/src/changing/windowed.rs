//! Joins and aggregates of windows.

use super::relation::{Both, Maker, Relation, Select};
use super::table::{Input, Kind};
use crate::cases::window::Window;
use crate::cases::{Lateness, interval};
use crate::value::ColumnType;

impl Maker<'_> {
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

    /// Aggregates per window, by a group window or a table function; none if the input has no time.
    pub(super) fn window_group(&mut self, input: &Relation) -> Option<Relation> {
        let time = input.time.clone().filter(|time| time.in_time.is_none())?.column;
        let mut keys = self.keys(input, 2);
        keys.retain(|key| key.name != time);
        let names: Vec<String> = keys.iter().map(|key| key.name.clone()).collect();
        let size = self.spacing * self.prng.between(1, 10);
        let count = self.prng.between(1, 3);
        let window = match self.prng.below(5) {
            0 | 1 => Window::Tumble { size, offset: 0 },
            2 => Window::Hop { slide: size, count, offset: 0 },
            3 => Window::Cumulate { step: size, count, offset: 0 },
            _ => Window::Session { gap: size / 2 + 1, keys: keys.len() },
        };
        // What two sessions were before a row between them was taken back is not known any more.
        if window.is_session() && !input.append {
            return None;
        }
        let legacy = group_window(&window, &time).filter(|_| self.prng.chance(50));
        let mut select = Select::default();
        let mut key: Vec<String> =
            keys.iter().map(|field| self.keep(&mut select, "a", field)).collect();
        for (part, of_function, oracle) in
            [("START", "window_start", "ws"), ("END", "window_end", "we")]
        {
            let flink = match &legacy {
                Some((function, rest)) => format!("{function}_{part}({rest}"),
                None => format!("a.{of_function}"),
            };
            let both = Both { flink, oracle: format!("a.{oracle}") };
            key.push(self.add(&mut select, &both, ColumnType::Timestamp, true));
        }
        self.calls(&mut select, input);
        let listed: String = names.iter().map(|name| format!("a.{name}, ")).collect();
        let rows = format!("(SELECT *, {time} AS ts_ms, 0 AS id FROM ({}) AS t)", input.oracle);
        let oracle = format!(
            "FROM ({}) AS a GROUP BY {listed}a.ws, a.we",
            window.oracle(&format!("{rows} AS t"), &names)
        );
        let mut made_of =
            input.with(if legacy.is_some() { "group window" } else { "window aggregate" }, None);
        made_of.extend((!input.append).then_some("windows of changes"));
        let made = match legacy {
            Some((function, arguments)) => {
                let from = input.item("a").flink;
                let flink = format!("FROM {from} GROUP BY {listed}{function}({arguments}");
                self.made(select, &Both { flink, oracle }, true, input.rows * 2, made_of)
            }
            None => {
                let name = format!("w_{}", self.name());
                let function = window.flink(&name, &time, &names);
                let flink =
                    format!("FROM {function} AS a GROUP BY {listed}a.window_start, a.window_end");
                let made =
                    self.made(select, &Both { flink, oracle }, true, input.rows * 2, made_of);
                Relation {
                    flink: format!("WITH {name} AS ({}) {}", input.flink, made.flink),
                    ..made
                }
            }
        };
        Some(Relation { key: Some(key), ..made })
    }
}

/// The function of a group window, and its arguments with the closing parenthesis; none if there is no such.
fn group_window(window: &Window, time: &str) -> Option<(&'static str, String)> {
    Some(match window {
        Window::Tumble { size, .. } => ("TUMBLE", format!("a.{time}, {})", interval(*size))),
        Window::Hop { slide, count, .. } => {
            ("HOP", format!("a.{time}, {}, {})", interval(*slide), interval(slide * count)))
        }
        Window::Session { gap, .. } => ("SESSION", format!("a.{time}, {})", interval(*gap))),
        Window::Cumulate { .. } => return None,
    })
}
