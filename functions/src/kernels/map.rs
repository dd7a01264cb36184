//! Maps: their entries, maps made of arrays, of texts, and of other maps.
//!
//! Of equal keys the last one's value stays, at the place of the first. Keys that are NULL are
//! refused: Flink's maps hold them, Arrow's do not.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ListArray, MapArray, StringViewBuilder, StructArray, UInt32Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{interleave, take};
use arrow::datatypes::DataType;
use tidegate_plan::arrow_type::data_type;
use tidegate_types::{Error, Field, Result, SqlType, TypeKind};

use super::collection::comparator;
use super::regex::Pattern;
use crate::coercion::common_type;
use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{any_nullable, count, element, fail, map, may_be_null, strict, text};
use crate::vector::{
    self, TextLane, arrow_error, constant_text, null_in_not_null, retype, strict_nulls, valid,
};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("MAP_ENTRIES", "The entries of a map as rows", bind_entries, entries),
    Function::new("MAP_FROM_ARRAYS", "A map of keys and their values", bind_arrays, from_arrays)
        .fallible(),
    Function::new("MAP_UNION", "The entries of all maps", bind_union, union),
    Function::new("STR_TO_MAP", "A map of the pairs in a text", bind_text, of_text).fallible(),
];

fn bind_entries(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    let (key, value) = map(args, 0)?;
    let fields = vec![Field::new("key", key.clone()), Field::new("value", value.clone())];
    let list = TypeKind::Array(Box::new(TypeKind::Row(fields).nullable()));
    Ok(strict(args, vec![args[0].ty.clone()], list))
}

fn bind_arrays(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    let (key, value) = (element(args, 0)?.clone(), element(args, 1)?.clone());
    let arguments = args.iter().map(|arg| arg.ty.clone()).collect();
    Ok(strict(args, arguments, TypeKind::Map(Box::new(key), Box::new(value))))
}

fn bind_union(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=usize::MAX)?;
    for index in 0..args.len() {
        map(args, index)?;
    }
    let types: Vec<SqlType> = args.iter().map(|arg| arg.ty.clone()).collect();
    let common = common_type(&types).ok_or_else(|| fail("the maps have no common type"))?;
    let common = common.with_nullable(any_nullable(args));
    Ok(Signature { arguments: vec![common.clone(); args.len()], result: common })
}

fn bind_text(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=3)?;
    if args.len() == 2 {
        return Err(fail("the separator of keys and values is missing"));
    }
    let arguments = (0..args.len()).map(|i| text(args, i)).collect::<Result<Vec<_>>>()?;
    let part = || Box::new(TypeKind::STRING.nullable());
    Ok(may_be_null(arguments, TypeKind::Map(part(), part())))
}

fn entries(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let source = values.first().ok_or_else(|| Error::internal("MAP_ENTRIES takes a map"))?;
    let source = source.to_array(context.rows)?;
    let map = vector::maps(&source)?;
    let DataType::List(item) = data_type(context.result) else {
        return Err(Error::internal("MAP_ENTRIES does not make an array"));
    };
    let rows: ArrayRef = Arc::new(map.entries().clone());
    let rows = retype(&rows, item.data_type())?;
    let list = ListArray::try_new(item, map.offsets().clone(), rows, map.nulls().cloned());
    Ok(Arc::new(list.map_err(null_in_not_null)?))
}

/// A map array of entries, of equal keys in a row only with the last value.
fn build(
    context: &KernelContext<'_>,
    keys: &ArrayRef,
    values: &ArrayRef,
    lengths: &[usize],
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let DataType::Map(entry, sorted) = data_type(context.result) else {
        return Err(Error::internal(format!("{} does not make a map", context.name)));
    };
    let DataType::Struct(fields) = entry.data_type().clone() else {
        return Err(Error::internal(format!("{} does not make a map", context.name)));
    };
    if keys.logical_null_count() > 0 {
        return Err(context.error("a key of a map is NULL"));
    }
    let compare = comparator(keys, keys)?;
    let (mut kept, mut latest) = (Vec::with_capacity(keys.len()), Vec::new());
    let mut distinct = Vec::with_capacity(lengths.len());
    let mut start = 0;
    for length in lengths {
        let first = kept.len();
        for place in start..start + length {
            let known = kept[first..]
                .iter()
                .position(|known: &u32| compare(*known as usize, place).is_eq());
            match known {
                Some(known) => latest[first + known] = place as u32,
                None => {
                    kept.push(place as u32);
                    latest.push(place as u32);
                }
            }
        }
        distinct.push(kept.len() - first);
        start += length;
    }
    let pick = |array: &ArrayRef, places: Vec<u32>, ty: &DataType| {
        let taken = take(array, &UInt32Array::from(places), None).map_err(arrow_error)?;
        retype(&taken, ty)
    };
    let columns = vec![
        pick(keys, kept, fields[0].data_type())?,
        pick(values, latest, fields[1].data_type())?,
    ];
    let rows = StructArray::try_new(fields, columns, None).map_err(null_in_not_null)?;
    let offsets = OffsetBuffer::from_lengths(distinct);
    let map = MapArray::try_new(entry, offsets, rows, nulls, sorted);
    Ok(Arc::new(map.map_err(null_in_not_null)?))
}

