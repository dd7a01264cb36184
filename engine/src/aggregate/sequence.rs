//! Aggregates over values in order of arrival: LISTAGG, ARRAY_AGG, SINGLE_VALUE, and FIRST_VALUE and
//! LAST_VALUE over inputs that take rows back. Of equal values the earliest is taken back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, StringViewBuilder, UInt32Array,
    new_empty_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field, FieldRef};
use tidegate_plan::arrow_type::data_type;
use tidegate_plan::{AggregateCall, AggregateFunction, Scalar};
use tidegate_types::{Error, ErrorCode, Result, SqlType};

use super::{Accumulator, rows};
use crate::keys::KeyTable;
use crate::keys::hash::{SEED, hash_array};

/// What is made of the values of a slot.
enum Form {
    First,
    Last,
    /// The only one.
    Single,
    /// Text, joined by this.
    Joined(String),
    /// An ARRAY of this type.
    Array(FieldRef),
}

/// The accumulator of a call.
pub(super) fn accumulator(
    call: &AggregateCall,
    argument: &SqlType,
) -> Result<Box<dyn Accumulator>> {
    let ty = data_type(argument);
    let form = match call.function {
        AggregateFunction::FirstValue => Form::First,
        AggregateFunction::LastValue => Form::Last,
        AggregateFunction::SingleValue => Form::Single,
        AggregateFunction::ListAgg if argument.kind.is_text() => {
            let separator = match call.parameters.first().map(|literal| &literal.value) {
                None => ",".to_owned(),
                Some(Scalar::Text(separator)) => separator.clone(),
                Some(_) => return Err(Error::unsupported("the separator of LISTAGG is no text")),
            };
            Form::Joined(separator)
        }
        AggregateFunction::ArrayAgg => match data_type(&call.ty) {
            DataType::List(field) => Form::Array(field),
            _ => return Err(Error::internal("ARRAY_AGG makes no ARRAY")),
        },
        function => {
            return Err(Error::unsupported(format!(
                "{} does not take {argument}",
                function.name()
            )));
        }
    };
    Ok(Box::new(Sequence {
        values: KeyTable::new(std::slice::from_ref(&ty))?,
        uses: Vec::new(),
        order: BTreeMap::new(),
        places: BTreeSet::new(),
        next: 0,
        nulls: matches!(form, Form::Array(_) | Form::Single),
        ty,
        form,
    }))
}

struct Sequence {
    ty: DataType,
    form: Form,
    /// Whether NULL is a value.
    nulls: bool,
    /// Every value of any slot, once, and how often it stands in `order`.
    values: KeyTable,
    uses: Vec<u32>,
    /// Slot and number in order of arrival → value.
    order: BTreeMap<(u32, u64), u32>,
    /// Slot, value, number.
    places: BTreeSet<(u32, u32, u64)>,
    next: u64,
}

impl Sequence {
    fn value_ids(&mut self, column: &ArrayRef) -> Result<Vec<u32>> {
        let mut hashes = vec![SEED; column.len()];
        hash_array(column, &mut hashes)?;
        let mut ids = Vec::new();
        self.values.upsert(std::slice::from_ref(column), &hashes, &mut ids)?;
        self.uses.resize(self.values.len(), 0);
        Ok(ids)
    }

    fn push(&mut self, slot: u32, value: u32) {
        self.order.insert((slot, self.next), value);
        self.places.insert((slot, value, self.next));
        self.uses[value as usize] += 1;
        self.next += 1;
    }

    fn pop(&mut self, slot: u32, value: u32) {
        let earliest = self.places.range((slot, value, 0)..=(slot, value, u64::MAX)).next();
        if let Some(place) = earliest.copied() {
            self.places.remove(&place);
            self.order.remove(&(slot, place.2));
            self.uses[value as usize] -= 1;
        }
    }

