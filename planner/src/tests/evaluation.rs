//! Values of expressions as Flink's recorder asks for them: `SELECT expression FROM` a table of texts
//! or rows of constants.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryViewArray, RecordBatch, RecordBatchOptions, StringViewArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::Int32Type;
use tidegate_functions::{EvalContext, Evaluator, Zone, cast, eval};
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::settings::Settings;
use tidegate_plan::{Expr, NamedExpr, PlanSettings};
use tidegate_types::{Error, Result, SqlType};

use crate::algebra::{RelOp, Relation};
use crate::bind::Binder;
use crate::catalog::Namespace;
use crate::parser::ast::StatementKind;
use crate::{Session, parse_script};

/// The moment of evaluation.
const NOW: EvalContext = EvalContext::at(1_790_000_000_000);

/// What an expression comes to.
pub(super) struct Answer {
    /// Its type.
    pub(super) ty: SqlType,
    /// Its values as Flink's recorder writes them, one per row; or why there are none.
    pub(super) values: Result<Vec<Option<String>>>,
}

/// Where the rows come from.
pub(super) enum Rows<'a> {
    /// One row without columns.
    One,
    /// `src(i INT NOT NULL, s STRING)` with these texts.
    Texts(&'a [Option<String>]),
    /// What stands behind FROM.
    From(&'a str),
}

/// Binds and evaluates an expression, all rows at once.
pub(super) fn evaluate(
    sql: &str,
    rows: &Rows<'_>,
    settings: &[(String, String)],
) -> Result<Answer> {
    let mut all = Settings::default();
    for (key, value) in settings {
        all.set(key, value)?;
    }
    let mut session = Session::new(all)?;
    let from = match rows {
        Rows::One => String::new(),
        Rows::Texts(_) => " FROM src".to_owned(),
        Rows::From(from) => format!(" FROM {from}"),
    };
    let table = "CREATE TABLE src (i INT NOT NULL, s STRING) WITH ('connector' = 'datagen')";
    session.plan(&parse_script(table)?[0])?;
    let script = parse_script(&format!("SELECT {sql}{from}"))?;
    let [statement] = script.as_slice() else {
        return Err(Error::internal("not one statement"));
    };
    let StatementKind::Query(query) = &statement.kind else {
        return Err(Error::internal("not a query"));
    };
    let plan_settings = session.plan_settings()?;
    let here = Namespace::default();
    let mut binder =
        Binder::new(session.catalog(), &here, &plan_settings, &query.hints, query.span);
    let relation = binder.query(&query.query)?;
    let ty = relation.schema[0].ty.clone();
    let zone = Zone::parse(&plan_settings.time_zone)?;
    let values = table_of(&relation, rows, &plan_settings)
        .and_then(|batch| rendered(batch.column(0), &ty, &zone));
    Ok(Answer { ty, values })
}

fn rendered(column: &ArrayRef, ty: &SqlType, zone: &Zone) -> Result<Vec<Option<String>>> {
    if ty.kind.is_binary() {
        let bytes: &BinaryViewArray = column.as_any().downcast_ref().unwrap();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        return Ok(bytes.iter().map(|value| value.map(|v| format!("x'{}'", hex(v)))).collect());
    }
    let texts = cast::render(column, ty, zone)?;
    Ok(texts.iter().map(|text| text.map(str::to_owned)).collect())
}

fn table_of(relation: &Relation, rows: &Rows<'_>, settings: &PlanSettings) -> Result<RecordBatch> {
    let schema = arrow_schema(&relation.schema);
    let batch = match &relation.op {
        RelOp::Scan(_) => {
            let Rows::Texts(texts) = rows else { return Err(Error::internal("a table")) };
            let numbers: ArrayRef = Arc::new(
                (0..texts.len() as i32).collect::<arrow::array::PrimitiveArray<Int32Type>>(),
            );
            let texts: StringViewArray = texts.iter().map(Option::as_deref).collect();
            RecordBatch::try_new(schema, vec![numbers, Arc::new(texts)])
        }
        RelOp::Values(rows) => {
            let mut columns = Vec::new();
            for (index, field) in relation.schema.iter().enumerate() {
                let values = rows.iter().map(|row| eval::literal::to_array(&row[index]));
                let values = values.collect::<Result<Vec<_>>>()?;
                let values: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
                let column = arrow::compute::concat(&values).unwrap();
                let ty = tidegate_plan::arrow_type::data_type(&field.ty);
                columns.push(arrow::compute::cast(&column, &ty).unwrap());
            }
            let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
            RecordBatch::try_new_with_options(schema, columns, &options)
        }
        RelOp::Project { input, exprs } => {
            let input = table_of(input, rows, settings)?;
            let columns = exprs.iter().map(|expr| column(expr, &input, settings));
            RecordBatch::try_new(schema, columns.collect::<Result<Vec<_>>>()?)
        }
        RelOp::Union { inputs } => {
            let inputs = inputs.iter().map(|input| table_of(input, rows, settings));
            concat_batches(&schema, &inputs.collect::<Result<Vec<_>>>()?)
        }
        other => return Err(Error::internal(format!("not an expression: {other:?}"))),
    };
    batch.map_err(|error| Error::internal(error.to_string()))
}

fn column(expr: &NamedExpr, input: &RecordBatch, settings: &PlanSettings) -> Result<ArrayRef> {
    if let Expr::Column { index, .. } = &expr.expr {
        return Ok(Arc::clone(input.column(*index)));
    }
    Evaluator::compile(&expr.expr, settings)?.evaluate(input, &NOW)
}