fn from_arrays(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [keys, mapped] = values else {
        return Err(Error::internal("MAP_FROM_ARRAYS takes two arrays"));
    };
    let nulls = strict_nulls(&[keys, mapped], context.rows);
    let lists = [vector::lists(keys.array())?, vector::lists(mapped.array())?];
    let steps = [keys.step(), mapped.step()];
    let range = |side: usize, row: usize| {
        let offsets = &lists[side].offsets()[row * steps[side]..];
        offsets[0] as usize..offsets[1] as usize
    };
    let mut places = [Vec::new(), Vec::new()];
    let mut lengths = Vec::with_capacity(context.rows);
    for row in 0..context.rows {
        if !valid(nulls.as_ref(), row) {
            lengths.push(0);
            continue;
        }
        let (keys, mapped) = (range(0, row), range(1, row));
        if keys.len() != mapped.len() {
            return Err(context.error(format!(
                "there are {} keys and {} values",
                keys.len(),
                mapped.len()
            )));
        }
        lengths.push(keys.len());
        places[0].extend(keys.map(|place| place as u32));
        places[1].extend(mapped.map(|place| place as u32));
    }
    let [keys, mapped] = places;
    let keys = take(lists[0].values(), &UInt32Array::from(keys), None).map_err(arrow_error)?;
    let mapped = take(lists[1].values(), &UInt32Array::from(mapped), None).map_err(arrow_error)?;
    build(context, &keys, &mapped, &lengths, nulls)
}

fn union(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let nulls = strict_nulls(&values.iter().collect::<Vec<_>>(), context.rows);
    let maps =
        values.iter().map(|value| vector::maps(value.array())).collect::<Result<Vec<_>>>()?;
    let (mut places, mut lengths) = (Vec::new(), Vec::with_capacity(context.rows));
    for row in 0..context.rows {
        let before = places.len();
        if valid(nulls.as_ref(), row) {
            for (index, (map, value)) in maps.iter().zip(values).enumerate() {
                let offsets = &map.offsets()[row * value.step()..];
                let range = offsets[0] as usize..offsets[1] as usize;
                places.extend(range.map(|place| (index, place)));
            }
        }
        lengths.push(places.len() - before);
    }
    let column = |part: fn(&MapArray) -> &ArrayRef| {
        let ty = part(maps[0]).data_type();
        let parts = maps.iter().map(|map| retype(part(map), ty)).collect::<Result<Vec<_>>>()?;
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        interleave(&parts, &places).map_err(arrow_error)
    };
    let (keys, mapped) = (column(MapArray::keys)?, column(MapArray::values)?);
    build(context, &keys, &mapped, &lengths, nulls)
}

/// What separates parts of a text: some text, or in general a regular expression.
enum Separator {
    Text(String),
    Expression(Pattern),
}

impl Separator {
    fn new(separator: &str, context: &KernelContext<'_>) -> Result<Self> {
        let special = |c: char| "\\^$.|?*+()[]{}".contains(c);
        if !separator.is_empty() && !separator.contains(special) {
            return Ok(Self::Text(separator.to_owned()));
        }
        let compiled = Pattern::new(separator);
        let compiled = compiled.map_err(|error| {
            context.error(format!("'{separator}' is no regular expression: {error}"))
        })?;
        Ok(Self::Expression(compiled))
    }

    /// The next separator in the text at or after a byte: where it begins and ends. Nothing is
    /// found before the first character.
    fn find(&self, text: &str, from: usize) -> Option<(usize, usize)> {
        match self {
            Self::Text(separator) => text[from..]
                .find(separator.as_str())
                .map(|at| (from + at, from + at + separator.len())),
            Self::Expression(expression) => {
                // What is given up splits nothing.
                let find = |from| expression.find_at(text, from).ok().flatten();
                let found = find(from)?;
                if found == (from, from) {
                    // A match of nothing splits behind the next character.
                    return find(from + text[from..].chars().next()?.len_utf8());
                }
                Some(found)
            }
        }
    }

    /// The parts between separators, without empty ones at the end, as `String.split` does.
    fn split<'t>(&self, text: &'t str, parts: &mut Vec<&'t str>) {
        parts.clear();
        let mut from = 0;
        while let Some((start, end)) = self.find(text, from) {
            // A match of nothing before the text splits nothing off.
            if end > 0 {
                parts.push(&text[from..start]);
            }
            from = end;
        }
        parts.push(&text[from..]);
        while parts.len() > 1 && parts.last().is_some_and(|part| part.is_empty()) {
            parts.pop();
        }
        if from > 0 && parts.len() == 1 && parts[0].is_empty() {
            parts.clear();
        }
    }
}

/// Both separators of a call.
struct Separators {
    entries: Separator,
    values: Separator,
}

impl Separators {
    fn new(entries: &str, values: &str, context: &KernelContext<'_>) -> Result<Self> {
        let (entries, values) =
            (Separator::new(entries, context)?, Separator::new(values, context)?);
        Ok(Self { entries, values })
    }
}