    /// Forgets values that nothing holds, of those named.
    fn sweep(&mut self, mut ids: Vec<u32>) {
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|id| self.uses[*id as usize] == 0);
        ids.iter().for_each(|id| self.values.remove(*id));
    }

    /// The values of a slot in order of arrival.
    fn of(&self, slot: u32) -> impl DoubleEndedIterator<Item = u32> {
        self.order.range((slot, 0)..=(slot, u64::MAX)).map(|(_, value)| *value)
    }

    /// A column of some values.
    fn column(&self, ids: &[u32]) -> Result<ArrayRef> {
        if ids.is_empty() {
            return Ok(new_empty_array(&self.ty));
        }
        let mut columns = self.values.columns(ids)?;
        columns.pop().ok_or_else(|| Error::internal("no column of values"))
    }

    fn lists(&self, slots: &[u32]) -> Result<(ArrayRef, Vec<usize>)> {
        let (mut ids, mut lengths) = (Vec::new(), Vec::new());
        for slot in slots {
            let before = ids.len();
            ids.extend(self.of(*slot));
            lengths.push(ids.len() - before);
        }
        Ok((self.column(&ids)?, lengths))
    }

    fn one_each(&self, found: impl Iterator<Item = Option<u32>>) -> Result<ArrayRef> {
        let (mut ids, mut places) = (Vec::new(), Vec::new());
        for id in found {
            places.push(id.map(|_| ids.len() as u32));
            ids.extend(id);
        }
        let values = self.column(&ids)?;
        take(&values, &UInt32Array::from(places), None)
            .map_err(|error| Error::internal(error.to_string()))
    }

    fn single(&self, slot: u32) -> Result<Option<u32>> {
        let mut values = self.of(slot);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Error::new(
                ErrorCode::Evaluation,
                "a subquery that stands for a value has more than one row",
            )
            .help("make it one row: an aggregate, or LIMIT 1")),
            (value, None) => Ok(value),
        }
    }

    fn joined(&self, slots: &[u32], separator: &str) -> Result<ArrayRef> {
        let (values, lengths) = self.lists(slots)?;
        let (values, mut next) = (values.as_string_view(), 0);
        let mut builder = StringViewBuilder::with_capacity(slots.len());
        let mut text = String::new();
        for length in lengths {
            text.clear();
            for index in next..next + length {
                if index > next {
                    text.push_str(separator);
                }
                text.push_str(values.value(index));
            }
            next += length;
            builder.append_option((length > 0).then_some(&text));
        }
        Ok(Arc::new(builder.finish()))
    }
}

impl Accumulator for Sequence {
    fn resize(&mut self, _slots: usize) {}

    fn update(
        &mut self,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let argument = argument.ok_or_else(|| Error::internal("an aggregate has no argument"))?;
        let ids = self.value_ids(argument)?;
        let nulls = argument.logical_nulls().filter(|_| !self.nulls);
        rows::for_each(slots, nulls.as_ref(), filter, |row, slot| self.push(slot as u32, ids[row]));
        self.sweep(ids);
        Ok(())
    }

    fn retract(
        &mut self,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let argument = argument.ok_or_else(|| Error::internal("an aggregate has no argument"))?;
        let ids = self.value_ids(argument)?;
        let nulls = argument.logical_nulls().filter(|_| !self.nulls);
        rows::for_each(slots, nulls.as_ref(), filter, |row, slot| self.pop(slot as u32, ids[row]));
        self.sweep(ids);
        Ok(())
    }

    fn merge(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<()> {
        let list = state.first().and_then(|column| column.as_list_opt::<i32>());
        let list = list.ok_or_else(|| Error::internal("the state of a sequence is a list"))?;
        let offsets = list.value_offsets();
        let first = offsets[0] as usize;
        let length = offsets[offsets.len() - 1] as usize - first;
        let ids = self.value_ids(&list.values().slice(first, length))?;
        for (row, slot) in slots.iter().enumerate() {
            for index in offsets[row]..offsets[row + 1] {
                self.push(*slot, ids[index as usize - first]);
            }
        }
        Ok(())
    }

    fn reset(&mut self, slot: u32) {
        let values: Vec<u32> = self.of(slot).collect();
        values.iter().for_each(|value| self.pop(slot, *value));
        self.sweep(values);
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        let (values, lengths) = self.lists(slots)?;
        // Decoding may share buffers with more than is listed.
        let values = concat(&[values.as_ref()]).map_err(|e| Error::internal(e.to_string()))?;
        let field = Arc::new(Field::new("item", self.ty.clone(), true));
        let list = ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), values, None);
        Ok(vec![Arc::new(list.map_err(|error| Error::internal(error.to_string()))?)])
    }

    fn result(&self, slots: &[u32]) -> Result<ArrayRef> {
        match &self.form {
            Form::First => self.one_each(slots.iter().map(|slot| self.of(*slot).next())),
            Form::Last => self.one_each(slots.iter().map(|slot| self.of(*slot).next_back())),
            Form::Single => {
                let found = slots.iter().map(|slot| self.single(*slot));
                self.one_each(found.collect::<Result<Vec<_>>>()?.into_iter())
            }
            Form::Joined(separator) => self.joined(slots, separator),
            Form::Array(field) => {
                let (values, lengths) = self.lists(slots)?;
                let nulls: NullBuffer = lengths.iter().map(|length| *length > 0).collect();
                let offsets = OffsetBuffer::from_lengths(lengths);
                let list = ListArray::try_new(field.clone(), offsets, values, Some(nulls));
                Ok(Arc::new(list.map_err(|error| Error::internal(error.to_string()))?))
            }
        }
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::List(Arc::new(Field::new("item", self.ty.clone(), true)))]
    }

    fn memory_size(&self) -> usize {
        self.values.memory_size() + self.uses.capacity() * 4 + self.order.len() * 56
    }
}
