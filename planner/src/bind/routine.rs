//! Calls of functions with a body in SQL: the body, bound anew, stands in the call's place, and the
//! arguments stand where it names its parameters.

use sqlparser::ast::{
    self, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName,
};
use tidegate_functions::coercion;
use tidegate_plan::{Expr, Literal, NamedExpr, Scalar};
use tidegate_types::{Error, ErrorCode, Result, Span, SqlType, TypeKind};

use super::decorrelate::is_outer;
use super::expr::ExprBinder;
use super::scope::{Scope, fields_of};
use super::subquery::OUTER_BASE;
use super::{Binder, cast, semantic, unsupported};
use crate::algebra::Relation;
use crate::catalog::{self, SqlFunction};
use crate::parser::ast::{Body, Parameter, Returns};
use crate::parser::cursor;
use crate::suggest;

/// How deep bodies may call further functions.
const MAX_CALLS: usize = 32;
/// How deep an expression may be once bodies are in it.
const MAX_DEPTH: usize = 200;
/// Most parts of expressions that the bodies of one query may come to.
const MAX_PARTS: usize = 100_000;

/// The parameters of the function whose body is bound, with what stands for them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parameters {
    function: String,
    values: Vec<(String, Expr)>,
}

impl Binder<'_> {
    /// What a name means that is no column: a parameter of the function around it.
    pub(super) fn parameter(&self, path: &[Ident]) -> Option<Result<Expr>> {
        let Parameters { function, values } = &self.parameters;
        let value = |name: &Ident| values.iter().find(|(known, _)| *known == name.value);
        let (found, fields) = match path {
            [name, fields @ ..] if value(name).is_some() => (value(name)?, fields),
            [of, name, fields @ ..] if of.value.eq_ignore_ascii_case(function) => {
                (value(name)?, fields)
            }
            _ => return None,
        };
        // Further inside, the rows around are those of the body.
        if self.outer.is_some() && found.1.columns().into_iter().any(is_outer) {
            let place = path.first().map_or(self.place, |first| cursor::span(first.span));
            let message =
                "a parameter that stands for a column, in a subquery of a function's body";
            return Some(Err(unsupported(message, place)
                .help("name it in the body's own WHERE or SELECT, or pass a constant")));
        }
        Some(fields_of(found.1.clone(), fields))
    }

    /// The error for a name that is neither a column nor a parameter.
    pub(super) fn no_column(&self, error: Error, scope: &Scope) -> Error {
        let values = &self.parameters.values;
        if values.is_empty() || !scope.columns.is_empty() {
            return error;
        }
        let names: Vec<&str> = values.iter().map(|(name, _)| name.as_str()).collect();
        error.help(format!("the parameters are: {}", names.join(", ")))
    }

    /// The function of CREATE FUNCTION with a body in SQL that a call names.
    pub(super) fn sql_function(&self, name: &ObjectName) -> Option<&SqlFunction> {
        let parts: Vec<&Ident> = name.0.iter().filter_map(|part| part.as_ident()).collect();
        let here = self.here;
        let path = match parts.as_slice() {
            [name] => here.path(&name.value),
            [database, name] => {
                catalog::Namespace::new(&here.catalog, &database.value).path(&name.value)
            }
            [catalog, database, name] => {
                catalog::Namespace::new(&catalog.value, &database.value).path(&name.value)
            }
            _ => return None,
        };
        let path = catalog::ObjectPath { name: path.name.to_lowercase(), ..path };
        match self.catalog.function(&path, parts.len() > 1)? {
            (_, catalog::Function::Sql(function)) => Some(function),
            (_, catalog::Function::Class(_)) => None,
        }
    }

    /// A query with the columns of a function that gives a table.
    ///
    /// # Errors
    /// `SQL_SEMANTIC` if it gives a value, or arguments do not fit; `UNSUPPORTED` for arguments that
    /// are not constant.
    pub(super) fn table_routine(
        &self,
        function: &SqlFunction,
        args: &[FunctionArg],
        span: Span,
    ) -> Result<Relation> {
        let scope = Scope::default();
        let mut binder = ExprBinder::new(self, &scope, "an argument of a table function");
        let values = binder.values_of(function, args, span)?;
        if values.iter().any(|(_, value)| !value.columns().is_empty()) {
            let message =
                format!("a column as an argument of the table function {}", function.name);
            return Err(unsupported(&message, span).help("its arguments must be constant"));
        }
        self.body_table(function, values, span)
            .map_err(|error| error.context(calling(function, span)))
    }

    /// As [`Self::table_routine`], with columns of the rows around as arguments: the relation refers to them.
    ///
    /// # Errors
    /// As there.
    pub(super) fn table_routine_of(
        &self,
        function: &SqlFunction,
        args: &[FunctionArg],
        scope: &Scope,
        span: Span,
    ) -> Result<Relation> {
        let mut binder = ExprBinder::new(self, scope, "an argument of a table function");
        let mut values = binder.values_of(function, args, span)?;
        for (_, value) in &mut values {
            if value.columns().into_iter().any(is_outer) {
                let message = format!(
                    "a column of the query around as an argument of the table function {}",
                    function.name
                );
                return Err(unsupported(&message, span).help("select it as a column first"));
            }
            value.remap_columns(&|index| index + OUTER_BASE);
        }
        self.body_table(function, values, span)
            .map_err(|error| error.context(calling(function, span)))
    }

    fn body_table(
        &self,
        function: &SqlFunction,
        values: Vec<(String, Expr)>,
        span: Span,
    ) -> Result<Relation> {
        let (Returns::Table(columns), Body::Table(query)) =
            (&function.sql.returns, &function.sql.body)
        else {
            let message = format!("the function {} gives a value, not a table", function.name);
            return Err(semantic(message, span).help("call it in an expression"));
        };
        let mut inner = self.called(function, span)?;
        inner.parameters = Parameters { function: function.name.clone(), values };
        inner.hints = &query.hints;
        let relation = inner.query(&query.query)?;
        fitted(self, relation, columns, query.span)
    }

    /// Whether the body of a function fits what it returns, with columns as arguments.
    ///
    /// # Errors
    /// As for a call, and those of defaults.
    pub(crate) fn check_value(
        &self,
        function: &SqlFunction,
        values: Vec<(String, Expr)>,
    ) -> Result<()> {
        self.check_defaults(function)?;
        self.body_value(function, values, function.sql.span).map(|_| ())
    }

    /// As [`Self::check_value`], of a function that gives a table.
    ///
    /// # Errors
    /// As for a call, and those of defaults.
    pub(crate) fn check_table(
        &self,
        function: &SqlFunction,
        values: Vec<(String, Expr)>,
    ) -> Result<()> {
        self.check_defaults(function)?;
        // No column is an argument of such a function.
        let value = |(name, expr): (String, Expr)| {
            (name, Expr::Literal(Literal { value: Scalar::Null, ty: expr.ty().clone() }))
        };
        let values = values.into_iter().map(value).collect();
        self.body_table(function, values, function.sql.span).map(|_| ())
    }

    fn check_defaults(&self, function: &SqlFunction) -> Result<()> {
        for parameter in &function.sql.parameters {
            if parameter.default.is_some() {
                self.default(function, parameter, function.sql.span)?;
            }
        }
        Ok(())
    }

    /// The default of a parameter that has one.
    fn default(&self, function: &SqlFunction, parameter: &Parameter, span: Span) -> Result<Expr> {
        let Some(default) = &parameter.default else {
            return Err(missing(function, parameter, span));
        };
        let (inner, scope) = (self.called(function, span)?, Scope::default());
        let value = ExprBinder::new(&inner, &scope, "a DEFAULT").expr(default)?;
        let place = inner.span_of(default.as_ref());
        converted(&inner, value, &parameter.ty, &of_parameter(function, parameter), place)
    }

    /// A binder for the body of a function.
    fn called<'x>(&self, function: &'x SqlFunction, span: Span) -> Result<Binder<'x>>
    where
        Self: 'x,
    {
        if self.calling.contains(&function.name) {
            let message = format!("the function {} calls itself", function.name);
            return Err(semantic(message, span).help("recursion is not possible in SQL bodies"));
        }
        if self.calling.len() >= MAX_CALLS {
            let message = format!("functions call each other more than {MAX_CALLS} deep");
            return Err(Error::new(ErrorCode::ResourceExhausted, message).at(span));
        }
        let mut inner = self.inside(&function.here, &super::NO_HINTS, function.sql.span);
        inner.calling.push(function.name.clone());
        Ok(inner)
    }
}

