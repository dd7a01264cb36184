//! Aggregates that are a function of the values of a group: JSON_ARRAYAGG, JSON_OBJECTAGG and those of
//! bitmaps. ARRAY_AGG gathers the values, which it can also take back; the function stands behind the
//! aggregate.

use sqlparser::ast::{
    self, DuplicateTreatment, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    ObjectName,
};
use tidegate_plan::Expr;
use tidegate_types::{Result, Span};

use super::expr::ExprBinder;
use super::semantic;

/// What an aggregate gathers, and the function behind it.
struct Gathered {
    name: &'static str,
    /// Each value once: bitmaps of numbers.
    distinct: bool,
    /// The function of the array, and one of its result.
    of: &'static str,
    behind: Option<&'static str>,
}

const fn gathered(
    name: &'static str,
    distinct: bool,
    of: &'static str,
    behind: Option<&'static str>,
) -> Gathered {
    Gathered { name, distinct, of, behind }
}

const SIZE: Option<&str> = Some("BITMAP_CARDINALITY");

const ALL: &[Gathered] = &[
    gathered("JSON_ARRAYAGG", false, "$JSON_ARRAY_OF", None),
    gathered("JSON_OBJECTAGG", false, "$JSON_OBJECT_OF", None),
    gathered("BITMAP_BUILD_AGG", true, "$BITMAP_BUILD_OF", None),
    gathered("BITMAP_BUILD_CARDINALITY_AGG", true, "$BITMAP_BUILD_OF", SIZE),
    gathered("BITMAP_AND_AGG", false, "$BITMAP_AND_OF", None),
    gathered("BITMAP_AND_CARDINALITY_AGG", false, "$BITMAP_AND_OF", SIZE),
    gathered("BITMAP_OR_AGG", false, "$BITMAP_OR_OF", None),
    gathered("BITMAP_OR_CARDINALITY_AGG", false, "$BITMAP_OR_OF", SIZE),
    gathered("BITMAP_XOR_AGG", false, "$BITMAP_XOR_OF", None),
    gathered("BITMAP_XOR_CARDINALITY_AGG", false, "$BITMAP_XOR_OF", SIZE),
];

/// Names of these aggregates.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|gathered| gathered.name)
}

impl ExprBinder<'_, '_> {
    /// The call of such an aggregate; none if the name is another.
    pub(super) fn gathered(
        &mut self,
        name: &str,
        call: &Function,
        span: Span,
    ) -> Result<Option<Expr>> {
        let Some(gathered) = ALL.iter().find(|gathered| gathered.name == name) else {
            return Ok(None);
        };
        let mut array = call.clone();
        array.name = ObjectName::from(Ident::new("ARRAY_AGG"));
        let FunctionArguments::List(list) = &mut array.args else {
            return Err(semantic(format!("{name} takes arguments"), span));
        };
        // The parser puts flags and ON NULL before the values of JSON.
        let clauses = if name.starts_with("JSON") { 2 } else { 0 };
        let values = list.args.split_off(clauses.min(list.args.len()));
        let clauses = std::mem::replace(&mut list.args, values);
        if name == "JSON_ARRAYAGG" && list.args.len() > 1 {
            // As in Flink, an order is read and the values stay in the order of their arrival.
            let order = list.args.split_off(1);
            let references = self.references.len();
            for key in &order {
                if let FunctionArg::Unnamed(FunctionArgExpr::Expr(key)) = key {
                    self.bind(key)?;
                }
            }
            self.references.truncate(references);
        }
        match (name, list.args.len()) {
            ("JSON_OBJECTAGG", 2) => list.args = vec![row(std::mem::take(&mut list.args))],
            ("JSON_OBJECTAGG", _) => {
                return Err(semantic("JSON_OBJECTAGG takes a key and a value", span)
                    .help("write JSON_OBJECTAGG(KEY key VALUE value)"));
            }
            (_, 1) => {}
            (_, count) => {
                return Err(semantic(format!("{name} takes one argument, not {count}"), span));
            }
        }
        if gathered.distinct {
            list.duplicate_treatment = Some(DuplicateTreatment::Distinct);
        }
        let values = match &array.over {
            Some(over) => {
                let over = over.clone();
                self.over("ARRAY_AGG", &array, &over, span)?
            }
            None => self.aggregate("ARRAY_AGG", &array, span)?,
        };
        let mut args = Vec::with_capacity(3);
        for clause in &clauses {
            if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = clause {
                args.push(self.expr(expr)?);
            }
        }
        args.push(values);
        let made = self.apply(gathered.of, args, span)?;
        Ok(Some(match gathered.behind {
            Some(behind) => self.apply(behind, vec![made], span)?,
            None => made,
        }))
    }
}

/// `ROW(…)` of arguments.
fn row(args: Vec<FunctionArg>) -> FunctionArg {
    let values = args.into_iter().filter_map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    });
    FunctionArg::Unnamed(FunctionArgExpr::Expr(ast::Expr::Tuple(values.collect())))
}
