//! PRINTF: texts by a format of Java's `java.util.Formatter`.
//!
//! A format that Java refuses, or that does not fit its arguments, gives NULL, as in Flink. Of the
//! conversions all but dates (`%t`), hash codes (`%h`) and hexadecimal floats (`%a`) are there.

mod number;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use arrow::datatypes::{Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use tidegate_types::{Error, Result, SqlType, TypeKind};

use crate::cast;
use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{count, text};
use crate::vector::{self, TextLane, constant_text, strict_nulls};

pub(crate) const FUNCTIONS: &[Function] =
    &[Function::new("PRINTF", "Values in the form that a format gives", bind, printf)];

/// Widest field and largest precision: what is wider gives NULL.
const WIDEST: usize = 1 << 16;

fn bind(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=usize::MAX)?;
    let mut arguments = vec![text(args, 0)?];
    arguments.extend(args[1..].iter().map(|arg| arg.ty.clone().materialized()));
    Ok(Signature { arguments, result: TypeKind::STRING.nullable() })
}

/// How a field is aligned and filled.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Flags {
    left: bool,
    alternate: bool,
    plus: bool,
    space: bool,
    zeros: bool,
    groups: bool,
    brackets: bool,
}

/// `%[index$][flags][width][.precision]conversion`
#[derive(Debug, Clone, PartialEq)]
struct Field {
    /// Which argument, from 0; none for `%%` and `%n`.
    argument: Option<usize>,
    flags: Flags,
    width: usize,
    precision: Option<usize>,
    conversion: char,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Field(Field),
}

/// A format taken apart; None if Java refuses it.
fn parse(format: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = format;
    let (mut ordinary, mut last) = (0, None);
    while let Some(at) = rest.find('%') {
        if at > 0 {
            parts.push(Part::Text(rest[..at].to_owned()));
        }
        rest = &rest[at + 1..];
        parts.push(Part::Field(field(&mut rest, &mut ordinary, &mut last)?));
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Some(parts)
}

fn take_number(rest: &mut &str) -> Option<usize> {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let number = rest[..digits].parse().ok();
    *rest = &rest[digits..];
    number
}

fn field(rest: &mut &str, ordinary: &mut usize, last: &mut Option<usize>) -> Option<Field> {
    let before = *rest;
    let mut index = None;
    if let Some(number) = take_number(rest)
        && number > 0
        && rest.starts_with('$')
        && !before.starts_with('0')
    {
        *rest = &rest[1..];
        index = Some(number - 1);
    } else {
        *rest = before;
    }
    let mut flags = Flags::default();
    let mut previous = false;
    loop {
        let flag = match rest.chars().next()? {
            '-' => &mut flags.left,
            '#' => &mut flags.alternate,
            '+' => &mut flags.plus,
            ' ' => &mut flags.space,
            '0' => &mut flags.zeros,
            ',' => &mut flags.groups,
            '(' => &mut flags.brackets,
            '<' => &mut previous,
            _ => break,
        };
        if std::mem::replace(flag, true) {
            return None;
        }
        *rest = &rest[1..];
    }
    let width = match rest.as_bytes().first()? {
        b'1'..=b'9' => take_number(rest).filter(|width| *width <= WIDEST)?,
        _ => 0,
    };
    let precision = match rest.strip_prefix('.') {
        None => None,
        Some(behind) => {
            *rest = behind;
            Some(take_number(rest).filter(|precision| *precision <= WIDEST)?)
        }
    };
    let conversion = rest.chars().next()?;
    *rest = &rest[conversion.len_utf8()..];
    let takes_argument = !matches!(conversion, '%' | 'n');
    let argument = match (takes_argument, index, previous) {
        (false, ..) => None,
        (true, _, true) => Some((*last)?),
        (true, Some(index), _) => Some(index),
        (true, None, false) => {
            *ordinary += 1;
            Some(*ordinary - 1)
        }
    };
    *last = argument.or(*last);
    let field = Field { argument, flags, width, precision, conversion };
    is_valid(&field).then_some(field)
}

/// Whether conversion, flags, width and precision go together.
fn is_valid(field: &Field) -> bool {
    let Flags { left, alternate, plus, space, zeros, groups, brackets } = field.flags;
    let signs = plus || space || brackets;
    let has_width = field.width > 0;
    let fits = match field.conversion {
        'd' => !alternate && field.precision.is_none(),
        // Only whole numbers of any length, which no argument is, have signs here.
        'x' | 'X' | 'o' => !groups && !signs && field.precision.is_none(),
        'f' => true,
        'e' | 'E' => !groups,
        'g' | 'G' => !alternate,
        's' | 'S' => !alternate && !signs && !zeros && !groups,
        'b' | 'B' => !alternate && !signs && !zeros && !groups,
        'c' | 'C' => !alternate && !signs && !zeros && !groups && field.precision.is_none(),
        '%' => !alternate && !signs && !zeros && !groups && field.precision.is_none(),
        'n' => !has_width && field.flags == Flags::default() && field.precision.is_none(),
        _ => false,
    };
    fits && !(left && zeros) && !(plus && space) && (has_width || !left && !zeros)
}

/// The values of one argument, in the form that conversions need.
enum Values<'a> {
    Integers(Vec<i64>, u32),
    Floats(Vec<f64>),
    Booleans(&'a arrow::array::BooleanArray),
    Texts(StringViewArray),
}

struct Input<'a> {
    array: &'a ArrayRef,
    values: Values<'a>,
    step: usize,
}

