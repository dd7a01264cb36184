//! Window table functions: TUMBLE, HOP, CUMULATE, SESSION, with positions or names.
//!
//! Semantics and argument names: Flink's "Windowing table-valued functions".

use sqlparser::ast::{self, FunctionArg, ObjectName};
use tidegate_plan::window::WindowShape;
use tidegate_plan::{Expr, Scalar};
use tidegate_types::{Field, Result, Span, TimeAttribute, TypeKind};

use super::changelog::Direction;
use super::expr::{ExprBinder, simple_name};
use super::scope::Scope;
use super::table_arguments::{Signature, argument, arrange, descriptor, wrong_arguments};
use super::{Binder, semantic, unsupported};
use crate::algebra::{RelOp, Relation, TvfTime, WindowTvf};

const SIGNATURES: &[Signature] = &[
    Signature { name: "TUMBLE", parameters: &["DATA", "TIMECOL", "SIZE", "OFFSET"], required: 3 },
    Signature {
        name: "HOP",
        parameters: &["DATA", "TIMECOL", "SLIDE", "SIZE", "OFFSET"],
        required: 4,
    },
    Signature {
        name: "CUMULATE",
        parameters: &["DATA", "TIMECOL", "STEP", "SIZE", "OFFSET"],
        required: 4,
    },
    Signature { name: "SESSION", parameters: &["DATA", "TIMECOL", "GAP"], required: 3 },
];

impl Binder<'_> {
    /// A table function in FROM.
    pub(super) fn table_function(
        &mut self,
        name: &ObjectName,
        args: &[FunctionArg],
        span: Span,
    ) -> Result<Relation> {
        let upper =
            simple_name(name).map(|name| name.value.to_ascii_uppercase()).unwrap_or_default();
        let Some(signature) = SIGNATURES.iter().find(|signature| signature.name == upper) else {
            if let Some(direction) = Direction::named(&upper) {
                return self.changelog(direction, args, span);
            }
            if let Some(function) = self.sql_function(name) {
                return self.table_routine(function, args, span);
            }
            return Err(unsupported(&format!("the table function {name}"), span).help(
                "supported are TUMBLE, HOP, CUMULATE, SESSION, TO_CHANGELOG and FROM_CHANGELOG",
            ));
        };
        let arguments = arrange(signature, args, span)?;
        let (input, partition) =
            self.data(signature.name, argument(&arguments, 0, signature, span)?)?;
        let time_node = argument(&arguments, 1, signature, span)?;
        let (time, column) = self.time_column(signature.name, time_node, &input)?;
        let mut lengths = Vec::new();
        for node in arguments.iter().skip(2) {
            lengths.push(node.map(|node| self.length(signature.name, node)).transpose()?);
        }
        let shape = shape(signature, &lengths, span)?;
        let partition_keys = self.partition_keys(&partition, &input)?;
        if !partition_keys.is_empty() && !matches!(shape, WindowShape::Session { .. }) {
            return Err(semantic(format!("{} takes no PARTITION BY", signature.name), span)
                .help("only SESSION does; name the keys in GROUP BY"));
        }
        Ok(build(input, WindowTvf { shape, time, partition_keys, grouping: false }, column))
    }

    /// The column of `DESCRIPTOR(ts)`, which must be a time attribute.
    fn time_column(
        &self,
        function: &str,
        node: &ast::Expr,
        input: &Relation,
    ) -> Result<(TvfTime, usize)> {
        let span = self.span_of(node);
        let wrong = || {
            semantic(
                format!(
                    "{function} needs DESCRIPTOR(column) with one column as its second argument"
                ),
                span,
            )
        };
        let names = descriptor(node, span)?.unwrap_or_default();
        let [column] = names[..] else {
            return Err(wrong());
        };
        let scope = Scope::of(input, None);
        let bound = ExprBinder::new(self, &scope, "DESCRIPTOR").bind(column)?;
        let Expr::Column { index, ty } = bound else {
            return Err(wrong());
        };
        match ty.kind.time_attribute() {
            TimeAttribute::Event => Ok((TvfTime::Event(index), index)),
            TimeAttribute::Processing => Ok((TvfTime::Processing, index)),
            TimeAttribute::None => {
                let name = &input.schema[index].name;
                let message =
                    format!("the window function requires a time attribute, but '{name}' is {ty}");
                let help = if ty.kind.is_timestamp() {
                    "declare WATERMARK FOR it in CREATE TABLE; a computation or cast on the way takes the attribute away"
                } else {
                    "use the column of WATERMARK FOR, or a column AS PROCTIME()"
                };
                Err(semantic(message, self.span_of(column)).help(help))
            }
        }
    }

    /// A constant interval in milliseconds.
    fn length(&self, function: &str, node: &ast::Expr) -> Result<i64> {
        let span = self.span_of(node);
        let scope = Scope::default();
        let bound = ExprBinder::new(self, &scope, "a window's length").bind(node)?;
        match bound {
            Expr::Literal(literal) if literal.ty.kind == TypeKind::IntervalDayTime => {
                match literal.value {
                    Scalar::Integer(millis) => Ok(millis),
                    _ => Err(semantic("the length of a window is NULL", span)),
                }
            }
            other if other.ty().kind == TypeKind::IntervalYearMonth => Err(semantic(
                "months and years have no fixed length, so they make no windows",
                span,
            )
            .help("use DAY, HOUR, MINUTE or SECOND")),
            other => {
                let message =
                    format!("{function} takes constant intervals, this is {}", other.ty());
                Err(semantic(message, span).help("write INTERVAL '10' SECOND"))
            }
        }
    }

    fn partition_keys(&self, nodes: &[&ast::Expr], input: &Relation) -> Result<Vec<usize>> {
        let scope = Scope::of(input, None);
        let mut keys = Vec::new();
        for node in nodes {
            match ExprBinder::new(self, &scope, "PARTITION BY").bind(node)? {
                Expr::Column { index, .. } => keys.push(index),
                _ => {
                    return Err(semantic(
                        "PARTITION BY of SESSION takes columns",
                        self.span_of(*node),
                    ));
                }
            }
        }
        keys.dedup();
        Ok(keys)
    }
}

