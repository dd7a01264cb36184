//! `database.include` and `table.include`: changes of other databases and tables are passed over before anything else
//! of them is looked at, for their rows have other columns.

use arrow::array::{Array, AsArray};
use regex::Regex;
use tidegate_types::{Error, ErrorCode, Field, Result, TypeKind};

use super::json_options;
use crate::format::{BadRecord, DecodeError, Decoder, DecoderContext, Records, json};

/// Which changes are read.
pub(super) struct Include {
    /// Reads the fields that decide.
    fields: Box<dyn Decoder>,
    /// For each of them its name and the pattern of its whole value.
    patterns: Vec<(&'static str, Regex)>,
    ignore_errors: bool,
}

/// The records that are read.
pub(super) struct Included {
    pub(super) records: Records,
    /// For each of them its index among all records.
    origins: Vec<u32>,
    pub(super) bad_records: u64,
}

impl Included {
    /// The index among all records.
    pub(super) fn origin(&self, record: usize) -> usize {
        self.origins.get(record).map_or(record, |origin| *origin as usize)
    }
}

const FIELDS: [(&str, &str); 2] = [("database.include", "database"), ("table.include", "table")];

impl Include {
    /// What the options ask for; `None`: all is read.
    ///
    /// # Errors
    /// `INVALID_OPTION` for a pattern that is none.
    pub(super) fn new(context: &DecoderContext<'_>) -> Result<Option<Self>> {
        let mut patterns = Vec::new();
        for (key, field) in FIELDS {
            let Some(text) = context.options.text(key) else { continue };
            let pattern = Regex::new(&format!("^(?:{text})$")).map_err(|error| {
                let key = context.options.full_key(key);
                let message = format!("option '{key}': '{text}' is no regular expression: {error}");
                Error::new(ErrorCode::InvalidOption, message)
            })?;
            patterns.push((field, pattern));
        }
        if patterns.is_empty() {
            return Ok(None);
        }
        let read: Vec<Field> = patterns
            .iter()
            .map(|(field, _)| Field::new(*field, TypeKind::STRING.nullable()))
            .collect();
        let options = json_options(context.options)?;
        let fields = json::decoder(&DecoderContext {
            options: &options,
            declared: &read,
            read: &read,
            metadata: &[],
            origin: context.origin,
        })?;
        let ignore_errors = options.boolean("ignore-parse-errors")?;
        Ok(Some(Self { fields, patterns, ignore_errors }))
    }

    /// The records of `records` that are read.
    ///
    /// # Errors
    /// The first record that does not say where it is from.
    pub(super) fn select(&mut self, records: &Records) -> Result<Included, DecodeError> {
        let decoded = self.fields.decode(records)?;
        let mut included = Included {
            records: Records::new(),
            origins: Vec::new(),
            bad_records: decoded.bad_records,
        };
        for row in 0..decoded.rows.num_rows() {
            let record = decoded.origin(row);
            let mut wanted = true;
            let mut missing = None;
            for ((field, pattern), values) in self.patterns.iter().zip(decoded.rows.columns()) {
                let values = values.as_string_view();
                if values.is_null(row) {
                    missing = missing.or(Some(*field));
                } else {
                    wanted &= pattern.is_match(values.value(row));
                }
            }
            match missing {
                Some(_) if !wanted => {}
                Some(_) if self.ignore_errors => included.bad_records += 1,
                Some(field) => {
                    let message = format!("there is no '{field}' to tell whether it is read");
                    return Err(BadRecord { record, message }.into());
                }
                None if wanted => {
                    if !included.records.push(records.get(record)) {
                        let message = "the records of a batch are too large".to_owned();
                        return Err(BadRecord { record, message }.into());
                    }
                    included.origins.push(record as u32);
                }
                None => {}
            }
        }
        Ok(included)
    }
}
