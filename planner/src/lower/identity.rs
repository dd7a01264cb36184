//! What a node computes, as digests: the ids of operators come from them.
//!
//! A node has one digest for which rows it has (source, filters, windows, keys) and one per column.
//! They name columns by where their values come from, not by index, so that another query in the
//! script that makes a shared source read more changes no id. Types of columns are left out for the
//! same reason: pruned ROWs differ.

use super::updating::{frame_text, order_keys};
use tidegate_plan::operator::{
    ChangeCode, Expand, FromChangelog, GroupAggregate, JoinKind, JoinOn, LookupJoin, LookupKey,
    MultiJoin, OverAggregate, Rank, SortKey, ToChangelog, Unnest, WindowAggregate, WindowRank,
};
use tidegate_plan::window::{WindowShape, WindowTime};
use tidegate_plan::{AggregateCall, Expr, Literal, NamedExpr, Operator};
use tidegate_types::TypeKind;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A hash that more can be added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest(u64);

impl Digest {
    pub(super) fn new(kind: &str) -> Self {
        Self(0x7469_6465_6761_7465).word(kind)
    }

    pub(super) fn word(self, text: &str) -> Self {
        Self(xxh3_64_with_seed(text.as_bytes(), self.0.rotate_left(5)))
    }

    pub(super) fn number(self, number: u64) -> Self {
        Self(xxh3_64_with_seed(&number.to_le_bytes(), self.0.rotate_left(7)))
    }

    pub(super) fn digest(self, other: Self) -> Self {
        Self(xxh3_64_with_seed(&other.0.to_le_bytes(), self.0.rotate_left(11)))
    }

    pub(super) fn value(self) -> u64 {
        self.0
    }
}

/// The digests of a node.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    /// Which rows.
    pub(super) rows: Digest,
    /// Which values.
    pub(super) columns: Vec<Digest>,
}

