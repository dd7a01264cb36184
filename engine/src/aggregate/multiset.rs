//! Aggregates that keep how often each value occurs, in order of the values: MIN and MAX over inputs that
//! take rows back, COLLECT, PERCENTILE.
//!
//! A value that was taken back before it came has a negative count and does not show.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, Int64Array, ListArray,
    MapArray, StructArray, UInt32Array, new_empty_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{cast, concat, take};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type};
use arrow::row::{RowConverter, SortField};
use tidegate_plan::arrow_type::data_type;
use tidegate_plan::{AggregateCall, Scalar};
use tidegate_types::{Error, Result, SqlType, TypeKind};

use super::{Accumulator, rows};

/// What is made of the values of a slot.
enum Form {
    Smallest,
    Largest,
    /// A MULTISET of this type.
    Collected(DataType),
    /// Interpolated at fractions; as an ARRAY?
    Percentiles(Vec<f64>, bool),
}

/// MIN (`largest`: MAX) over an input that takes rows back.
pub(super) fn extreme(argument: &SqlType, largest: bool) -> Result<Box<dyn Accumulator>> {
    let form = if largest { Form::Largest } else { Form::Smallest };
    Ok(Box::new(Multiset::new(data_type(argument), form)?))
}

/// COLLECT.
pub(super) fn collect(argument: &SqlType, result: &SqlType) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(Multiset::new(data_type(argument), Form::Collected(data_type(result)))?))
}

/// PERCENTILE: parameters are the fractions; the argument is a number, or a row of a number and how often it
/// counts (not, if that is NULL or not positive).
pub(super) fn percentile(call: &AggregateCall, argument: &SqlType) -> Result<Box<dyn Accumulator>> {
    let value = match &argument.kind {
        TypeKind::Row(fields) if fields.len() == 2 => &fields[0].ty,
        _ => argument,
    };
    if !value.kind.is_numeric() {
        return Err(Error::unsupported(format!("PERCENTILE does not take {argument}")));
    }
    let fraction = |scalar: &Scalar, scale: u8| match scalar {
        Scalar::Integer(value) => Some(*value as f64),
        Scalar::Double(value) => Some(*value),
        Scalar::Decimal(value) => Some(*value as f64 / 10f64.powi(i32::from(scale))),
        _ => None,
    };
    let fractions = call.parameters.iter().map(|literal| {
        let scale = match literal.ty.kind {
            TypeKind::Decimal { scale, .. } => scale,
            _ => 0,
        };
        let value = fraction(&literal.value, scale).filter(|value| (0.0..=1.0).contains(value));
        value.ok_or_else(|| {
            Error::unsupported("the fraction of PERCENTILE must be a constant from 0 to 1")
        })
    });
    let fractions = fractions.collect::<Result<Vec<_>>>()?;
    if fractions.is_empty() {
        return Err(Error::unsupported("PERCENTILE needs a fraction from 0 to 1"));
    }
    let list = matches!(call.ty.kind, TypeKind::Array(_));
    Ok(Box::new(Multiset::new(DataType::Float64, Form::Percentiles(fractions, list))?))
}

/// Values by slot in Arrow's row format, whose bytes sort as the values do, with their counts.
struct Multiset {
    ty: DataType,
    converter: RowConverter,
    counts: BTreeMap<(u32, Box<[u8]>), i64>,
    bytes: usize,
    form: Form,
}

impl Multiset {
    fn new(ty: DataType, form: Form) -> Result<Self> {
        let converter = RowConverter::new(vec![SortField::new(ty.clone())])
            .map_err(|error| Error::unsupported(format!("values cannot be ordered: {error}")))?;
        Ok(Self { ty, converter, counts: BTreeMap::new(), bytes: 0, form })
    }

    fn change(&mut self, slot: u32, value: &[u8], by: i64) {
        use std::collections::btree_map::Entry;
        match self.counts.entry((slot, value.into())) {
            Entry::Vacant(entry) => {
                self.bytes += value.len();
                entry.insert(by);
            }
            Entry::Occupied(mut entry) => {
                *entry.get_mut() = entry.get().saturating_add(by);
                if *entry.get() == 0 {
                    self.bytes -= value.len();
                    entry.remove();
                }
            }
        }
    }

