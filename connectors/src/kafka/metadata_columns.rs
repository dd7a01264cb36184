//! Metadata columns of records: topic, partition, offset, timestamp, headers, leader epoch.

use std::sync::Arc;

use arrow::array::builder::MapBuilder;
use arrow::array::{
    Array, ArrayRef, BinaryViewBuilder, Int32Array, Int64Array, MapArray, MapFieldNames,
    StringViewArray, StringViewBuilder, TimestampMillisecondArray, UInt32Array,
};
use arrow::compute::take;

use tidegate_connector_spec::connector;
use tidegate_plan::operator::MetadataColumn;
use tidegate_types::{Error, ErrorCode, Result};

use super::batch::{RecordBatchBytes, RecordHeader};
use crate::format::cast_metadata;

/// Fails unless the metadata key exists and can be read.
pub(super) fn check(column: &MetadataColumn) -> Result<()> {
    let spec = connector("kafka").and_then(|connector| connector.metadata(&column.key));
    if spec.is_some_and(|spec| spec.readable) {
        return Ok(());
    }
    let message = format!("connector 'kafka' has no metadata column '{}' to read", column.key);
    Err(Error::new(ErrorCode::InvalidOption, message))
}

/// A metadata column for all records of a batch, in its declared type.
///
/// # Errors
/// `INVALID_OPTION` if the declared type is not one that the metadata can be cast to.
pub(super) fn column(
    column: &MetadataColumn,
    batch: &RecordBatchBytes,
    topic: &str,
    partition: i32,
) -> Result<ArrayRef> {
    let rows = batch.len();
    let all: ArrayRef = match column.key.as_str() {
        "topic" => repeat(&StringViewArray::from_iter_values([topic]), rows)?,
        "partition" => Arc::new(Int32Array::from(vec![partition; rows])),
        "offset" => Arc::new(Int64Array::from(batch.offsets.clone())),
        "timestamp" => {
            let times = TimestampMillisecondArray::from(batch.timestamps.clone());
            Arc::new(times.with_timezone("UTC"))
        }
        "timestamp-type" => {
            Arc::new(StringViewArray::from_iter_values(batch.timestamp_types.iter()))
        }
        "leader-epoch" => Arc::new(Int32Array::from(batch.leader_epochs.clone())),
        "headers" => Arc::new(headers(&batch.headers)?),
        other => {
            return Err(Error::internal(format!("metadata column '{other}' is not known")));
        }
    };
    cast_metadata(all, column)
}

fn repeat(one: &dyn Array, rows: usize) -> Result<ArrayRef> {
    take(one, &UInt32Array::from(vec![0; rows]), None)
        .map_err(|error| Error::internal(error.to_string()))
}

fn headers(records: &[Vec<RecordHeader>]) -> Result<MapArray> {
    let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
    let mut maps = MapBuilder::new(Some(names), StringViewBuilder::new(), BinaryViewBuilder::new());
    for record in records {
        for (name, value) in record {
            maps.keys().append_value(name);
            maps.values().append_option(value.as_deref());
        }
        maps.append(true).map_err(|error| Error::internal(error.to_string()))?;
    }
    Ok(maps.finish())
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use tidegate_plan::arrow_type;
    use tidegate_types::{Field, SqlType, TypeKind};

    use super::*;

    fn made(key: &str, ty: SqlType, batch: &RecordBatchBytes) -> Result<ArrayRef> {
        let field = Field::new("m", ty);
        column(&MetadataColumn { key: key.into(), field }, batch, "clicks", 3)
    }

    fn batch() -> RecordBatchBytes {
        RecordBatchBytes {
            offsets: vec![7, 8],
            timestamps: vec![1_000, 2_000],
            timestamp_types: vec!["CreateTime", "LogAppendTime"],
            headers: vec![vec![("a".into(), Some(vec![1])), ("b".into(), None)], vec![]],
            leader_epochs: vec![Some(5), None],
            ..RecordBatchBytes::default()
        }
    }

    #[test]
    fn every_key_gives_its_own_type_without_a_cast() {
        for spec in connector("kafka").unwrap().metadata.iter().filter(|spec| spec.readable) {
            let array = made(spec.key, (spec.ty)(), &batch()).unwrap();
            assert_eq!(array.data_type(), &arrow_type::data_type(&(spec.ty)()), "{}", spec.key);
            assert_eq!(array.len(), 2);
        }
    }

    #[test]
    fn declared_types_are_cast_to() {
        let array = made("partition", TypeKind::BigInt.not_null(), &batch()).unwrap();
        assert_eq!(array.as_primitive::<arrow::datatypes::Int64Type>().value(1), 3);
        let array = made("timestamp", TypeKind::timestamp(3).nullable(), &batch()).unwrap();
        assert_eq!(
            array.as_primitive::<arrow::datatypes::TimestampMillisecondType>().value(1),
            2_000
        );
        assert!(made("headers", TypeKind::Int.nullable(), &batch()).is_err());
    }

    #[test]
    fn headers_keep_null_values() {
        let ty = (connector("kafka").unwrap().metadata("headers").unwrap().ty)();
        let array = made("headers", ty, &batch()).unwrap();
        let map = array.as_map();
        assert_eq!((map.value_length(0), map.value_length(1)), (2, 0));
        assert!(map.values().is_null(1) && map.values().is_valid(0));
    }
}