impl Identity {
    /// A table's columns are named after it.
    pub(super) fn source<'a>(table: &str, columns: impl Iterator<Item = &'a str>) -> Self {
        let rows = Digest::new("source").word(table);
        Self { rows, columns: columns.map(|column| rows.word(column)).collect() }
    }

    pub(super) fn values(rows: &[Vec<Literal>], width: usize) -> Self {
        let values = rows
            .iter()
            .flatten()
            .fold(Digest::new("values"), |digest, value| digest.literal(value));
        Self {
            rows: values,
            columns: (0..width).map(|index| values.number(index as u64)).collect(),
        }
    }

    pub(super) fn calc(&self, filter: Option<&Expr>, projection: &[NamedExpr]) -> Self {
        let rows = match filter {
            Some(filter) => self.rows.word("filter").digest(self.expr(filter)),
            None => self.rows,
        };
        Self { rows, columns: projection.iter().map(|named| self.expr(&named.expr)).collect() }
    }

    pub(super) fn union(inputs: &[&Self], width: usize) -> Self {
        let rows =
            inputs.iter().fold(Digest::new("union"), |digest, input| digest.digest(input.rows));
        let column = |index: usize| {
            inputs
                .iter()
                .filter_map(|input| input.columns.get(index))
                .fold(rows, |digest, c| digest.digest(*c))
        };
        Self { rows, columns: (0..width).map(column).collect() }
    }

    /// A window function: the input's columns and the three of the window.
    pub(super) fn window(&self, shape: &WindowShape, time: &WindowTime, keys: &[usize]) -> Self {
        let rows = self.windows(shape, time);
        let rows = keys.iter().fold(rows, |digest, key| digest.digest(self.column(*key)));
        let window = ["window_start", "window_end", "window_time"].map(|name| rows.word(name));
        Self { rows, columns: self.columns.iter().copied().chain(window).collect() }
    }

    /// The late rows of windows: the input's columns.
    pub(super) fn late(&self, shape: &WindowShape, time: &WindowTime) -> Self {
        Self { rows: self.windows(shape, time).word("late"), columns: self.columns.clone() }
    }

    pub(super) fn aggregate(&self, aggregate: &WindowAggregate) -> Self {
        let rows = self.windows(&aggregate.shape, &aggregate.time).word("group");
        let keys: Vec<Digest> = aggregate.keys.iter().map(|key| self.column(*key)).collect();
        let rows = keys.iter().fold(rows, |digest, key| digest.digest(*key));
        let calls = aggregate.aggregates.iter().map(|call| self.call(rows, call));
        let columns = aggregate.columns.iter().map(|column| rows.word(&format!("{column:?}")));
        Self { rows, columns: keys.iter().copied().chain(calls).chain(columns).collect() }
    }

    pub(super) fn window_rank(&self, rank: &WindowRank) -> Self {
        let ranked = self.keyed("rank", &rank.keys, &rank.order);
        let rows = self.window_time(ranked.rows, &rank.time).number(rank.from).number(rank.to);
        let number = rank.rank_column.iter().map(|_| rows.word("rank"));
        Self { rows, columns: self.columns.iter().copied().chain(number).collect() }
    }

    /// An operator that passes its input's columns on, by keys and an order.
    pub(super) fn keyed(&self, kind: &str, keys: &[usize], order: &[SortKey]) -> Self {
        let mut rows = self.rows.word(kind);
        for key in keys {
            rows = rows.digest(self.column(*key));
        }
        for key in order {
            let direction = format!("{} {}", key.descending, key.nulls_first);
            rows = rows.word(&direction).digest(self.column(key.column));
        }
        Self { rows, columns: self.columns.clone() }
    }

    pub(super) fn group(&self, group: &GroupAggregate) -> Self {
        let keys: Vec<Digest> = group.keys.iter().map(|key| self.column(*key)).collect();
        let rows = keys.iter().fold(self.rows.word("group"), |digest, key| digest.digest(*key));
        let calls = group.aggregates.iter().map(|call| self.call(rows, call));
        Self { rows, columns: keys.iter().copied().chain(calls).collect() }
    }

    pub(super) fn expand(&self, expand: &Expand) -> Self {
        let width = expand.projections.first().map_or(0, Vec::len);
        let column = |index: usize| {
            let exprs = expand.projections.iter().map(|exprs| &exprs[index]);
            exprs.fold(Digest::new("expand"), |digest, expr| digest.digest(self.expr(expr)))
        };
        let rows = self.rows.word("expand").number(expand.projections.len() as u64);
        Self { rows, columns: (0..width).map(column).collect() }
    }

    /// The code of the change, then the input's columns.
    pub(super) fn changelog_rows(&self, changelog: &ToChangelog) -> Self {
        let rows = codes(self.rows.word("to-changelog"), &changelog.codes);
        let columns = std::iter::once(rows.word("op")).chain(self.columns.iter().copied());
        Self { rows, columns: columns.collect() }
    }

    /// The input's columns without the code of the change.
    pub(super) fn changelog_of_rows(&self, changelog: &FromChangelog) -> Self {
        let rows = self.rows.word("from-changelog").digest(self.column(changelog.column));
        let columns = self.columns.iter().enumerate();
        let kept = columns.filter(|(index, _)| *index != changelog.column);
        Self {
            rows: codes(rows, &changelog.codes),
            columns: kept.map(|(_, column)| *column).collect(),
        }
    }

    pub(super) fn unnest(&self, unnest: &Unnest, width: usize) -> Self {
        let rows = self.rows.word("unnest").digest(self.expr(&unnest.collection));
        let rows = rows.word(&format!("{} {}", unnest.ordinality, unnest.outer));
        let own = (self.columns.len()..width).map(|index| rows.number(index as u64));
        let all = Self { rows, columns: self.columns.iter().copied().chain(own).collect() };
        match &unnest.condition {
            None => all,
            Some(condition) => {
                Self { rows: all.rows.word("on").digest(all.expr(condition)), ..all }
            }
        }
    }

    pub(super) fn rank(&self, rank: &Rank) -> Self {
        let mut ranked = self.keyed(&format!("{:?}", rank.function), &rank.keys, &rank.order);
        ranked.rows = ranked.rows.number(rank.from).number(rank.to);
        ranked.columns.extend(rank.rank_column.iter().map(|_| ranked.rows.word("rank")));
        ranked
    }

    pub(super) fn over(&self, over: &OverAggregate) -> Self {
        let order = order_keys(&over.order);
        let mut identity = self.keyed("over", &over.keys, &order);
        for group in &over.groups {
            let frame = identity.rows.word(&frame_text(&group.frame));
            let calls = group.aggregates.iter().map(|call| self.call(frame, call));
            identity.columns.extend(calls);
        }
        identity
    }

    pub(super) fn join(&self, right: &Self, operator: &Operator) -> Self {
        let mut rows = self.rows.word(operator.kind()).digest(right.rows);
        let both: Vec<Digest> = self.columns.iter().chain(&right.columns).copied().collect();
        let joined = Self { rows, columns: both };
        let width = self.columns.len();
        let (kind, on, times): (JoinKind, &JoinOn, String) = match operator {
            Operator::Join(join) => (join.kind, &join.on, String::new()),
            Operator::IntervalJoin(join) => {
                (join.kind, &join.on, format!("{} {}", join.lower, join.upper))
            }
            Operator::WindowJoin(join) => (join.kind, &join.on, String::new()),
            Operator::TemporalJoin(join) => (join.kind, &join.on, String::new()),
            _ => return joined,
        };
        rows = rows.word(&format!("{kind:?} {times}"));
        for (a, b) in on.left_keys.iter().zip(&on.right_keys) {
            rows = rows.digest(joined.column(*a)).digest(joined.column(width + b));
        }
        if let Some(condition) = &on.condition {
            rows = rows.digest(joined.expr(condition));
        }
        let columns = if kind.has_right_columns() { joined.columns } else { self.columns.clone() };
        Self { rows, columns }
    }

    /// A join of several inputs by one key.
    pub(super) fn multi_join(inputs: &[&Self], join: &MultiJoin) -> Self {
        let rows = inputs.iter().fold(Digest::new("multi-join"), |rows, one| rows.digest(one.rows));
        let keys = inputs.iter().zip(&join.keys);
        let keys = keys.flat_map(|(input, keys)| keys.iter().map(|key| input.column(*key)));
        let rows = keys.fold(rows, Digest::digest);
        let columns = inputs.iter().flat_map(|input| &input.columns).copied().collect();
        let all = Self { rows, columns };
        let conditions = join.conditions.iter().map(|condition| all.expr(condition));
        Self { rows: conditions.fold(rows, Digest::digest), ..all }
    }

    pub(super) fn lookup(&self, lookup: &LookupJoin) -> Self {
        let mut rows = self.rows.word("lookup").word(&lookup.table.name);
        for (column, key) in &lookup.keys {
            rows = rows.word(&lookup.read[*column].name);
            rows = match key {
                LookupKey::Column(input) => rows.digest(self.column(*input)),
                LookupKey::Constant(value) => rows.literal(value),
            };
        }
        let own = lookup.output.iter().map(|column| rows.word(&lookup.read[*column].name));
        Self { rows, columns: self.columns.iter().copied().chain(own).collect() }
    }

    /// A digest with those of all columns.
    pub(super) fn all(&self, digest: Digest) -> Digest {
        self.columns.iter().fold(digest, |digest, column| digest.digest(*column))
    }

    pub(super) fn call(&self, rows: Digest, call: &AggregateCall) -> Digest {
        let argument = call.argument.map_or(Digest::new("*"), |column| self.column(column));
        let filter = call.filter.map_or(Digest::new("-"), |column| self.column(column));
        let digest = rows.word(&format!("{:?} {}", call.function, call.distinct));
        let digest = call.parameters.iter().fold(digest, |digest, value| digest.literal(value));
        digest.digest(argument).digest(filter)
    }

    fn windows(&self, shape: &WindowShape, time: &WindowTime) -> Digest {
        self.window_time(self.rows.word(&format!("{shape:?}")), time)
    }

    fn window_time(&self, digest: Digest, time: &WindowTime) -> Digest {
        match time {
            WindowTime::Event { column } => digest.word("event").digest(self.column(*column)),
            WindowTime::Processing => digest.word("processing"),
            WindowTime::Attached { start, end } => {
                digest.word("attached").digest(self.column(*start)).digest(self.column(*end))
            }
            WindowTime::AttachedProcessing { start, end } => digest
                .word("attached-processing")
                .digest(self.column(*start))
                .digest(self.column(*end)),
        }
    }

    pub(super) fn column(&self, index: usize) -> Digest {
        self.columns.get(index).copied().unwrap_or(self.rows)
    }

    pub(super) fn expr(&self, expr: &Expr) -> Digest {
        match expr {
            Expr::Column { index, .. } => self.column(*index),
            Expr::Literal(literal) => Digest::new("literal").literal(literal),
            Expr::Field { input, index, .. } => {
                let name = match &input.ty().kind {
                    TypeKind::Row(fields) | TypeKind::Structured { fields, .. } => {
                        fields.get(*index).map_or("", |field| field.name.as_str())
                    }
                    _ => "",
                };
                self.expr(input).word("field").word(name)
            }
            Expr::Call { function, args, .. } => {
                let call =
                    Digest::new("call").word(&function.name).number(u64::from(function.version));
                args.iter().fold(call, |digest, arg| digest.digest(self.expr(arg)))
            }
            Expr::Cast { input, ty, mode } => {
                Digest::new("cast").word(&format!("{ty} {mode:?}")).digest(self.expr(input))
            }
            Expr::Case { branches, otherwise, .. } => branches
                .iter()
                .fold(Digest::new("case"), |digest, (condition, value)| {
                    digest.digest(self.expr(condition)).digest(self.expr(value))
                })
                .digest(self.expr(otherwise)),
        }
    }
}

fn codes(rows: Digest, codes: &[ChangeCode]) -> Digest {
    codes.iter().fold(rows, |rows, code| rows.word(&code.code).word(code.kind.name()))
}

impl Digest {
    fn literal(self, literal: &Literal) -> Self {
        self.word(&format!("{:?} {}", literal.value, literal.ty))
    }
}