impl<'a> Input<'a> {
    fn new(value: &'a Value, ty: &SqlType, context: &KernelContext<'_>) -> Result<Self> {
        let array = value.array();
        macro_rules! integers {
            ($kind:ty) => {
                array.as_primitive::<$kind>().values().iter().map(|v| i64::from(*v)).collect()
            };
        }
        let values = match &ty.kind {
            TypeKind::TinyInt => Values::Integers(integers!(Int8Type), 8),
            TypeKind::SmallInt => Values::Integers(integers!(Int16Type), 16),
            TypeKind::Int => Values::Integers(integers!(Int32Type), 32),
            TypeKind::BigInt => Values::Integers(integers!(Int64Type), 64),
            // Flink's runtime holds these as whole numbers.
            TypeKind::Date => Values::Integers(
                array
                    .as_primitive::<arrow::datatypes::Date32Type>()
                    .values()
                    .iter()
                    .map(|v| i64::from(*v))
                    .collect(),
                32,
            ),
            TypeKind::Time { .. } => {
                let times = array.as_primitive::<arrow::datatypes::Time32MillisecondType>();
                Values::Integers(times.values().iter().map(|v| i64::from(*v)).collect(), 32)
            }
            TypeKind::Float => {
                let floats = array.as_primitive::<Float32Type>();
                Values::Floats(floats.values().iter().map(|v| f64::from(*v)).collect())
            }
            TypeKind::Double => {
                Values::Floats(array.as_primitive::<Float64Type>().values().to_vec())
            }
            TypeKind::Boolean => Values::Booleans(vector::booleans(array)?),
            _ => Values::Texts(cast::render(array, ty, context.zone)?),
        };
        Ok(Self { array, values, step: value.step() })
    }

    /// Appends a value; false if it has no such form.
    fn write(&self, row: usize, field: &Field, out: &mut String) -> bool {
        let at = row * self.step;
        if self.array.is_null(at) {
            let text = if matches!(field.conversion, 'b' | 'B') { "false" } else { "null" };
            return write_text(text, field, out);
        }
        match (&self.values, field.conversion) {
            (_, 's' | 'S') => write_text(&self.text(at), field, out),
            (Values::Booleans(values), 'b' | 'B') => {
                write_text(if values.value(at) { "true" } else { "false" }, field, out)
            }
            (_, 'b' | 'B') => write_text("true", field, out),
            (Values::Integers(values, bits), 'd' | 'x' | 'X' | 'o') => {
                number::write_integer(values[at], *bits, field, out)
            }
            (Values::Integers(values, bits), 'c' | 'C') if *bits <= 32 => {
                match u32::try_from(values[at]).ok().and_then(char::from_u32) {
                    Some(c) => write_text(c.encode_utf8(&mut [0; 4]), field, out),
                    None => false,
                }
            }
            (Values::Floats(values), 'f' | 'e' | 'E' | 'g' | 'G') => {
                number::write_float(values[at], field, out)
            }
            _ => false,
        }
    }

    fn text(&self, at: usize) -> std::borrow::Cow<'_, str> {
        match &self.values {
            Values::Integers(values, _) => values[at].to_string().into(),
            Values::Booleans(values) => values.value(at).to_string().into(),
            Values::Texts(values) => values.value(at).into(),
            Values::Floats(values) => {
                let mut text = String::new();
                match self.array.as_primitive_opt::<Float32Type>() {
                    Some(floats) => crate::float_text::write_f32(floats.value(at), &mut text),
                    None => crate::float_text::write_f64(values[at], &mut text),
                }
                text.into()
            }
        }
    }
}

