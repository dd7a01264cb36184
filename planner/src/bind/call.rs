//! Function calls: built-in functions, aggregates, calls with OVER, and names that are not functions.

use sqlparser::ast::{
    self, DuplicateTreatment, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    NullTreatment,
};
use tidegate_plan::Expr;
use tidegate_types::{Error, Result, Span, TimeAttribute, TypeKind};

use super::aggregate;
use super::expr::{ExprBinder, simple_name};
use super::{literal, semantic, unsupported};
use crate::parser::dialect::{
    BETWEEN_SYMMETRIC, MAP_CONSTRUCTOR, SOURCE_WATERMARK, TABLE_ARGUMENT, UNIT_FUNCTIONS,
};
use crate::parser::difference::DIFFERENCE;
use crate::suggest;

impl ExprBinder<'_, '_> {
    pub(super) fn function(&mut self, call: &Function, span: Span) -> Result<Expr> {
        let Some(ident) = simple_name(&call.name) else {
            if let Some(function) = self.binder.sql_function(&call.name) {
                return self.routine(function, call, span);
            }
            let message = format!("there is no function {} of CREATE FUNCTION", call.name);
            return Err(
                semantic(message, span).help("built-in functions are called by their name alone")
            );
        };
        let name = ident.value.to_ascii_uppercase();
        if let Some(function) = self.binder.sql_function(&call.name) {
            return self.routine(function, call, span);
        }
        if !call.within_group.is_empty() {
            return Err(unsupported(&format!("WITHIN GROUP of {name}"), span));
        }
        match call.null_treatment {
            None => {}
            Some(_) if !matches!(name.as_str(), "LAG" | "LEAD") => {
                let message = format!("{name} takes neither IGNORE NULLS nor RESPECT NULLS");
                return Err(semantic(message, span));
            }
            Some(NullTreatment::RespectNulls) => {}
            Some(NullTreatment::IgnoreNulls) => {
                return Err(unsupported(&format!("IGNORE NULLS of {name}"), span).help(
                    "Flink accepts the words and ignores no NULL: leave them out for its results",
                ));
            }
        }
        if call.over.is_none()
            && let Some(bound) = self.pattern_call(&name, call, span)?
        {
            return Ok(bound);
        }
        if let Some(gathered) = self.gathered(&name, call, span)? {
            return Ok(gathered);
        }
        if let Some(over) = &call.over {
            return self.over(&name, call, over, span);
        }
        if aggregate::is_aggregate(&name) {
            return self.aggregate(&name, call, span);
        }
        if call.filter.is_some() {
            return Err(semantic(
                format!("FILTER needs an aggregate function, {name} is none"),
                span,
            ));
        }
        if let Some(bound) = self.group_window_bound(&name, call, span)? {
            return Ok(bound);
        }
        let arguments = plain_arguments(call, span)?;
        match name.as_str() {
            TABLE_ARGUMENT => Err(semantic("TABLE t stands only in a window table function", span)),
            MAP_CONSTRUCTOR => self.collection("MAP", &arguments, span),
            BETWEEN_SYMMETRIC => self.between_symmetric(&arguments, span),
            DIFFERENCE => self.difference(&arguments, span),
            "ROW" => self.row(&arguments, span),
            // Known once the keys are.
            _ if aggregate::GROUPING.contains(&name.as_str()) => {
                let args =
                    arguments.iter().map(|arg| self.bind(arg)).collect::<Result<Vec<_>>>()?;
                Ok(Expr::call(name, args, TypeKind::BigInt.not_null()))
            }
            "JSON" => {
                Err(semantic("JSON() stands only as a value of JSON_OBJECT and JSON_ARRAY", span)
                    .help("a text that is JSON needs no function elsewhere"))
            }
            "CURRENT_DATABASE" if arguments.is_empty() => {
                Ok(literal::typed_text(&self.binder.current.database))
            }
            SOURCE_WATERMARK => {
                let message = "SOURCE_WATERMARK() stands only by itself in WATERMARK FOR";
                Err(semantic(message, span).help(
                    "it says that a source makes its own; CURRENT_WATERMARK(ts) is what has come",
                ))
            }
            tidegate_functions::CURRENT_WATERMARK => self.current_watermark(&arguments, span),
            "PROCTIME" => self.proctime(&arguments, span),
            _ if UNIT_FUNCTIONS.contains(&name.as_str()) => self.unit_call(&name, &arguments, span),
            _ => self.call_on(&name, &arguments, span),
        }
    }

    /// `PROCTIME()`: the only value with the processing-time attribute.
    pub(super) fn proctime(&mut self, arguments: &[&ast::Expr], span: Span) -> Result<Expr> {
        let call = self.call_on("PROCTIME", arguments, span)?;
        Ok(match call {
            Expr::Call { function, args, mut ty } => {
                ty.kind = ty.kind.with_time_attribute(TimeAttribute::Processing);
                Expr::Call { function, args, ty }
            }
            other => other,
        })
    }

    /// `TIMESTAMPADD(HOUR, 1, ts)`: the unit is a word, not a column.
    fn unit_call(&mut self, name: &str, arguments: &[&ast::Expr], span: Span) -> Result<Expr> {
        let [unit, rest @ ..] = arguments else {
            return Err(semantic(format!("{name} needs a unit of time first"), span));
        };
        let ast::Expr::Identifier(unit) = unit else {
            let place = self.binder.span_of(*unit);
            return Err(semantic(
                format!("{name} needs a unit of time first, such as HOUR"),
                place,
            ));
        };
        let unit = unit.value.to_ascii_uppercase();
        let unit = unit.strip_prefix("SQL_TSI_").unwrap_or(&unit);
        let mut args = vec![literal::text(unit)];
        for argument in rest {
            args.push(self.expr(argument)?);
        }
        self.apply(name, args, span)
    }

    pub(super) fn unknown_function(&self, name: &str, span: Span) -> Error {
        let message = format!("there is no function {name}, or it is not supported yet");
        let error = semantic(message, span);
        let known: Vec<&str> = tidegate_functions::names().chain(aggregate::names()).collect();
        let made = self.binder.catalog.function_names(self.binder.here).into_iter();
        let made: Vec<String> = made.map(str::to_uppercase).collect();
        let known = known.into_iter().chain(made.iter().map(String::as_str));
        match suggest::advice(&name.to_ascii_uppercase(), known, "known are") {
            Some(advice) => error.help(advice),
            None => error,
        }
    }
}

/// The arguments of a call that takes no names, stars, DISTINCT or clauses.
pub(super) fn plain_arguments(call: &Function, span: Span) -> Result<Vec<&ast::Expr>> {
    let list = match &call.args {
        FunctionArguments::None => return Ok(Vec::new()),
        FunctionArguments::Subquery(_) => {
            return Err(unsupported("a subquery as an argument", span));
        }
        FunctionArguments::List(list) => list,
    };
    if list.duplicate_treatment == Some(DuplicateTreatment::Distinct) {
        return Err(semantic(format!("{} takes no DISTINCT", call.name), span));
    }
    if let Some(clause) = list.clauses.first() {
        return Err(unsupported(&format!("{clause} in {}", call.name), span));
    }
    list.args
        .iter()
        .map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr),
            FunctionArg::Named { .. } | FunctionArg::ExprNamed { .. } => {
                let message = format!("{} takes its arguments by position", call.name);
                Err(semantic(message, span)
                    .help("names are for window table functions and functions of CREATE FUNCTION"))
            }
            other => {
                Err(semantic(format!("{} does not take the argument {other}", call.name), span))
            }
        })
        .collect()
}
