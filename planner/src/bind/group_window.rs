//! Group windows, the older form of windows: `GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE)` with
//! `TUMBLE_START(…)` and its like. They become a window table function below the aggregate.

use sqlparser::ast;
use tidegate_plan::window::WindowShape;
use tidegate_plan::{Expr, Literal, Scalar};
use tidegate_types::{Result, Span, TimeAttribute, TypeKind};

use super::expr::{ExprBinder, simple_name};
use super::former_time::former_time;
use super::scope::{Scope, ScopeColumn};
use super::window_tvf;
use super::{Binder, semantic};
use crate::algebra::{Relation, TvfTime, WindowTvf};

/// The window of a GROUP BY.
#[derive(Debug, Clone)]
pub(super) struct GroupWindow {
    /// The call as written, to know it again.
    call: ast::Function,
    /// `TUMBLE`, `HOP` or `SESSION`.
    kind: &'static str,
    /// The window's columns: start, end, time.
    columns: [Expr; 3],
}

const KINDS: &[&str] = &["TUMBLE", "HOP", "SESSION"];

impl GroupWindow {
    /// Whether an expression of GROUP BY is the window.
    pub(super) fn is(&self, node: &ast::Expr) -> bool {
        matches!(node, ast::Expr::Function(call) if same_call(call, &self.call))
    }

    /// What is grouped by instead.
    pub(super) fn keys(&self) -> Vec<Expr> {
        self.columns.to_vec()
    }
}

impl Binder<'_> {
    /// Finds the window among the expressions of GROUP BY and puts it below the aggregate.
    pub(super) fn group_window(
        &mut self,
        relation: &mut Relation,
        scope: &mut Scope,
        nodes: &[ast::Expr],
    ) -> Result<Option<GroupWindow>> {
        let mut found = nodes.iter().filter_map(|node| match node {
            ast::Expr::Function(call) => window_kind(call).map(|kind| (kind, call, node)),
            _ => None,
        });
        let Some((kind, call, node)) = found.next() else { return Ok(None) };
        let span = self.span_of(node);
        if found.next().is_some() {
            return Err(semantic("GROUP BY takes one window", span));
        }
        let args = super::call::plain_arguments(call, span)?;
        let (time, column) = self.group_time(kind, args.first().copied(), relation, scope, span)?;
        let mut lengths = Vec::new();
        for node in args.iter().skip(1) {
            lengths.push(self.window_length(kind, node)?);
        }
        let shape = group_shape(kind, &lengths, span)?;
        let partition_keys = match shape {
            WindowShape::Session { .. } => self.session_keys(relation, scope, nodes, node)?,
            _ => Vec::new(),
        };
        let input = std::mem::replace(relation, Relation::empty());
        let width = input.schema.len();
        let tvf = WindowTvf { shape, time, partition_keys, grouping: true };
        *relation = window_tvf::build(input, tvf, column);
        let at = |offset: usize| {
            Expr::column(width + offset, relation.schema[width + offset].ty.clone())
        };
        let columns = [at(0), at(1), nullable(at(2))];
        // The scope keeps to the relation, so that what is bound over it finds its columns.
        scope.columns.extend(relation.schema[scope.columns.len()..].iter().map(|field| {
            ScopeColumn {
                qualifier: None,
                name: field.name.clone(),
                ty: field.ty.clone(),
                hidden: true,
                origin: None,
                table: None,
                denied: None,
            }
        }));
        Ok(Some(GroupWindow { call: call.clone(), kind, columns }))
    }

    fn group_time(
        &self,
        kind: &str,
        node: Option<&ast::Expr>,
        relation: &Relation,
        scope: &Scope,
        span: Span,
    ) -> Result<(TvfTime, usize)> {
        let Some(node) = node else {
            return Err(semantic(format!("{kind} needs a time column first"), span));
        };
        let bound = ExprBinder::new(self, scope, "GROUP BY").bind(node)?;
        let column = match bound {
            Expr::Column { index, .. } => Some((index, former_time(relation, index))),
            _ => None,
        };
        match column {
            Some((index, TimeAttribute::Event)) => Ok((TvfTime::Event(index), index)),
            Some((index, TimeAttribute::Processing)) => Ok((TvfTime::Processing, index)),
            _ => {
                let message = format!(
                    "the window function {kind} requires a time attribute, this is {}",
                    bound.ty()
                );
                Err(semantic(message, self.span_of(node))
                    .help("name the column of WATERMARK FOR, or a column AS PROCTIME()"))
            }
        }
    }

    /// Sessions are found per group: the other expressions of GROUP BY become columns.
    fn session_keys(
        &self,
        relation: &mut Relation,
        scope: &mut Scope,
        nodes: &[ast::Expr],
        window: &ast::Expr,
    ) -> Result<Vec<usize>> {
        let mut keys = Vec::new();
        for node in nodes.iter().filter(|node| *node != window) {
            match ExprBinder::new(self, scope, "GROUP BY").bind(node)? {
                Expr::Column { index, .. } => keys.push(index),
                _ => {
                    return Err(semantic(
                        "beside SESSION(…) GROUP BY takes columns",
                        self.span_of(node),
                    )
                    .help("compute the key in a subquery: FROM (SELECT *, f(x) AS k FROM t)"));
                }
            }
        }
        debug_assert!(keys.iter().all(|key| *key < relation.schema.len()));
        Ok(keys)
    }
}

