//! Result types of aggregate functions. Accumulators are in the engine.

use tidegate_plan::{AggregateFunction, Literal};
use tidegate_types::sql_type::MAX_DECIMAL_PRECISION;
use tidegate_types::{Error, ErrorCode, Result, SqlType, TypeKind};

/// The type of an aggregate of a column; `argument` is none for `COUNT(*)`. All but counts, `$SUM0` and
/// COLLECT are nullable: planners make them NOT NULL where a group cannot be empty and the argument is not.
/// PERCENTILE at an ARRAY of fractions is an ARRAY of what this says.
///
/// # Errors
/// `SQL_SEMANTIC` if the function does not take that type.
pub fn result_type(
    function: AggregateFunction,
    argument: Option<&SqlType>,
    parameters: &[Literal],
) -> Result<SqlType> {
    let Some(argument) = argument else {
        return match function {
            AggregateFunction::Count
            | AggregateFunction::RowNumber
            | AggregateFunction::Rank
            | AggregateFunction::DenseRank => Ok(TypeKind::BigInt.not_null()),
            _ => Err(fail(format!("{} takes one argument", function.name()))),
        };
    };
    let kind = match function {
        AggregateFunction::Count => return Ok(TypeKind::BigInt.not_null()),
        AggregateFunction::Min | AggregateFunction::Max => comparable(function, argument)?,
        AggregateFunction::Sum => match &argument.kind {
            TypeKind::Decimal { scale, .. } => {
                TypeKind::Decimal { precision: MAX_DECIMAL_PRECISION, scale: *scale }
            }
            _ => numeric(function, argument)?,
        },
        AggregateFunction::Avg => match &argument.kind {
            TypeKind::Decimal { scale, .. } => {
                TypeKind::Decimal { precision: MAX_DECIMAL_PRECISION, scale: (*scale).max(6) }
            }
            _ => numeric(function, argument)?,
        },
        AggregateFunction::Sum0 => {
            let sum = result_type(AggregateFunction::Sum, Some(argument), &[])?;
            return Ok(sum.kind.not_null());
        }
        AggregateFunction::StddevPop
        | AggregateFunction::StddevSamp
        | AggregateFunction::VarPop
        | AggregateFunction::VarSamp => match &argument.kind {
            TypeKind::Decimal { scale, .. } => {
                TypeKind::Decimal { precision: MAX_DECIMAL_PRECISION, scale: (*scale).max(6) }
            }
            _ => numeric(function, argument)?,
        },
        AggregateFunction::FirstValue
        | AggregateFunction::LastValue
        | AggregateFunction::SingleValue
        | AggregateFunction::Lag
        | AggregateFunction::Lead => argument.clone().materialized().kind,
        AggregateFunction::ListAgg if argument.kind.is_text() => TypeKind::STRING,
        AggregateFunction::ListAgg => return refuse(function, argument).map(TypeKind::nullable),
        AggregateFunction::Collect => {
            return Ok(TypeKind::Multiset(Box::new(argument.clone().materialized())).not_null());
        }
        AggregateFunction::ArrayAgg => TypeKind::Array(Box::new(argument.clone().materialized())),
        AggregateFunction::Percentile => {
            // A value, or a row of a value and how often it counts.
            let value = match &argument.kind {
                TypeKind::Row(fields) if fields.len() == 2 => &fields[0].ty,
                _ => argument,
            };
            numeric(function, value)?;
            // One fraction gives a value, several an array.
            match parameters {
                [_, _, ..] => TypeKind::Array(Box::new(TypeKind::Double.nullable())),
                _ => TypeKind::Double,
            }
        }
        AggregateFunction::ApproxCountDistinct
        | AggregateFunction::RowNumber
        | AggregateFunction::Rank
        | AggregateFunction::DenseRank => return Ok(TypeKind::BigInt.not_null()),
    };
    Ok(kind.nullable())
}

fn numeric(function: AggregateFunction, argument: &SqlType) -> Result<TypeKind> {
    if argument.kind.is_numeric() { Ok(argument.kind.clone()) } else { refuse(function, argument) }
}

fn comparable(function: AggregateFunction, argument: &SqlType) -> Result<TypeKind> {
    let kind = &argument.kind;
    let ordered = kind.is_numeric()
        || kind.is_text()
        || kind.is_temporal()
        || kind.is_interval()
        || *kind == TypeKind::Boolean;
    if ordered { Ok(argument.clone().materialized().kind) } else { refuse(function, argument) }
}

fn refuse(function: AggregateFunction, argument: &SqlType) -> Result<TypeKind> {
    Err(fail(format!("{} does not take {}", function.name(), argument.kind)))
}

fn fail(message: String) -> Error {
    Error::new(ErrorCode::SqlSemantic, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_follow_flink() {
        let decimal = TypeKind::Decimal { precision: 10, scale: 2 }.not_null();
        let is = |function, argument: Option<&SqlType>, expected: &str| {
            assert_eq!(result_type(function, argument, &[]).unwrap().to_string(), expected);
        };
        is(AggregateFunction::Count, None, "BIGINT NOT NULL");
        is(AggregateFunction::Sum, Some(&TypeKind::Int.nullable()), "INT");
        is(AggregateFunction::Sum, Some(&decimal), "DECIMAL(38, 2)");
        is(AggregateFunction::Avg, Some(&decimal), "DECIMAL(38, 6)");
        is(AggregateFunction::Max, Some(&TypeKind::STRING.nullable()), "STRING");
        is(AggregateFunction::StddevPop, Some(&decimal), "DECIMAL(38, 6)");
        is(AggregateFunction::VarSamp, Some(&TypeKind::TinyInt.nullable()), "TINYINT");
        is(AggregateFunction::Sum0, Some(&decimal), "DECIMAL(38, 2) NOT NULL");
        is(AggregateFunction::Percentile, Some(&decimal), "DOUBLE");
        let text = TypeKind::STRING.nullable();
        is(AggregateFunction::ListAgg, Some(&text), "STRING");
        is(AggregateFunction::Collect, Some(&text), "MULTISET<STRING> NOT NULL");
        is(AggregateFunction::ArrayAgg, Some(&text), "ARRAY<STRING>");
        is(AggregateFunction::ApproxCountDistinct, Some(&text), "BIGINT NOT NULL");
        assert!(result_type(AggregateFunction::ListAgg, Some(&decimal), &[]).is_err());
        assert!(result_type(AggregateFunction::Sum, Some(&text), &[]).is_err());
        assert!(result_type(AggregateFunction::Avg, None, &[]).is_err());
    }
}