    fn each(
        &mut self,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
        by: i64,
    ) -> Result<()> {
        let argument = argument.ok_or_else(|| Error::internal("an aggregate has no argument"))?;
        if let (Form::Percentiles(..), DataType::Struct(_)) = (&self.form, argument.data_type()) {
            return self.each_weighted(slots, argument.as_struct(), filter, by);
        }
        let argument = match argument.data_type() == &self.ty {
            true => argument.clone(),
            false => cast(argument, &self.ty).map_err(|e| Error::internal(e.to_string()))?,
        };
        let encoded = self.encode(&argument)?;
        rows::for_each(slots, argument.logical_nulls().as_ref(), filter, |row, slot| {
            self.change(slot as u32, encoded.row(row).as_ref(), by);
        });
        Ok(())
    }

    /// As `each`, for rows of a value and how often it counts.
    fn each_weighted(
        &mut self,
        slots: &[u32],
        pairs: &StructArray,
        filter: Option<&BooleanArray>,
        by: i64,
    ) -> Result<()> {
        let [value, weight] = pairs.columns() else {
            return Err(Error::internal("a weighted value is a row of two"));
        };
        let internal = |error: arrow::error::ArrowError| Error::internal(error.to_string());
        let value = cast(value, &self.ty).map_err(internal)?;
        let weight = cast(weight, &DataType::Int64).map_err(internal)?;
        let weights = weight.as_primitive::<Int64Type>();
        let encoded = self.encode(&value)?;
        let nulls = NullBuffer::union(value.logical_nulls().as_ref(), weights.nulls());
        rows::for_each(slots, nulls.as_ref(), filter, |row, slot| {
            let weight = weights.value(row);
            if weight > 0 {
                self.change(slot as u32, encoded.row(row).as_ref(), by * weight);
            }
        });
        Ok(())
    }

    fn encode(&self, column: &ArrayRef) -> Result<arrow::row::Rows> {
        self.converter
            .convert_columns(std::slice::from_ref(column))
            .map_err(|error| Error::internal(format!("encode values: {error}")))
    }

    /// Values of a slot in ascending order, with their counts.
    fn of(&self, slot: u32) -> impl DoubleEndedIterator<Item = (&[u8], i64)> {
        let from = (slot, Box::default());
        let until = match slot.checked_add(1) {
            Some(next) => Bound::Excluded((next, Box::default())),
            None => Bound::Unbounded,
        };
        let range = self.counts.range((Bound::Included(from), until));
        range.map(|((_, value), count)| (value.as_ref(), *count))
    }

    fn decode<'a>(&self, values: impl Iterator<Item = &'a [u8]>) -> Result<ArrayRef> {
        let parser = self.converter.parser();
        let rows: Vec<_> = values.map(|value| parser.parse(value)).collect();
        if rows.is_empty() {
            return Ok(new_empty_array(&self.ty));
        }
        let columns = self.converter.convert_rows(rows);
        let columns = columns.map_err(|e| Error::internal(format!("decode values: {e}")))?;
        columns.into_iter().next().ok_or_else(|| Error::internal("no column of values"))
    }

    fn extremes<'a>(&self, found: impl Iterator<Item = Option<&'a [u8]>>) -> Result<ArrayRef> {
        let (mut values, mut places) = (Vec::new(), Vec::new());
        for value in found {
            places.push(value.map(|_| values.len() as u32));
            values.extend(value);
        }
        let values = self.decode(values.into_iter())?;
        let places = UInt32Array::from(places);
        take(&values, &places, None).map_err(|error| Error::internal(error.to_string()))
    }

    fn collected(&self, slots: &[u32], ty: &DataType) -> Result<ArrayRef> {
        let DataType::Map(entries, sorted) = ty else {
            return Err(Error::internal("a multiset is not a map"));
        };
        let (mut values, mut counts, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for slot in slots {
            let before = counts.len();
            for (value, count) in self.of(*slot).filter(|(_, count)| *count > 0) {
                values.push(value);
                counts.push(i32::try_from(count).unwrap_or(i32::MAX));
            }
            lengths.push(counts.len() - before);
        }
        let DataType::Struct(fields) = entries.data_type() else {
            return Err(Error::internal("the entries of a multiset are not rows"));
        };
        let keys = self.decode(values.into_iter())?;
        let columns: Vec<ArrayRef> = vec![keys, Arc::new(Int32Array::from(counts))];
        let internal = |error: arrow::error::ArrowError| Error::internal(error.to_string());
        let rows = StructArray::try_new(fields.clone(), columns, None).map_err(internal)?;
        let offsets = OffsetBuffer::from_lengths(lengths);
        let map = MapArray::try_new(entries.clone(), offsets, rows, None, *sorted);
        Ok(Arc::new(map.map_err(internal)?))
    }

    fn percentiles(&self, slots: &[u32], fractions: &[f64], list: bool) -> Result<ArrayRef> {
        let mut results = Vec::with_capacity(slots.len() * fractions.len());
        let mut valid = Vec::with_capacity(slots.len());
        for slot in slots {
            let (values, counts): (Vec<&[u8]>, Vec<i64>) =
                self.of(*slot).filter(|(_, count)| *count > 0).unzip();
            let values = self.decode(values.into_iter())?;
            let values = values.as_primitive::<Float64Type>().values();
            let total: i128 = counts.iter().map(|count| i128::from(*count)).sum();
            valid.push(total > 0);
            for fraction in fractions {
                // Places from 1, which rounds as Flink does.
                let at = (total - 1).max(0) as f64 * fraction + 1.0;
                let nth = |place: i128| {
                    let mut behind = place;
                    let found = counts.iter().position(|count| {
                        behind -= i128::from(*count);
                        behind < 0
                    });
                    found.map_or(0.0, |index| values[index])
                };
                let (low, high) = (nth(at.floor() as i128 - 1), nth(at.ceil() as i128 - 1));
                let share = at - at.floor();
                results.push(if low == high { low } else { low + (high - low) * share });
            }
        }
        let nulls = NullBuffer::from(valid);
        if !list {
            return Ok(Arc::new(Float64Array::new(results.into(), Some(nulls))));
        }
        let field = Arc::new(Field::new("item", DataType::Float64, true));
        let offsets = OffsetBuffer::from_lengths(slots.iter().map(|_| fractions.len()));
        let values = Arc::new(Float64Array::from(results));
        let array = ListArray::try_new(field, offsets, values, Some(nulls));
        Ok(Arc::new(array.map_err(|error| Error::internal(error.to_string()))?))
    }
}