impl ExprBinder<'_, '_> {
    /// The value of a call of a function with a body in SQL.
    pub(super) fn routine(
        &mut self,
        function: &SqlFunction,
        call: &Function,
        span: Span,
    ) -> Result<Expr> {
        if call.over.is_some() || call.filter.is_some() || call.null_treatment.is_some() {
            let message =
                format!("{} is no aggregate: it takes neither OVER nor FILTER", call.name);
            return Err(semantic(message, span));
        }
        let args = match &call.args {
            FunctionArguments::None => &[],
            FunctionArguments::List(list)
                if list.duplicate_treatment.is_none() && list.clauses.is_empty() =>
            {
                list.args.as_slice()
            }
            _ => return Err(semantic(format!("{} takes values only", call.name), span)),
        };
        let values = self.values_of(function, args, span)?;
        let value = self.binder.body_value(function, values, span);
        let value = value.map_err(|error| error.context(calling(function, span)))?;
        self.binder.check_growth(&value, function, span)?;
        Ok(value)
    }

    /// A value for each parameter: arguments as they stand or by their names, or defaults.
    fn values_of(
        &mut self,
        function: &SqlFunction,
        args: &[FunctionArg],
        span: Span,
    ) -> Result<Vec<(String, Expr)>> {
        let parameters = &function.sql.parameters;
        let nodes = arrange(function, args, span)?;
        let mut values = Vec::with_capacity(parameters.len());
        for (parameter, node) in parameters.iter().zip(nodes) {
            let value = match node {
                Some(node) => {
                    let (value, place) = (self.expr(node)?, self.binder.span_of(node));
                    let what = of_parameter(function, parameter);
                    converted(self.binder, value, &parameter.ty, &what, place)?
                }
                None => self.binder.default(function, parameter, span)?,
            };
            values.push((parameter.name.value.clone(), value));
        }
        Ok(values)
    }
}