impl ExprBinder<'_, '_> {
    /// `TUMBLE_START(…)` and its like, if the name is one of those.
    pub(super) fn group_window_bound(
        &mut self,
        name: &str,
        call: &ast::Function,
        span: Span,
    ) -> Result<Option<Expr>> {
        let split = name.split_once('_').filter(|(kind, _)| KINDS.contains(kind));
        let Some((kind, bound)) = split else {
            if !KINDS.contains(&name) && name != "CUMULATE" {
                return Ok(None);
            }
            let help = "it stands in GROUP BY, or is a table function: FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE))";
            return Err(semantic(format!("{name} is no function of a value"), span).help(help));
        };
        let place = match bound {
            "START" => 0,
            "END" => 1,
            "ROWTIME" | "PROCTIME" => 2,
            _ => return Ok(None),
        };
        let Some(window) = self.group_window else {
            let message = format!("{name} needs {kind}(…) in GROUP BY");
            return Err(semantic(message, span)
                .help("with window table functions select window_start and window_end instead"));
        };
        if window.kind != kind || window.call.args != call.args {
            return Err(semantic(
                format!("{name} must have the arguments of {}(…) in GROUP BY", window.kind),
                span,
            ));
        }
        let column = window.columns[place].clone();
        let processing = column.ty().kind.time_attribute() == TimeAttribute::Processing;
        if bound == "PROCTIME" && !processing {
            // As in Flink: a window of event time has no processing time, which is NULL then.
            let ty = column.ty().clone();
            return Ok(Some(Expr::Literal(Literal { value: Scalar::Null, ty })));
        }
        let attribute = column.ty().kind.time_attribute();
        let fits = match bound {
            "ROWTIME" => attribute == TimeAttribute::Event,
            "PROCTIME" => attribute == TimeAttribute::Processing,
            _ => true,
        };
        if fits {
            return Ok(Some(column));
        }
        Err(semantic(format!("{name} does not fit the time of the window"), span))
    }
}

/// Flink gives the time of a group window a nullable type.
fn nullable(column: Expr) -> Expr {
    match column {
        Expr::Column { index, ty } => Expr::column(index, ty.with_nullable(true)),
        other => other,
    }
}

fn window_kind(call: &ast::Function) -> Option<&'static str> {
    let name = simple_name(&call.name)?.value.to_ascii_uppercase();
    KINDS.iter().copied().find(|kind| *kind == name)
}

fn same_call(a: &ast::Function, b: &ast::Function) -> bool {
    a.args == b.args && window_kind(a) == window_kind(b)
}

fn group_shape(kind: &str, lengths: &[i64], span: Span) -> Result<WindowShape> {
    let wrong =
        |help: &str| Err(semantic(format!("{kind} has the wrong arguments"), span).help(help));
    if lengths.iter().take(if kind == "HOP" { 2 } else { 1 }).any(|length| *length <= 0) {
        return Err(semantic(format!("the lengths of {kind} must be positive"), span));
    }
    match (kind, lengths) {
        ("TUMBLE", [size]) => Ok(WindowShape::Tumble { size: *size, offset: 0 }),
        ("TUMBLE", [size, offset]) => Ok(WindowShape::Tumble { size: *size, offset: *offset }),
        ("HOP", [slide, size]) => Ok(WindowShape::Hop { size: *size, slide: *slide, offset: 0 }),
        ("SESSION", [gap]) => Ok(WindowShape::Session { gap: *gap }),
        ("TUMBLE", _) => wrong("it takes (time, size)"),
        ("HOP", _) => wrong("it takes (time, slide, size)"),
        _ => wrong("it takes (time, gap)"),
    }
}

/// A constant interval in milliseconds.
pub(super) fn millis(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(literal) if literal.ty.kind == TypeKind::IntervalDayTime => {
            match literal.value {
                Scalar::Integer(millis) => Some(millis),
                _ => None,
            }
        }
        _ => None,
    }
}

impl Binder<'_> {
    fn window_length(&self, kind: &str, node: &ast::Expr) -> Result<i64> {
        let scope = Scope::default();
        let bound = ExprBinder::new(self, &scope, "a window's length").bind(node)?;
        millis(&bound).ok_or_else(|| {
            let message =
                format!("{kind} takes constant intervals of fixed length, this is {}", bound.ty());
            semantic(message, self.span_of(node)).help("write INTERVAL '10' SECOND")
        })
    }
}