impl Accumulator for Multiset {
    fn resize(&mut self, _slots: usize) {}

    fn update(
        &mut self,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        self.each(slots, argument, filter, 1)
    }

    fn retract(
        &mut self,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        self.each(slots, argument, filter, -1)
    }

    fn merge(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<()> {
        let (Some(values), Some(counts)) = (
            state.first().and_then(|column| column.as_list_opt::<i32>()),
            state.get(1).and_then(|column| column.as_list_opt::<i32>()),
        ) else {
            return Err(Error::internal("multiset state is two lists"));
        };
        for (row, slot) in slots.iter().enumerate() {
            let encoded = self.encode(&values.value(row))?;
            let counts = counts.value(row);
            for (value, by) in encoded.iter().zip(counts.as_primitive::<Int64Type>().values()) {
                self.change(*slot, value.as_ref(), *by);
            }
        }
        Ok(())
    }

    fn reset(&mut self, slot: u32) {
        let values: Vec<Box<[u8]>> = self.of(slot).map(|(value, _)| value.into()).collect();
        for value in values {
            self.bytes -= value.len();
            self.counts.remove(&(slot, value));
        }
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        let (mut values, mut counts, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for slot in slots {
            let before = counts.len();
            for (value, count) in self.of(*slot) {
                values.push(value);
                counts.push(count);
            }
            lengths.push(counts.len() - before);
        }
        // Decoding may share buffers with more than is listed.
        let values = self.decode(values.into_iter())?;
        let values = concat(&[values.as_ref()]).map_err(|e| Error::internal(e.to_string()))?;
        let columns = [values, Arc::new(Int64Array::from(counts)) as ArrayRef];
        let lists = columns.into_iter().map(|column| {
            let field = Arc::new(Field::new("item", column.data_type().clone(), true));
            let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
            let list = ListArray::try_new(field, offsets, column, None);
            list.map(|list| Arc::new(list) as ArrayRef)
                .map_err(|error| Error::internal(error.to_string()))
        });
        lists.collect()
    }

    fn result(&self, slots: &[u32]) -> Result<ArrayRef> {
        let shown = |(value, count)| (count > 0).then_some(value);
        match &self.form {
            Form::Smallest => {
                self.extremes(slots.iter().map(|slot| self.of(*slot).find_map(shown)))
            }
            Form::Largest => {
                self.extremes(slots.iter().map(|slot| self.of(*slot).rev().find_map(shown)))
            }
            Form::Collected(ty) => self.collected(slots, ty),
            Form::Percentiles(fractions, list) => self.percentiles(slots, fractions, *list),
        }
    }

    fn state_types(&self) -> Vec<DataType> {
        let list = |ty: &DataType| DataType::List(Arc::new(Field::new("item", ty.clone(), true)));
        vec![list(&self.ty), list(&DataType::Int64)]
    }

    fn memory_size(&self) -> usize {
        self.bytes + self.counts.len() * 48
    }
}