impl Binder<'_> {
    /// The body of a function that gives a value, with values in the place of its parameters.
    fn body_value(
        &self,
        function: &SqlFunction,
        values: Vec<(String, Expr)>,
        span: Span,
    ) -> Result<Expr> {
        let (Returns::Value(returns), Body::Value(body)) =
            (&function.sql.returns, &function.sql.body)
        else {
            let message = format!("the function {} gives a table, not a value", function.name);
            return Err(semantic(message, span).help("write FROM TABLE(function(…))"));
        };
        let mut inner = self.called(function, span)?;
        inner.parameters = Parameters { function: function.name.clone(), values };
        let scope = Scope::default();
        let value = ExprBinder::new(&inner, &scope, "the body of a function").expr(body)?;
        let what = format!("RETURNS of {}", function.name);
        converted(&inner, value, returns, &what, inner.span_of(body.as_ref()))
    }

    /// Keeps within bounds what bodies come to, which may double with each call.
    fn check_growth(&self, value: &Expr, function: &SqlFunction, span: Span) -> Result<()> {
        let mut parts = 0;
        value.walk(&mut |_| parts += 1);
        self.inlined.set(self.inlined.get() + parts);
        let what = if self.inlined.get() > MAX_PARTS {
            format!("the bodies of functions come to more than {MAX_PARTS} parts")
        } else if depth(value) > MAX_DEPTH {
            format!("the expression is more than {MAX_DEPTH} deep with the bodies of functions")
        } else {
            return Ok(());
        };
        let error = Error::new(ErrorCode::ResourceExhausted, what).at(span);
        Err(error
            .help(format!("{} stands in the place of its call: use fewer calls", function.name)))
    }
}

/// How deep an expression is.
fn depth(root: &Expr) -> usize {
    let (mut deepest, mut rest) = (0, vec![(root, 1)]);
    while let Some((expr, depth)) = rest.pop() {
        deepest = deepest.max(depth);
        rest.extend(expr.children().into_iter().map(|child| (child, depth + 1)));
    }
    deepest
}

/// A value as one of a type that it can take without a CAST.
fn converted(
    binder: &Binder<'_>,
    value: Expr,
    target: &SqlType,
    what: &str,
    place: Span,
) -> Result<Expr> {
    let from = value.ty();
    let fits = from.kind == TypeKind::Null
        || cast::same_values(from, target)
        || coercion::can_cast_implicitly(from, target);
    if !fits {
        let message = format!("{what} is {}, this is {}", target.kind, from.kind);
        return Err(semantic(message, place).help(format!("cast it: CAST(… AS {})", target.kind)));
    }
    if from.nullable && !target.nullable {
        let message = format!("{what} is NOT NULL, this may be NULL");
        return Err(semantic(message, place).help("use COALESCE"));
    }
    Ok(cast::coerce(value, target, binder.settings))
}

