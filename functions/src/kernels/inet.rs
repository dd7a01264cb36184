//! IPv4 addresses as numbers and texts: INET_ATON, INET_NTOA.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::Int64Type;
use tidegate_types::{Error, Result, TypeKind};

use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{bigint, count, may_be_null, text};
use crate::vector::{self, Lane, TextLane, strict_nulls};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("INET_ATON", "The number of an IPv4 address", bind_number, number),
    Function::new("INET_NTOA", "The IPv4 address of a number", bind_address, address),
];

fn bind_number(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    Ok(may_be_null(vec![text(args, 0)?], TypeKind::BigInt))
}

fn bind_address(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    Ok(may_be_null(vec![bigint(args, 0)?], TypeKind::STRING))
}

fn one<'a>(values: &'a [Value], context: &KernelContext<'_>) -> Result<&'a Value> {
    values.first().ok_or_else(|| Error::internal(format!("{} takes an argument", context.name)))
}

/// Of fewer than four numbers the last stands at the end: `127.1` is `127.0.0.1`.
fn parse(text: &str) -> Option<i64> {
    let mut parts = [0_i64; 4];
    let mut count = 0;
    for part in text.split('.') {
        let is_number = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        let value = part.parse().ok().filter(|value| is_number && *value < 256)?;
        *parts.get_mut(count)? = value;
        count += 1;
    }
    let last = parts[count - 1];
    let high = parts[..count - 1].iter().zip([24, 16, 8]).map(|(part, shift)| part << shift);
    Some(high.sum::<i64>() + last)
}

fn number(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let value = one(values, context)?;
    let texts = TextLane::new(value)?;
    let nulls = strict_nulls(&[value], context.rows);
    let numbers =
        vector::map_rows::<Int64Type>(context.rows, nulls, |row| Ok(parse(texts.get(row))))?;
    Ok(Arc::new(numbers))
}

fn address(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let value = one(values, context)?;
    let numbers = Lane::<i64>::new::<Int64Type>(value)?;
    let nulls = strict_nulls(&[value], context.rows);
    let texts = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        use std::fmt::Write as _;
        let Ok(number) = u32::try_from(numbers.get(row)) else { return Ok(false) };
        let [a, b, c, d] = number.to_be_bytes();
        write!(out, "{a}.{b}.{c}.{d}").map_err(|error| Error::internal(error.to_string()))?;
        Ok(true)
    })?;
    Ok(Arc::new(texts))
}

#[cfg(test)]
mod tests {
    use crate::testing::{bigint, call, over, show};

    #[test]
    fn addresses_and_numbers() {
        let texts =
            [Some("127.0.0.1"), Some("255.255.255.255"), Some("256.0.0.1"), Some("x"), None];
        let got = over(&texts, |s| call("INET_ATON", vec![s]));
        let wanted = [Some("2130706433"), Some("4294967295"), None, None, None];
        assert_eq!(got, wanted.map(|text| text.map(str::to_owned)));
        let address = |n| show(&call("INET_NTOA", vec![bigint(n)]));
        assert_eq!(address(2_130_706_433).as_deref(), Some("127.0.0.1"));
        assert_eq!(address(-1), None);
        assert_eq!(address(1 << 32), None);
    }
}
