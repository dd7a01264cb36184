//! Result types of aggregate functions. Accumulators are in the engine.

use tidegate_plan::{AggregateFunction, Literal};
use tidegate_types::sql_type::MAX_DECIMAL_PRECISION;
use tidegate_types::{Error, ErrorCode, Result, SqlType, TypeKind};

/// The type of an aggregate of a column; `argument` is none for `COUNT(*)`. All but COUNT are
/// nullable: planners make them NOT NULL where a group cannot be empty and the argument is not.
///
/// # Errors
/// `SQL_SEMANTIC` if the function does not take that type.
pub fn result_type(
    function: AggregateFunction,
    argument: Option<&SqlType>,
    _parameters: &[Literal],
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
        AggregateFunction::Lag | AggregateFunction::Lead => argument.clone().materialized().kind,
        _ => return Err(Error::unsupported(format!("{} is not supported yet", function.name()))),
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
        let text = TypeKind::STRING.nullable();
        assert!(result_type(AggregateFunction::Sum, Some(&text), &[]).is_err());
        assert!(result_type(AggregateFunction::Avg, None, &[]).is_err());
    }
}