/// The query's columns under the names and types of RETURNS TABLE.
fn fitted(
    binder: &Binder<'_>,
    relation: Relation,
    columns: &[(Ident, SqlType)],
    span: Span,
) -> Result<Relation> {
    if relation.schema.len() != columns.len() {
        let (found, named) = (relation.schema.len(), columns.len());
        let message = format!("the query has {found} columns, RETURNS TABLE names {named}");
        return Err(semantic(message, span));
    }
    let mut exprs = Vec::with_capacity(columns.len());
    for (found, (name, ty)) in relation.identity().into_iter().zip(columns) {
        let what = format!("the column '{}' of RETURNS TABLE", name.value);
        let expr = converted(binder, found.expr, ty, &what, span)?;
        exprs.push(NamedExpr { name: name.value.clone(), expr });
    }
    Ok(relation.project(exprs))
}

/// The argument of each parameter; none where its default is to stand.
fn arrange<'n>(
    function: &SqlFunction,
    args: &'n [FunctionArg],
    span: Span,
) -> Result<Vec<Option<&'n ast::Expr>>> {
    let parameters = &function.sql.parameters;
    let mut arranged: Vec<Option<&ast::Expr>> = vec![None; parameters.len()];
    let mut given = vec![false; parameters.len()];
    let named = args.iter().filter(|arg| matches!(arg, FunctionArg::Named { .. })).count();
    if named > 0 && named < args.len() {
        let message = "either all arguments have names, or none";
        return Err(semantic(message, span).help(takes(function)));
    }
    for (position, arg) in args.iter().enumerate() {
        let (place, node) = match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(node)) => (position, node),
            FunctionArg::Named { name, arg: FunctionArgExpr::Expr(node), .. } => {
                let is = |parameter: &Parameter| parameter.name.value == name.value;
                let Some(place) = parameters.iter().position(is) else {
                    return Err(unknown(function, name));
                };
                if given[place] {
                    let message = format!("the argument '{}' is given twice", name.value);
                    return Err(semantic(message, cursor::span(name.span)));
                }
                (place, node)
            }
            other => {
                let message = format!("{} does not take the argument {other}", function.name);
                return Err(semantic(message, span));
            }
        };
        let (Some(slot), Some(given)) = (arranged.get_mut(place), given.get_mut(place)) else {
            let (most, found) = (parameters.len(), args.len());
            let message = format!("{} takes {most} arguments, not {found}", function.name);
            return Err(semantic(message, span).help(takes(function)));
        };
        *given = true;
        *slot = (!is_default(node)).then_some(node);
    }
    Ok(arranged)
}

/// Whether the word DEFAULT stands for an argument.
pub(super) fn is_default(node: &ast::Expr) -> bool {
    matches!(node, ast::Expr::Identifier(name) if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("DEFAULT"))
}

fn missing(function: &SqlFunction, parameter: &Parameter, span: Span) -> Error {
    let message = format!("{} needs the argument '{}'", function.name, parameter.name.value);
    semantic(message, span).help(takes(function))
}

fn unknown(function: &SqlFunction, name: &Ident) -> Error {
    let message = format!("{} has no parameter '{}'", function.name, name.value);
    let error = semantic(message, cursor::span(name.span));
    let known = function.sql.parameters.iter().map(|parameter| parameter.name.value.as_str());
    match suggest::advice(&name.value, known, "its parameters are") {
        Some(advice) => error.help(advice),
        None => error,
    }
}

fn takes(function: &SqlFunction) -> String {
    let parameters = function.sql.parameters.iter().map(|parameter| {
        let default = if parameter.default.is_some() { " DEFAULT …" } else { "" };
        format!("{} {}{default}", parameter.name.value, parameter.ty)
    });
    format!("it is {}({})", function.name, parameters.collect::<Vec<_>>().join(", "))
}

fn of_parameter(function: &SqlFunction, parameter: &Parameter) -> String {
    format!("the parameter '{}' of {}", parameter.name.value, function.name)
}

fn calling(function: &SqlFunction, span: Span) -> String {
    format!("call {} ({span})", function.name)
}