/// `k1=v1,k2=v2`: a part without a separator is a key whose value is NULL.
fn of_text(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let source = values.first().ok_or_else(|| Error::internal("STR_TO_MAP takes a text"))?;
    let nulls = strict_nulls(&values.iter().collect::<Vec<_>>(), context.rows);
    let texts = TextLane::new(source)?;
    let given = match values {
        [_, entries, values] => Some((TextLane::new(entries)?, TextLane::new(values)?)),
        _ => None,
    };
    let fixed = match values {
        [_, entries, values] => constant_text(entries).zip(constant_text(values)),
        _ => Some((",", "=")),
    };
    let (mut keys, mut mapped) = (StringViewBuilder::new(), StringViewBuilder::new());
    let mut lengths = Vec::with_capacity(context.rows);
    let mut parts = Vec::new();
    for row in 0..context.rows {
        if !valid(nulls.as_ref(), row) || texts.get(row).is_empty() {
            lengths.push(0);
            continue;
        }
        let made;
        let separators = match (fixed, &given) {
            (Some((entries, values)), _) => {
                context.prepared.get_or_try(|| Separators::new(entries, values, context))?
            }
            (None, Some((entries, values))) => {
                made = Separators::new(entries.get(row), values.get(row), context)?;
                &made
            }
            (None, None) => return Err(Error::internal("STR_TO_MAP without separators")),
        };
        separators.entries.split(texts.get(row), &mut parts);
        lengths.push(parts.len());
        for part in &parts {
            match separators.values.find(part, 0) {
                Some((start, end)) => {
                    keys.append_value(&part[..start]);
                    mapped.append_value(&part[end..]);
                }
                None => {
                    keys.append_value(part);
                    mapped.append_null();
                }
            }
        }
    }
    let (keys, mapped): (ArrayRef, ArrayRef) = (Arc::new(keys.finish()), Arc::new(mapped.finish()));
    build(context, &keys, &mapped, &lengths, nulls)
}

#[cfg(test)]
mod tests {
    use crate::testing::{call, failure, int, null, over, show, some, text, type_of};
    use tidegate_plan::Expr;
    use tidegate_types::TypeKind;

    fn pairs(entries: &[(&str, i32)]) -> Expr {
        call("MAP", entries.iter().flat_map(|(k, v)| [text(k), int(*v)]).collect())
    }

    #[test]
    fn entries_are_rows() {
        let entries = call("MAP_ENTRIES", vec![pairs(&[("a", 1), ("b", 2)])]);
        let ty = "ARRAY<ROW<`key` CHAR(1) NOT NULL, `value` INT NOT NULL>> NOT NULL";
        assert_eq!(type_of(&entries), ty);
        assert_eq!(show(&entries).as_deref(), Some("[(a, 1), (b, 2)]"));
    }

    #[test]
    fn maps_of_arrays() {
        let got = over(&[Some("x"), Some("y")], |s| {
            let keys = call("ARRAY", vec![s, text("y")]);
            call("MAP_FROM_ARRAYS", vec![keys, call("ARRAY", vec![int(1), int(2)])])
        });
        assert_eq!(got, some(["{x=1, y=2}", "{y=2}"]));
        let keys = || call("ARRAY", vec![text("a")]);
        let longer = call("ARRAY", vec![int(1), int(2)]);
        let error = failure(&call("MAP_FROM_ARRAYS", vec![keys(), longer]));
        assert!(error.to_string().contains("1 keys and 2 values"), "{error}");
        let nothing = null(TypeKind::Array(Box::new(TypeKind::Int.nullable())));
        assert_eq!(show(&call("MAP_FROM_ARRAYS", vec![keys(), nothing])), None);
    }

    #[test]
    fn the_last_value_of_a_key_wins() {
        let of = call("MAP_UNION", vec![pairs(&[("a", 1), ("b", 2)]), pairs(&[("a", 3)])]);
        assert_eq!(show(&of).as_deref(), Some("{a=3, b=2}"));
    }

    #[test]
    fn maps_of_texts() {
        let got = over(&[Some("a=1,b,,c=2=3,"), Some(""), None, Some("a=1,a=2")], |s| {
            call("STR_TO_MAP", vec![s])
        });
        let texts = ["{a=1, b=NULL, =NULL, c=2=3}", "{}"].map(str::to_owned).map(Some);
        assert_eq!(got[..2], texts);
        assert_eq!(got[2], None);
        assert_eq!(got[3].as_deref(), Some("{a=2}"));
        let expression = call("STR_TO_MAP", vec![text("a:1|b:2"), text("\\|"), text(":")]);
        assert_eq!(show(&expression).as_deref(), Some("{a=1, b=2}"));
        let characters = call("STR_TO_MAP", vec![text("a1b2"), text(""), text("")]);
        assert_eq!(show(&characters).as_deref(), Some("{a=, 1=, b=, 2=}"));
        let broken = call("STR_TO_MAP", vec![text("a"), text("["), text("=")]);
        assert!(failure(&broken).to_string().contains("no regular expression"));
    }
}