/// A text, cut to the precision and aligned in the width, in UTF-16 units as Java counts.
fn write_text(text: &str, field: &Field, out: &mut String) -> bool {
    let mut cut = text;
    if let Some(precision) = field.precision {
        let mut units = 0;
        let end = text.char_indices().find(|(_, c)| {
            units += c.len_utf16();
            units > precision
        });
        cut = &text[..end.map_or(text.len(), |(at, _)| at)];
    }
    let upper = field.conversion.is_ascii_uppercase().then(|| cut.to_uppercase());
    pad(upper.as_deref().unwrap_or(cut), field, out);
    true
}

fn pad(text: &str, field: &Field, out: &mut String) {
    let length: usize = text.chars().map(char::len_utf16).sum();
    let missing = field.width.saturating_sub(length);
    let blanks = std::iter::repeat_n(' ', missing);
    if field.flags.left {
        out.push_str(text);
        out.extend(blanks);
    } else {
        out.extend(blanks);
        out.push_str(text);
    }
}

fn write_row(parts: &[Part], inputs: &[Input<'_>], row: usize, out: &mut String) -> bool {
    parts.iter().all(|part| match part {
        Part::Text(text) => {
            out.push_str(text);
            true
        }
        Part::Field(field) => match (field.argument, field.conversion) {
            (None, 'n') => {
                out.push('\n');
                true
            }
            (None, _) => {
                pad("%", field, out);
                true
            }
            (Some(index), _) => inputs.get(index).is_some_and(|input| input.write(row, field, out)),
        },
    })
}

fn printf(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [format, arguments @ ..] = values else {
        return Err(Error::internal("PRINTF takes a format"));
    };
    let nulls = strict_nulls(&[format], context.rows);
    let formats = TextLane::new(format)?;
    let types = &context.arguments[1..];
    let inputs = arguments.iter().zip(types).map(|(value, ty)| Input::new(value, ty, context));
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    let fixed = match constant_text(format) {
        Some(format) => Some(context.prepared.get_or_try(|| Ok(parse(format)))?),
        None => None,
    };
    let texts = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        let made;
        let parts = match fixed {
            Some(parts) => parts,
            None => {
                made = parse(formats.get(row));
                &made
            }
        };
        Ok(parts.as_ref().is_some_and(|parts| write_row(parts, &inputs, row, out)))
    })?;
    Ok(Arc::new(texts))
}

#[cfg(test)]
mod tests {
    use crate::testing::{boolean, call, double, int, null, over, show, some, text};
    use tidegate_plan::Expr;
    use tidegate_types::TypeKind;

    fn print(format: &str, args: Vec<Expr>) -> Option<String> {
        show(&call("PRINTF", std::iter::once(text(format)).chain(args).collect()))
    }

    #[test]
    fn texts_and_order() {
        let args = || vec![text("a"), text("bc")];
        assert_eq!(print("%2$s %1$s %<s", args()).as_deref(), Some("bc a a"));
        assert_eq!(print("%5s|%-5s|%.1S", vec![text("ab"); 3]).as_deref(), Some("   ab|ab   |A"));
        assert_eq!(print("100%%%n", vec![]).as_deref(), Some("100%\n"));
        assert_eq!(
            print("%b %b %s", vec![boolean(true), null(TypeKind::Int), null(TypeKind::Int)])
                .as_deref(),
            Some("true false null")
        );
        let got = over(&[Some("x"), None], |s| call("PRINTF", vec![text("[%s]"), s]));
        assert_eq!(got, some(["[x]", "[null]"]));
    }

    #[test]
    fn what_java_refuses_is_null() {
        for format in ["%d", "%q", "%", "%s %s", "%-s", "%+s", "%--5s", "%.2d"] {
            assert_eq!(print(format, vec![text("a")]), None, "{format}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(
            print("%05d|%+d|%(d|%,d", vec![int(-7), int(5), int(-5), int(1_234_567)]).as_deref(),
            Some("-0007|+5|(5)|1,234,567")
        );
        assert_eq!(
            print("%x %X %o", vec![int(-1), int(255), int(8)]).as_deref(),
            Some("ffffffff FF 10")
        );
        let floats = vec![double(2.5), double(-2.71459), double(12_345.678), double(0.0001)];
        assert_eq!(
            print("%.0f %08.3f %e %g", floats).as_deref(),
            Some("3 -002.715 1.234568e+04 0.000100000")
        );
        assert_eq!(print("%f", vec![double(f64::NAN)]).as_deref(), Some("NaN"));
        assert_eq!(print("%c", vec![int(0x4E2D)]).as_deref(), Some("中"));
    }
}
