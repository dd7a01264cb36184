//! MIN, MAX, FIRST_VALUE and LAST_VALUE where no row is taken back. NaN is larger than any number, as in
//! Java's ordering.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryViewArray, BooleanArray, StringViewBuilder,
    new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes as dt;
use arrow::datatypes::{ArrowNativeTypeOp, DataType, TimeUnit};
use arrow::row::{RowConverter, SortField};
use tidegate_plan::arrow_type::data_type;
use tidegate_types::{Error, Result, SqlType};

use super::fold::Fold;
use super::{Accumulator, rows};

/// Which of the values is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pick {
    /// MIN
    Smallest,
    /// MAX
    Largest,
    /// FIRST_VALUE
    First,
    /// LAST_VALUE
    Last,
}

impl Pick {
    fn name(self) -> &'static str {
        match self {
            Self::Smallest => "MIN",
            Self::Largest => "MAX",
            Self::First => "FIRST_VALUE",
            Self::Last => "LAST_VALUE",
        }
    }

    /// Whether a value that compares so to the held one takes its place.
    #[inline]
    fn takes(self, order: impl FnOnce() -> Ordering) -> bool {
        match self {
            Self::Smallest => order() == Ordering::Less,
            Self::Largest => order() == Ordering::Greater,
            Self::First => false,
            Self::Last => true,
        }
    }
}

/// The accumulator for an argument type.
pub(super) fn accumulator(argument: &SqlType, pick: Pick) -> Result<Box<dyn Accumulator>> {
    let ty = data_type(argument);
    let name = pick.name();
    macro_rules! primitive {
        ($arrow:ty) => {{
            type Native = <$arrow as ArrowPrimitiveType>::Native;
            macro_rules! fold {
                ($pick:expr) => {
                    Box::new(Fold::<$arrow, _>::new(name, ty, |held: Native, value: Native| {
                        Some(if $pick.takes(|| value.compare(held)) { value } else { held })
                    })) as Box<dyn Accumulator>
                };
            }
            match pick {
                Pick::Smallest => fold!(Pick::Smallest),
                Pick::Largest => fold!(Pick::Largest),
                Pick::First => fold!(Pick::First),
                Pick::Last => fold!(Pick::Last),
            }
        }};
    }
    Ok(match &ty {
        DataType::Int8 => primitive!(dt::Int8Type),
        DataType::Int16 => primitive!(dt::Int16Type),
        DataType::Int32 => primitive!(dt::Int32Type),
        DataType::Int64 => primitive!(dt::Int64Type),
        DataType::Float32 => primitive!(dt::Float32Type),
        DataType::Float64 => primitive!(dt::Float64Type),
        DataType::Decimal128(..) => primitive!(dt::Decimal128Type),
        DataType::Date32 => primitive!(dt::Date32Type),
        DataType::Time32(TimeUnit::Millisecond) => primitive!(dt::Time32MillisecondType),
        DataType::Timestamp(TimeUnit::Millisecond, _) => primitive!(dt::TimestampMillisecondType),
        DataType::Timestamp(TimeUnit::Microsecond, _) => primitive!(dt::TimestampMicrosecondType),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => primitive!(dt::TimestampNanosecondType),
        DataType::Boolean | DataType::Utf8View | DataType::BinaryView => {
            Box::new(PickedBytes { best: Vec::new(), bytes: 0, pick, codec: Codec::Direct, ty })
        }
        _ if matches!(pick, Pick::First | Pick::Last) => {
            let refuse = |e| Error::unsupported(format!("{name} does not take {argument}: {e}"));
            let rows = RowConverter::new(vec![SortField::new(ty.clone())]).map_err(refuse)?;
            Box::new(PickedBytes { best: Vec::new(), bytes: 0, pick, codec: Codec::Rows(rows), ty })
        }
        _ => return Err(Error::unsupported(format!("{name} does not take {argument}"))),
    })
}

/// How a value is kept as bytes.
enum Codec {
    /// Text, binary and booleans as they are.
    Direct,
    /// Anything else in Arrow's row format.
    Rows(RowConverter),
}

/// Values kept as bytes, compared by them.
struct PickedBytes {
    best: Vec<Option<Box<[u8]>>>,
    bytes: usize,
    pick: Pick,
    codec: Codec,
    ty: DataType,
}

