//! RAND, RAND_INTEGER and UUID.
//!
//! With a seed the numbers are those of Java's `java.util.Random` (its linear congruential
//! generator), as in Flink: the same for every run of a subtask. Without one they start at a place
//! that the operating system chooses; nothing in the engine depends on them.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::Int32Type;
use tidegate_types::{Error, ErrorCode, Result, TypeKind};

use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{count, int, strict};
use crate::vector::{self, Lane, strict_nulls};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("RAND", "A number from 0 to below 1", bind_rand, rand).volatile(),
    Function::new("RAND_INTEGER", "A whole number from 0 to below a bound", bind_integer, integer)
        .volatile()
        .fallible(),
    Function::new("UUID", "A random UUID (version 4)", bind_uuid, uuid).volatile(),
];

fn bind_rand(args: &[Argument]) -> Result<Signature> {
    count(args, 0..=1)?;
    let arguments = (0..args.len()).map(|i| int(args, i)).collect::<Result<Vec<_>>>()?;
    Ok(strict(args, arguments, TypeKind::Double))
}

fn bind_integer(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=2)?;
    let arguments = (0..args.len()).map(|i| int(args, i)).collect::<Result<Vec<_>>>()?;
    Ok(strict(args, arguments, TypeKind::Int))
}

fn bind_uuid(args: &[Argument]) -> Result<Signature> {
    count(args, 0..=0)?;
    Ok(Signature { arguments: Vec::new(), result: TypeKind::Char { length: 36 }.not_null() })
}

/// Java's generator: 48 bits of state.
struct JavaRandom(u64);

const MULTIPLIER: u64 = 0x5_DEEC_E66D;
const STATE: u64 = (1 << 48) - 1;

impl JavaRandom {
    fn new(seed: i64) -> Self {
        Self((seed as u64 ^ MULTIPLIER) & STATE)
    }

    fn next(&mut self, bits: u32) -> i32 {
        self.0 = self.0.wrapping_mul(MULTIPLIER).wrapping_add(0xB) & STATE;
        (self.0 >> (48 - bits)) as i32
    }

    /// From 0 to below 1, in steps of 2⁻⁵³.
    fn double(&mut self) -> f64 {
        let high = i64::from(self.next(26)) << 27;
        (high + i64::from(self.next(27))) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// From 0 to below a positive bound.
    fn below(&mut self, bound: i32) -> i32 {
        let mut bits = self.next(31);
        if bound & (bound - 1) == 0 {
            return ((i64::from(bound) * i64::from(bits)) >> 31) as i32;
        }
        loop {
            let value = bits % bound;
            if bits.wrapping_sub(value).wrapping_add(bound - 1) >= 0 {
                return value;
            }
            bits = self.next(31);
        }
    }
}

/// Bytes that nobody can foresee.
fn entropy<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        Error::new(ErrorCode::Unavailable, format!("the system gives no random numbers: {error}"))
    })?;
    Ok(bytes)
}

/// The generator of a call without a seed, or of one whose seed is a constant.
fn generator<'a>(
    seed: Option<&Value>,
    context: &KernelContext<'a>,
) -> Result<Option<&'a Mutex<JavaRandom>>> {
    let seed = match seed {
        None => None,
        Some(value) if value.is_constant() => Some(Lane::<i32>::new::<Int32Type>(value)?.get(0)),
        Some(_) => return Ok(None),
    };
    let make = || {
        let seed = match seed {
            Some(seed) => i64::from(seed),
            None => i64::from_le_bytes(entropy()?),
        };
        Ok(Mutex::new(JavaRandom::new(seed)))
    };
    context.prepared.get_or_try(make).map(Some)
}

/// A number per row that has no NULL: `draw` makes it, of one generator for all rows or, where the
/// seed is a column, of the first number of each row's own.
fn drawn<T>(
    seed: Option<&Value>,
    context: &KernelContext<'_>,
    mut draw: impl FnMut(&mut JavaRandom, usize) -> Result<T>,
) -> Result<Vec<T>> {
    match generator(seed, context)? {
        Some(random) => {
            let mut random = random.lock().unwrap_or_else(PoisonError::into_inner);
            (0..context.rows).map(|row| draw(&mut random, row)).collect()
        }
        None => {
            let seed = seed.ok_or_else(|| Error::internal("a call without generator or seed"))?;
            let seeds = Lane::<i32>::new::<Int32Type>(seed)?;
            let own = |row| JavaRandom::new(i64::from(seeds.get(row)));
            (0..context.rows).map(|row| draw(&mut own(row), row)).collect()
        }
    }
}

