//! IF, COALESCE, IFNULL, NULLIF, and TYPEOF.
//!
//! The evaluator turns IF, and COALESCE whose arguments can fail, into CASE; the kernels here
//! have all arguments at hand.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, StringViewArray};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{is_not_null, nullif};
use tidegate_types::{Error, Result, SqlType, TypeKind};

use super::comparison;
use crate::coercion::{common_type, widest_type};
use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{any, any_nullable, boolean, count, fail};
use crate::vector::{self, arrow_error, booleans};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("IF", "The second value if the condition is TRUE, else the third", bind_if, if_),
    Function::new("COALESCE", "The first value that is not NULL", bind_coalesce, coalesce),
    Function::new("IFNULL", "The value, or the second if it is NULL", bind_ifnull, coalesce),
    Function::new(
        "NULLIF",
        "NULL if the two values are equal, else the first",
        bind_nullif,
        null_if,
    ),
    Function::new("TYPEOF", "The type of the value, as text", bind_typeof, type_of),
];

fn common(args: &[Argument]) -> Result<SqlType> {
    let types: Vec<SqlType> = args.iter().map(|arg| arg.ty.clone().materialized()).collect();
    common_type(&types).ok_or_else(|| {
        let kinds: Vec<String> = types.iter().map(|ty| ty.kind.to_string()).collect();
        fail(format!("{} have no common type", kinds.join(" and ")))
            .help("convert the values to one type with CAST")
    })
}

/// The type of the first value that is not NULL.
fn widest(args: &[Argument]) -> Result<SqlType> {
    let types: Vec<SqlType> = args.iter().map(|arg| arg.ty.clone().materialized()).collect();
    match widest_type(&types) {
        Some(ty) => Ok(ty),
        None => common(args),
    }
}

fn bind_if(args: &[Argument]) -> Result<Signature> {
    count(args, 3..=3)?;
    let values = common(&args[1..])?;
    Ok(Signature {
        arguments: vec![
            boolean(args, 0)?,
            values.clone().with_nullable(args[1].ty.nullable),
            values.clone().with_nullable(args[2].ty.nullable),
        ],
        result: values.with_nullable(any_nullable(args)),
    })
}

fn bind_coalesce(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=usize::MAX)?;
    let result = widest(args)?;
    Ok(Signature {
        arguments: args.iter().map(|a| result.clone().with_nullable(a.ty.nullable)).collect(),
        result: result.with_nullable(args.iter().all(|arg| arg.ty.nullable)),
    })
}

fn bind_ifnull(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    bind_coalesce(args)
}

fn bind_nullif(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    let mut arguments = comparison::comparable(&args[0].ty, &args[1].ty)?;
    // The first keeps its type, which is that of the result; the kernel converts it to compare.
    let first = args[0].ty.clone().materialized();
    arguments[0] = first.clone();
    Ok(Signature { arguments, result: first.with_nullable(true) })
}

fn bind_typeof(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=2)?;
    let mut arguments = vec![any(args, 0)?];
    if args.len() == 2 {
        // Whether only serializable types are wanted: all are.
        arguments.push(boolean(args, 1)?);
    }
    Ok(Signature { arguments, result: TypeKind::STRING.nullable() })
}

fn if_(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [condition, then, otherwise] = values else {
        return Err(Error::internal("IF takes three arguments"));
    };
    let condition = condition.to_array(context.rows)?;
    let (then, otherwise) = (then.to_array(context.rows)?, otherwise.to_array(context.rows)?);
    zip(booleans(&condition)?, &then, &otherwise).map_err(arrow_error)
}

fn coalesce(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let Some((last, others)) = values.split_last() else {
        return Err(Error::internal(format!("{} takes arguments", context.name)));
    };
    let target = tidegate_plan::arrow_type::data_type(context.result);
    let mut result = vector::retype(&last.to_array(context.rows)?, &target)?;
    for value in others.iter().rev() {
        let array = vector::retype(&value.to_array(context.rows)?, &target)?;
        if array.logical_null_count() == 0 {
            result = array;
            continue;
        }
        let present = is_not_null(&array).map_err(arrow_error)?;
        result = zip(&present, &array, &result).map_err(arrow_error)?;
    }
    Ok(result)
}

fn null_if(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [value, other] = values else {
        return Err(Error::internal("NULLIF takes two arguments"));
    };
    let (own, wanted) = (&context.arguments[0], &context.arguments[1]);
    let compared_in = comparison::comparable(own, wanted)?;
    let compared = if own.same_kind(&compared_in[0]) {
        value.clone()
    } else {
        let mode = tidegate_plan::CastMode::Cast;
        let array = crate::cast::cast(value.array(), own, &compared_in[0], mode, context.zone)?;
        if value.is_constant() { Value::Constant(array) } else { Value::Array(array) }
    };
    let equal: BooleanArray =
        comparison::equality(&compared, other, (&compared_in[0], wanted), context.rows)?;
    nullif(&value.to_array(context.rows)?, &equal).map_err(arrow_error)
}

fn type_of(_: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let name = context.arguments[0].to_string();
    Ok(Arc::new(StringViewArray::from_iter_values(std::iter::repeat_n(name, context.rows))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{
        boolean as truth, call, exact, failure, int, null, over, show, some, text, type_of as ty,
    };

    #[test]
    fn the_first_value_that_is_not_null() {
        let got = over(&[Some("a"), None], |column| call("COALESCE", vec![column, text("none")]));
        assert_eq!(got, some(["a", "none"]));
        let expr = call("COALESCE", vec![null(TypeKind::Int), exact("2.5"), int(3)]);
        assert_eq!(ty(&expr), "DECIMAL(11, 1) NOT NULL");
        assert_eq!(show(&expr).as_deref(), Some("2.5"));
    }

    #[test]
    fn an_argument_that_is_not_reached_does_not_fail() {
        let division = || call("/", vec![int(1), int(0)]);
        let expr = call("COALESCE", vec![int(5), division()]);
        assert_eq!(show(&expr).as_deref(), Some("5"));
        let expr = call("IF", vec![truth(false), division(), int(2)]);
        assert_eq!(show(&expr).as_deref(), Some("2"));
        let expr = call("IF", vec![truth(true), division(), int(2)]);
        assert!(failure(&expr).to_string().contains("divided by zero"));
    }

    #[test]
    fn nullif_keeps_the_type_of_the_first() {
        let expr = call("NULLIF", vec![int(1), exact("1.0")]);
        assert_eq!((ty(&expr).as_str(), show(&expr)), ("INT", None));
        let got = over(&[Some("a"), Some("b"), None], |s| call("NULLIF", vec![s, text("a")]));
        assert_eq!(got, [None, Some("b".to_owned()), None]);
    }

    #[test]
    fn if_takes_null_for_false() {
        let expr = call("IF", vec![null(TypeKind::Boolean), text("a"), text("bcd")]);
        assert_eq!((ty(&expr).as_str(), show(&expr).as_deref()), ("VARCHAR(3)", Some("bcd")));
        assert_eq!(show(&call("TYPEOF", vec![int(1)])).as_deref(), Some("INT NOT NULL"));
    }
}
