//! ELT: one of several values by its number.

use arrow::array::{Array, ArrayRef};
use arrow::compute::interleave;
use arrow::datatypes::Int32Type;
use tidegate_types::{Error, Result, SqlType};

use crate::coercion::common_type;
use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{count, fail, int, literal_integer};
use crate::vector::{Lane, arrow_error, strict_nulls, valid};

pub(crate) const FUNCTIONS: &[Function] =
    &[Function::new("ELT", "The value of a number, from 1", bind, elt)];

fn bind(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=usize::MAX)?;
    if let Some(index) = literal_integer(args, 0)
        && index < 0
    {
        return Err(fail(format!("the values are counted from 1, but the number is {index}")));
    }
    let types: Vec<SqlType> = args[1..].iter().map(|arg| arg.ty.clone()).collect();
    let same_family = types.iter().all(|ty| ty.kind.is_text() || ty.nullable && is_null(ty))
        || types.iter().all(|ty| ty.kind.is_binary() || ty.nullable && is_null(ty));
    let common = common_type(&types).filter(|_| same_family);
    let common = common.ok_or_else(|| fail("the values are neither all texts nor all bytes"))?;
    let mut arguments = vec![int(args, 0)?];
    arguments.extend(types.iter().map(|ty| common.clone().with_nullable(ty.nullable)));
    Ok(Signature { arguments, result: common.with_nullable(true) })
}

fn is_null(ty: &SqlType) -> bool {
    ty.kind == tidegate_types::TypeKind::Null
}

fn elt(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [number, choices @ ..] = values else {
        return Err(Error::internal("ELT takes a number and values"));
    };
    let numbers = Lane::<i32>::new::<Int32Type>(number)?;
    let nulls = strict_nulls(&[number], context.rows);
    let nothing = arrow::array::new_null_array(choices[0].array().data_type(), 1);
    let mut sources: Vec<&dyn Array> =
        choices.iter().map(|choice| choice.array().as_ref()).collect();
    sources.push(nothing.as_ref());
    let places: Vec<(usize, usize)> = (0..context.rows)
        .map(|row| {
            let index = usize::try_from(numbers.get(row)).ok().and_then(|n| n.checked_sub(1));
            match index.filter(|index| *index < choices.len() && valid(nulls.as_ref(), row)) {
                Some(index) => (index, row * choices[index].step()),
                None => (choices.len(), 0),
            }
        })
        .collect();
    interleave(&sources, &places).map_err(arrow_error)
}

#[cfg(test)]
mod tests {
    use crate::testing::{call, int, null, over, show, some, text, try_call, type_of};
    use tidegate_types::TypeKind;

    #[test]
    fn values_by_number() {
        let of = |n| show(&call("ELT", vec![int(n), text("a"), text("bcd")]));
        assert_eq!(of(1).as_deref(), Some("a"));
        assert_eq!(of(2).as_deref(), Some("bcd"));
        assert_eq!(of(3), None);
        assert_eq!(of(0), None);
        assert_eq!(show(&call("ELT", vec![null(TypeKind::Int), text("a")])), None);
        assert_eq!(type_of(&call("ELT", vec![int(1), text("a")])), "CHAR(1)");
        assert!(try_call("ELT", vec![int(-1), text("a")]).is_err());
        assert!(try_call("ELT", vec![int(1), int(2)]).is_err());
        let got = over(&[Some("x"), Some("y")], |s| call("ELT", vec![int(2), text("a"), s]));
        assert_eq!(got, some(["x", "y"]));
    }
}