impl Accumulator for PickedBytes {
    fn resize(&mut self, slots: usize) {
        self.best.resize(slots, None);
    }

    fn update(
        &mut self,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let argument = argument.ok_or_else(|| Error::internal("MIN/MAX has no argument"))?;
        let input = match &self.codec {
            Codec::Direct => as_bytes(argument)?,
            Codec::Rows(converter) => encoded(converter, argument)?,
        };
        let (best, pick, total) = (&mut self.best, self.pick, &mut self.bytes);
        rows::for_each(slots, input.nulls(), filter, |row, slot| {
            let value = input.value(row);
            let better = match &best[slot] {
                None => true,
                Some(held) => pick.takes(|| value.cmp(held.as_ref())),
            };
            if better {
                *total += value.len();
                *total -= best[slot].as_ref().map_or(0, |held| held.len());
                best[slot] = Some(value.into());
            }
        });
        Ok(())
    }

    fn merge(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<()> {
        self.update(slots, state.first(), None)
    }

    fn reset(&mut self, slot: u32) {
        if let Some(held) = self.best[slot as usize].take() {
            self.bytes -= held.len();
        }
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.result(slots)?])
    }

    fn result(&self, slots: &[u32]) -> Result<ArrayRef> {
        let values = slots.iter().map(|slot| self.best[*slot as usize].as_deref());
        if let Codec::Rows(converter) = &self.codec {
            return decoded(converter, values, &self.ty);
        }
        Ok(match self.ty {
            DataType::Boolean => {
                Arc::new(values.map(|value| value.map(|v| v == [1])).collect::<BooleanArray>())
            }
            DataType::Utf8View => {
                let mut builder = StringViewBuilder::with_capacity(slots.len());
                for value in values {
                    let text = value.map(std::str::from_utf8).transpose();
                    builder.append_option(text.map_err(|e| Error::internal(e.to_string()))?);
                }
                Arc::new(builder.finish())
            }
            _ => Arc::new(values.collect::<BinaryViewArray>()),
        })
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.ty.clone()]
    }

    fn memory_size(&self) -> usize {
        self.best.capacity() * size_of::<Option<Box<[u8]>>>() + self.bytes
    }
}

/// The values of a column in row format.
fn encoded(converter: &RowConverter, argument: &ArrayRef) -> Result<BinaryViewArray> {
    let rows = converter
        .convert_columns(std::slice::from_ref(argument))
        .map_err(|error| Error::internal(format!("encode values: {error}")))?;
    let bytes = rows
        .iter()
        .enumerate()
        .map(|(row, bytes)| argument.is_valid(row).then(|| bytes.as_ref().to_vec()));
    Ok(bytes.collect())
}

fn decoded<'a>(
    converter: &RowConverter,
    values: impl Iterator<Item = Option<&'a [u8]>>,
    ty: &DataType,
) -> Result<ArrayRef> {
    let null = encoded_null(converter, ty)?;
    let parser = converter.parser();
    let rows: Vec<_> = values.map(|value| parser.parse(value.unwrap_or(&null))).collect();
    let columns = converter.convert_rows(rows);
    let columns = columns.map_err(|error| Error::internal(format!("decode values: {error}")))?;
    columns.into_iter().next().ok_or_else(|| Error::internal("no column of values"))
}

fn encoded_null(converter: &RowConverter, ty: &DataType) -> Result<Vec<u8>> {
    let rows = converter
        .convert_columns(&[new_null_array(ty, 1)])
        .map_err(|error| Error::internal(format!("encode NULL: {error}")))?;
    Ok(rows.row(0).as_ref().to_vec())
}

fn as_bytes(argument: &ArrayRef) -> Result<BinaryViewArray> {
    if let DataType::Boolean = argument.data_type() {
        let flags = argument.as_boolean();
        let byte = |flag: bool| if flag { &[1u8][..] } else { &[0u8][..] };
        return Ok(flags.iter().map(|flag| flag.map(byte)).collect());
    }
    let binary =
        cast(argument, &DataType::BinaryView).map_err(|e| Error::internal(e.to_string()))?;
    Ok(binary.as_binary_view().clone())
}
