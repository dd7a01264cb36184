//! What a node computes, as digests: the ids of operators come from them.
//!
//! A node has one digest for which rows it has (source, filters, windows, keys) and one per column.
//! They name columns by where their values come from, not by index, so that another query in the
//! script that makes a shared source read more changes no id. Types of columns are left out for the
//! same reason: pruned ROWs differ.

use tidegate_plan::operator::{WindowAggregate, WindowRank};
use tidegate_plan::window::{WindowShape, WindowTime};
use tidegate_plan::{Expr, Literal, NamedExpr};
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

    pub(super) fn aggregate(&self, aggregate: &WindowAggregate) -> Self {
        let rows = self.windows(&aggregate.shape, &aggregate.time).word("group");
        let keys: Vec<Digest> = aggregate.keys.iter().map(|key| self.column(*key)).collect();
        let rows = keys.iter().fold(rows, |digest, key| digest.digest(*key));
        let calls = aggregate.aggregates.iter().map(|call| {
            let argument = call.argument.map_or(Digest::new("*"), |column| self.column(column));
            let filter = call.filter.map_or(Digest::new("-"), |column| self.column(column));
            let digest = rows.word(&format!("{:?} {}", call.function, call.distinct));
            digest.digest(argument).digest(filter)
        });
        let columns = aggregate.columns.iter().map(|column| rows.word(&format!("{column:?}")));
        Self { rows, columns: keys.iter().copied().chain(calls).chain(columns).collect() }
    }

    pub(super) fn rank(&self, rank: &WindowRank) -> Self {
        let mut rows = self.window_time(self.rows.word("rank"), &rank.time);
        for key in &rank.keys {
            rows = rows.digest(self.column(*key));
        }
        for key in &rank.order {
            let order = format!("{} {}", key.descending, key.nulls_first);
            rows = rows.word(&order).digest(self.column(key.column));
        }
        rows = rows.number(rank.from).number(rank.to);
        let number = rank.rank_column.iter().map(|_| rows.word("rank"));
        Self { rows, columns: self.columns.iter().copied().chain(number).collect() }
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

    fn column(&self, index: usize) -> Digest {
        self.columns.get(index).copied().unwrap_or(self.rows)
    }

    fn expr(&self, expr: &Expr) -> Digest {
        match expr {
            Expr::Column { index, .. } => self.column(*index),
            Expr::Literal(literal) => Digest::new("literal").literal(literal),
            Expr::Field { input, index, .. } => {
                let name = match &input.ty().kind {
                    TypeKind::Row(fields) => {
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

impl Digest {
    fn literal(self, literal: &Literal) -> Self {
        self.word(&format!("{:?} {}", literal.value, literal.ty))
    }
}
