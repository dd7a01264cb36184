//! The present: CURRENT_TIMESTAMP and its relatives, PROCTIME(). All are the moment of evaluation
//! that the engine gives, so that a batch has one present.

use arrow::array::{ArrayRef, Int64Array};
use tidegate_types::{Result, TimeAttribute, TypeKind};

use crate::datetime::DAY_MS;
use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::moments;
use crate::rules::count;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("CURRENT_TIMESTAMP", "The present instant", bind_instant, instant)
        .aliases(&["NOW", "CURRENT_ROW_TIMESTAMP"])
        .volatile(),
    Function::new("PROCTIME", "The present instant, as processing time", bind_proctime, instant)
        .volatile(),
    Function::new("LOCALTIMESTAMP", "The wall clock's date and time", bind_local, local).volatile(),
    Function::new("CURRENT_DATE", "The wall clock's date", bind_date, date).volatile(),
    Function::new("LOCALTIME", "The wall clock's time of day", bind_time, time)
        .aliases(&["CURRENT_TIME"])
        .volatile(),
];

fn nothing(args: &[Argument], result: TypeKind) -> Result<Signature> {
    count(args, 0..=0)?;
    Ok(Signature { arguments: Vec::new(), result: result.not_null() })
}

fn bind_instant(args: &[Argument]) -> Result<Signature> {
    nothing(args, TypeKind::timestamp_ltz(3))
}

fn bind_proctime(args: &[Argument]) -> Result<Signature> {
    nothing(args, TypeKind::timestamp_ltz(3).with_time_attribute(TimeAttribute::Processing))
}

fn bind_local(args: &[Argument]) -> Result<Signature> {
    nothing(args, TypeKind::timestamp(3))
}

fn bind_date(args: &[Argument]) -> Result<Signature> {
    nothing(args, TypeKind::Date)
}

fn bind_time(args: &[Argument]) -> Result<Signature> {
    nothing(args, TypeKind::Time { precision: 0 })
}

fn everywhere(value: i64, context: &KernelContext<'_>) -> Result<ArrayRef> {
    moments::from_numbers(Int64Array::from_value(value, context.rows), context.result)
}

fn instant(_: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    everywhere(context.processing_time_ms, context)
}

fn local_ms(context: &KernelContext<'_>) -> i64 {
    context.zone.to_local(context.processing_time_ms)
}

fn local(_: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    everywhere(local_ms(context), context)
}

fn date(_: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    everywhere(local_ms(context).div_euclid(DAY_MS), context)
}

fn time(_: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let ms = local_ms(context).rem_euclid(DAY_MS);
    everywhere(ms - ms % 1_000, context)
}

#[cfg(test)]
mod tests {
    use crate::testing::{call, show_in, type_of};

    #[test]
    fn the_present_is_the_moment_of_evaluation() {
        let show = |name: &str| show_in("Asia/Shanghai", &call(name, vec![])).unwrap();
        assert_eq!(show("NOW"), "2024-02-29 20:34:56.789");
        assert_eq!(show("LOCALTIMESTAMP"), "2024-02-29 20:34:56.789");
        assert_eq!(show("CURRENT_DATE"), "2024-02-29");
        assert_eq!(show("CURRENT_TIME"), "20:34:56");
        assert_eq!(type_of(&call("PROCTIME", vec![])), "TIMESTAMP_LTZ(3) *PROCTIME* NOT NULL");
    }
}
