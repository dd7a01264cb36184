//! Which columns of a relation bound windows.

use std::cmp::Ordering;

use tidegate_plan::Expr;
use tidegate_plan::NamedExpr;
use tidegate_plan::window::{WindowColumn, WindowShape};

use super::{Aggregate, AggregateWindow, Join, JoinForm, RelOp, Relation};

/// Which columns of a relation are the bounds of a window.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WindowProperties {
    pub(crate) shape: WindowShape,
    pub(crate) event: bool,
    /// Whether they are those of a group window.
    pub(crate) grouping: bool,
    pub(crate) starts: Vec<usize>,
    pub(crate) ends: Vec<usize>,
    pub(crate) times: Vec<usize>,
}

impl WindowProperties {
    /// The properties after columns moved; `None` if a bound got lost.
    fn remap(&self, map: impl Fn(usize) -> Vec<usize>) -> Option<Self> {
        let moved =
            |columns: &[usize]| columns.iter().flat_map(|column| map(*column)).collect::<Vec<_>>();
        let (starts, ends, times) = (moved(&self.starts), moved(&self.ends), moved(&self.times));
        if starts.is_empty() && ends.is_empty() && times.is_empty() {
            return None;
        }
        Some(Self {
            shape: self.shape.clone(),
            event: self.event,
            grouping: self.grouping,
            starts,
            ends,
            times,
        })
    }
}

impl Relation {
    /// Which columns bound windows, if any do.
    pub(crate) fn window(&self) -> Option<WindowProperties> {
        match &self.op {
            RelOp::Scan(_) | RelOp::Values(_) => None,
            RelOp::Project { input, exprs } => {
                let places = |column: usize| {
                    let same = |(_, named): &(usize, &NamedExpr)| matches!(&named.expr, Expr::Column { index, .. } if *index == column);
                    exprs.iter().enumerate().filter(same).map(|(index, _)| index).collect()
                };
                input.window()?.remap(places)
            }
            RelOp::Filter { input, .. }
            | RelOp::Number { input, .. }
            | RelOp::WindowRank { input, .. }
            | RelOp::Over { input, .. }
            | RelOp::Unnest { input, .. }
            | RelOp::Gate { input, .. }
            | RelOp::Late { input, .. }
            | RelOp::Sort { input, .. } => input.window(),
            // The rows change for ever: no window of theirs is complete.
            RelOp::Group { .. } | RelOp::Rank { .. } => None,
            // Its rows are new ones.
            RelOp::Match { .. } => None,
            RelOp::Expand { input, projections } => {
                let places = |column: usize| {
                    let plain = |expr: &Expr| matches!(expr, Expr::Column { index, .. } if *index == column);
                    let in_all =
                        |place: &usize| projections.iter().all(|exprs| plain(&exprs[*place]));
                    (0..self.schema.len()).filter(in_all).collect()
                };
                input.window()?.remap(places)
            }
            RelOp::ToChangelog { input, .. } => input.window()?.remap(|column| vec![column + 1]),
            RelOp::FromChangelog { input, changelog } => {
                let code = changelog.column;
                input.window()?.remap(|column| match column.cmp(&code) {
                    Ordering::Less => vec![column],
                    Ordering::Equal => Vec::new(),
                    Ordering::Greater => vec![column - 1],
                })
            }
            RelOp::Join { left, right, join } => join.window_properties(left, right),
            RelOp::Union { inputs } => {
                let mut all = inputs.iter().map(Self::window);
                let first = all.next()??;
                all.all(|other| other.as_ref() == Some(&first)).then_some(first)
            }
            RelOp::WindowTvf { input, tvf } => {
                let width = input.schema.len();
                Some(WindowProperties {
                    shape: tvf.shape.clone(),
                    event: tvf.time.is_event(),
                    grouping: tvf.grouping,
                    starts: vec![width],
                    ends: vec![width + 1],
                    times: vec![width + 2],
                })
            }
            RelOp::Aggregate { aggregate, .. } => Some(aggregate.window_properties()),
        }
    }
}

impl Join {
    /// A window join's rows have the windows of both sides, other joins of time those of their left rows.
    fn window_properties(&self, left: &Relation, right: &Relation) -> Option<WindowProperties> {
        match &self.form {
            JoinForm::Undecided | JoinForm::Regular => None,
            JoinForm::Window { .. } => {
                let mut own = left.window()?;
                if self.kind.has_right_columns()
                    && let Some(other) = right.window()
                {
                    let width = left.schema.len();
                    let moved = |columns: Vec<usize>| columns.into_iter().map(move |c| c + width);
                    own.starts.extend(moved(other.starts));
                    own.ends.extend(moved(other.ends));
                    own.times.extend(moved(other.times));
                }
                Some(own)
            }
            JoinForm::Interval { .. } | JoinForm::Temporal { .. } | JoinForm::Lookup { .. } => {
                left.window()
            }
        }
    }
}

impl Aggregate {
    /// Whether windows are complete by event time.
    pub(crate) fn is_event(&self) -> bool {
        match self.window {
            AggregateWindow::Time(time) => time.is_event(),
            AggregateWindow::Attached { event, .. } => event,
        }
    }

    fn window_properties(&self) -> WindowProperties {
        let first = self.keys.len() + self.calls.len();
        let places = |wanted: WindowColumn| {
            let columns = self.columns.iter().enumerate();
            columns
                .filter(|(_, column)| **column == wanted)
                .map(|(index, _)| first + index)
                .collect()
        };
        WindowProperties {
            shape: self.shape.clone(),
            event: self.is_event(),
            grouping: false,
            starts: places(WindowColumn::Start),
            ends: places(WindowColumn::End),
            times: places(WindowColumn::Time),
        }
    }
}