fn shape(signature: &Signature, lengths: &[Option<i64>], span: Span) -> Result<WindowShape> {
    let length = |index: usize| -> Result<i64> {
        let millis = lengths
            .get(index)
            .copied()
            .flatten()
            .ok_or_else(|| wrong_arguments(signature, span))?;
        if millis <= 0 {
            let name = signature.parameters.get(index + 2).copied().unwrap_or_default();
            return Err(semantic(format!("{name} of {} must be positive", signature.name), span));
        }
        Ok(millis)
    };
    let offset = |index: usize| lengths.get(index).copied().flatten().unwrap_or(0);
    let multiple = |size: i64, step: i64, name: &str| {
        if size % step == 0 {
            return Ok(());
        }
        let message = format!(
            "{} requires SIZE to be an integral multiple of {name}, but got SIZE {size} ms and {name} {step} ms",
            signature.name
        );
        Err(semantic(message, span))
    };
    let offset = |index: usize, size: i64| {
        let offset = offset(index);
        if offset.unsigned_abs() < size.unsigned_abs() {
            return Ok(offset);
        }
        let message = format!("OFFSET of {} must be shorter than the window", signature.name);
        Err(semantic(message, span))
    };
    Ok(match signature.name {
        "TUMBLE" => {
            let size = length(0)?;
            WindowShape::Tumble { size, offset: offset(1, size)? }
        }
        "HOP" => {
            let (slide, size) = (length(0)?, length(1)?);
            multiple(size, slide, "SLIDE")?;
            WindowShape::Hop { size, slide, offset: offset(2, size)? }
        }
        "CUMULATE" => {
            let (step, max_size) = (length(0)?, length(1)?);
            multiple(max_size, step, "STEP")?;
            WindowShape::Cumulate { max_size, step, offset: offset(2, max_size)? }
        }
        _ => WindowShape::Session { gap: length(0)? },
    })
}

/// The input's columns, and the window's three. If the input has columns of these names, the names are
/// ambiguous.
pub(super) fn build(input: Relation, tvf: WindowTvf, time_column: usize) -> Relation {
    let mut schema = input.schema.clone();
    let time_type = input.schema[time_column].ty.clone();
    let bound = TypeKind::timestamp(3).not_null();
    let attribute = match tvf.time {
        TvfTime::Event(_) => TimeAttribute::Event,
        TvfTime::Processing => TimeAttribute::Processing,
    };
    let time = match time_type.kind {
        TypeKind::TimestampLtz { .. } => TypeKind::timestamp_ltz(3),
        _ => TypeKind::timestamp(3),
    };
    schema.push(Field::new("window_start", bound.clone()));
    schema.push(Field::new("window_end", bound));
    schema.push(Field::new("window_time", time.with_time_attribute(attribute).not_null()));
    Relation { op: RelOp::WindowTvf { input: Box::new(input), tvf }, schema }
}
