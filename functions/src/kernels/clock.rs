//! The present: CURRENT_TIMESTAMP and its relatives, PROCTIME(), and CURRENT_WATERMARK. All are the moment
//! of evaluation that the engine gives, so that a batch has one present.

use arrow::array::{ArrayRef, Int64Array, new_null_array};
use tidegate_plan::arrow_type::data_type;
use tidegate_types::{Result, TimeAttribute, TypeKind};

use crate::datetime::DAY_MS;
use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::moments;
use crate::rules::{count, fail};

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
    Function::new(
        CURRENT_WATERMARK,
        "The watermark that the operator has seen, NULL before the first",
        bind_watermark,
        watermark,
    )
    .volatile()
    .seeing_time_attributes(),
];

/// The name of the function that reads the watermark of the operator that evaluates it.
pub const CURRENT_WATERMARK: &str = "CURRENT_WATERMARK";

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

fn bind_watermark(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    let ty = &args[0].ty;
    let result = match ty.kind {
        TypeKind::TimestampLtz { .. } => TypeKind::timestamp_ltz(3),
        _ => TypeKind::timestamp(3),
    };
    if ty.kind.time_attribute() != TimeAttribute::Event {
        return Err(fail(format!("the argument is {}, expected a column of event time", ty.kind))
            .help("pass the column that the table declares a WATERMARK for"));
    }
    Ok(Signature { arguments: vec![ty.clone()], result: result.nullable() })
}

fn watermark(_: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    match context.watermark_ms {
        Some(watermark) => everywhere(watermark, context),
        None => Ok(new_null_array(&data_type(context.result), context.rows)),
    }
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
    use tidegate_plan::PlanSettings;
    use tidegate_types::{TimeAttribute, TypeKind};

    use crate::testing::{call, cast_to, null, show_in, text_batch, try_call, type_of};
    use crate::{EvalContext, Evaluator};

    #[test]
    fn the_present_is_the_moment_of_evaluation() {
        let show = |name: &str| show_in("Asia/Shanghai", &call(name, vec![])).unwrap();
        assert_eq!(show("NOW"), "2024-02-29 20:34:56.789");
        assert_eq!(show("LOCALTIMESTAMP"), "2024-02-29 20:34:56.789");
        assert_eq!(show("CURRENT_DATE"), "2024-02-29");
        assert_eq!(show("CURRENT_TIME"), "20:34:56");
        assert_eq!(type_of(&call("PROCTIME", vec![])), "TIMESTAMP_LTZ(3) *PROCTIME* NOT NULL");
    }

    #[test]
    fn the_watermark_is_what_the_operator_says() {
        let rowtime = TypeKind::timestamp(3).with_time_attribute(TimeAttribute::Event);
        let watermark = call("CURRENT_WATERMARK", vec![null(rowtime)]);
        assert_eq!(type_of(&watermark), "TIMESTAMP(3)");
        let shown = |watermark_ms| {
            let text = cast_to(watermark.clone(), TypeKind::STRING);
            let evaluator = Evaluator::compile(&text, &PlanSettings::default()).unwrap();
            let context = EvalContext { watermark_ms, ..EvalContext::at(0) };
            let values = evaluator.evaluate(&text_batch(&[None, None]), &context).unwrap();
            format!("{values:?}")
        };
        let instant = "2024-02-29 12:34:56.789";
        assert_eq!(shown(Some(1_709_210_096_789)).matches(instant).count(), 2);
        assert_eq!(shown(None).matches("null").count(), 2);
        assert!(!shown(Some(i64::MAX)).is_empty());

        let plain = try_call("CURRENT_WATERMARK", vec![null(TypeKind::timestamp(3))]);
        assert!(plain.unwrap_err().to_string().contains("expected a column of event time"));
    }
}
