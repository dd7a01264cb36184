//! PRINT: a value passes by and is written down.

use arrow::array::{Array as _, ArrayRef};
use tidegate_types::{Error, Result};

use crate::cast;
use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{any, count, text};
use crate::vector::TextLane;

pub(crate) const FUNCTIONS: &[Function] =
    &[Function::new("PRINT", "Logs a value and gives it back", bind, print).volatile()];

fn bind(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    let value = any(args, 1)?;
    Ok(Signature { arguments: vec![text(args, 0)?, value.clone()], result: value })
}

/// Rows of a batch that are written down.
const MAX_ROWS: usize = 100;

/// Flink writes to the standard output of the task's process; here it is the job's log.
fn print(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [prefix, value] = values else {
        return Err(Error::internal("PRINT takes two arguments"));
    };
    let prefixes = TextLane::new(prefix)?;
    let column = value.to_array(context.rows)?;
    let texts = cast::render(&column, &context.arguments[1], context.zone)?;
    for row in 0..context.rows.min(MAX_ROWS) {
        let text = if texts.is_null(row) { "NULL" } else { texts.value(row) };
        let prefix = if prefix.is_null_constant() { "" } else { prefixes.get(row) };
        tracing::info!(target: "tidegate::print", "{prefix}{text}");
    }
    if context.rows > MAX_ROWS {
        let more = context.rows - MAX_ROWS;
        tracing::info!(target: "tidegate::print", "and {more} more that were read with them");
    }
    Ok(column)
}

#[cfg(test)]
mod tests {
    use crate::testing::{call, null, over, some, text, type_of};
    use tidegate_types::TypeKind;

    #[test]
    fn values_pass_by() {
        let got = over(&[Some("a"), Some("")], |s| call("PRINT", vec![text("> "), s]));
        assert_eq!(got, some(["a", ""]));
        let nothing = call("PRINT", vec![null(TypeKind::STRING), text("b")]);
        assert_eq!(type_of(&nothing), "CHAR(1) NOT NULL");
    }
}