fn rand(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let numbers = drawn(values.first(), context, |random, _| Ok(random.double()))?;
    let nulls = strict_nulls(&values.iter().collect::<Vec<_>>(), context.rows);
    Ok(Arc::new(Float64Array::new(numbers.into(), nulls)))
}

fn integer(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let (seed, bound) = match values {
        [bound] => (None, bound),
        [seed, bound] => (Some(seed), bound),
        _ => return Err(Error::internal("RAND_INTEGER takes one or two arguments")),
    };
    let nulls = strict_nulls(&values.iter().collect::<Vec<_>>(), context.rows);
    let bounds = Lane::<i32>::new::<Int32Type>(bound)?;
    let numbers = drawn(seed, context, |random, row| match bounds.get(row) {
        _ if !vector::valid(nulls.as_ref(), row) => Ok(0),
        bound if bound > 0 => Ok(random.below(bound)),
        bound => Err(context.error(format!("the bound must be positive, it is {bound}"))),
    })?;
    Ok(Arc::new(arrow::array::Int32Array::new(numbers.into(), nulls)))
}

/// 122 random bits per row; the generator of the system is asked once per batch for a key.
fn uuid(_: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let key = u128::from_le_bytes(entropy()?);
    let texts = vector::map_text(context.rows, None, |row, out| {
        use std::fmt::Write as _;
        let mut block = [0_u8; 24];
        block[..16].copy_from_slice(&key.to_le_bytes());
        block[16..].copy_from_slice(&(row as u64).to_le_bytes());
        let random = xxhash_rust::xxh3::xxh3_128_with_seed(&block, (key >> 64) as u64);
        let bits = random & !(0xF << 76) & !(0x3 << 62) | 4 << 76 | 0x2 << 62;
        let (a, b, c) = (bits >> 96, bits >> 80 & 0xFFFF, bits >> 64 & 0xFFFF);
        let (d, e) = (bits >> 48 & 0xFFFF, bits & 0xFFFF_FFFF_FFFF);
        write!(out, "{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
            .map_err(|error| Error::internal(error.to_string()))?;
        Ok(true)
    })?;
    Ok(Arc::new(texts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{call, cast_to, failure, int, over, show, type_of};

    #[test]
    fn seeded_numbers_are_those_of_java() {
        // new java.util.Random(42): nextInt(10) twice, and of another one nextDouble().
        let mut random = JavaRandom::new(42);
        assert_eq!((random.below(10), random.below(10)), (0, 3));
        assert_eq!(JavaRandom::new(42).double().to_string(), "0.7275636800328681");
        let got = over(&[Some("a"), Some("b")], |_| call("RAND_INTEGER", vec![int(42), int(10)]));
        assert_eq!(got, [Some("0".to_owned()), Some("3".to_owned())]);
        let own = over(&[Some("42"), None], |s| {
            call("RAND_INTEGER", vec![cast_to(s, TypeKind::Int), int(10)])
        });
        assert_eq!(own, [Some("0".to_owned()), None]);
    }

    #[test]
    fn bounds_are_positive() {
        let error = failure(&call("RAND_INTEGER", vec![int(0)]));
        assert!(error.to_string().contains("positive"), "{error}");
    }

    #[test]
    fn every_row_has_a_uuid_of_its_own() {
        let got = over(&[Some("a"); 100], |_| call("UUID", vec![]));
        let texts: std::collections::HashSet<String> = got.into_iter().flatten().collect();
        assert_eq!(texts.len(), 100);
        for text in &texts {
            assert_eq!(text.len(), 36);
            assert_eq!(&text[14..15], "4", "{text}");
            assert!("89ab".contains(&text[19..20]), "{text}");
        }
        assert_eq!(type_of(&call("UUID", vec![])), "CHAR(36) NOT NULL");
        assert!(show(&call("RAND", vec![])).is_some());
    }
}
