//! Rows of changes, and changes of rows: `TO_CHANGELOG` and `FROM_CHANGELOG`. Neither has state.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int8Array, RecordBatch, RecordBatchOptions,
    StringViewArray, UInt8Array,
};
use arrow::compute::{FilterBuilder, take};
use arrow::datatypes::{SchemaRef, UInt8Type};
use arrow::error::ArrowError;
use hashbrown::HashMap;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::{FromChangelog as FromPlan, ToChangelog as ToPlan};
use tidegate_plan::{Node, RowKind};
use tidegate_types::{Error, ErrorCode, Result};

use crate::element::Changes;
use crate::operator::{Operator, Output};

/// Makes inserted rows of changes; a kind of change without a code is dropped.
pub struct ToChangelog {
    /// The code of each kind by its number; NULL: it has none.
    codes: ArrayRef,
    schema: SchemaRef,
}

impl ToChangelog {
    /// The operator of a plan node.
    pub fn new(plan: &ToPlan, node: &Node) -> Self {
        let codes = RowKind::ALL.map(|kind| plan.code(kind));
        let codes = Arc::new(StringViewArray::from_iter(codes));
        Self { codes, schema: arrow_schema(&node.schema) }
    }

    /// The number of each row's kind.
    fn numbers(changes: &Changes) -> UInt8Array {
        match &changes.kinds {
            Some(kinds) => kinds.unary(i8::cast_unsigned),
            None => UInt8Array::from_value(RowKind::Insert as u8, changes.len()),
        }
    }
}

impl Operator for ToChangelog {
    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        let mut numbers = Self::numbers(&changes);
        let mut rows = changes.rows;
        if self.codes.null_count() > 0 {
            let codes = &self.codes;
            let coded = numbers.values().iter().map(|kind| codes.is_valid(usize::from(*kind)));
            let coded = BooleanArray::from(coded.collect::<Vec<_>>());
            if coded.true_count() < coded.len() {
                let coded = FilterBuilder::new(&coded).optimize().build();
                rows = coded.filter_record_batch(&rows).map_err(internal)?;
                let kept = coded.filter(&numbers).map_err(internal)?;
                numbers = kept.as_primitive::<UInt8Type>().clone();
            }
        }
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let mut columns = vec![take(&self.codes, &numbers, None).map_err(internal)?];
        columns.extend_from_slice(rows.columns());
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(internal)?;
        out.emit(Changes::append(rows));
        Ok(())
    }
}

/// Makes changes of rows, by the text in one of their columns.
pub struct FromChangelog {
    column: usize,
    /// Its name, for messages.
    name: String,
    codes: HashMap<String, i8>,
    /// The codes as they were written, for messages.
    known: String,
    schema: SchemaRef,
}

impl FromChangelog {
    /// The operator of a plan node.
    ///
    /// # Errors
    /// `INTERNAL` if the input has no column of the code.
    pub fn new(plan: &FromPlan, node: &Node, inputs: &[&Node]) -> Result<Self> {
        let field = inputs.first().and_then(|input| input.schema.get(plan.column));
        let name = field.ok_or_else(|| Error::internal("the code of a change has no column"))?;
        let codes = plan.codes.iter();
        let known = codes.clone().map(|code| code.code.as_str()).collect::<Vec<_>>().join(", ");
        Ok(Self {
            column: plan.column,
            name: name.name.clone(),
            codes: codes.map(|code| (code.code.clone(), code.kind as i8)).collect(),
            known,
            schema: arrow_schema(&node.schema),
        })
    }

    /// The kind of each row's change.
    fn kinds(&self, codes: &StringViewArray) -> Result<Int8Array> {
        let mut kinds = Vec::with_capacity(codes.len());
        let mut last: Option<(&str, i8)> = None;
        for code in codes {
            let code = code.ok_or_else(|| self.missing())?;
            let kind = match last {
                Some((same, kind)) if same == code => kind,
                _ => *self.codes.get(code).ok_or_else(|| self.unknown(code))?,
            };
            last = Some((code, kind));
            kinds.push(kind);
        }
        Ok(Int8Array::from(kinds))
    }

    fn missing(&self) -> Error {
        let message = format!("FROM_CHANGELOG: the op code in column '{}' is NULL", self.name);
        Error::new(ErrorCode::BadRecord, message)
            .help("every row must say which change it is: filter rows without a code out first")
    }

    fn unknown(&self, code: &str) -> Error {
        let message = format!(
            "FROM_CHANGELOG: invalid op code '{code}' in column '{}'; defined op codes are: [{}]",
            self.name, self.known
        );
        Error::new(ErrorCode::BadRecord, message)
            .help("name the code in op_mapping, or filter its rows out first")
    }
}

impl Operator for FromChangelog {
    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        let count = changes.len();
        let mut columns = changes.rows.columns().to_vec();
        if self.column >= columns.len() {
            return Err(Error::internal("a batch without the code of a change"));
        }
        let codes = columns.remove(self.column);
        let codes = codes.as_string_view_opt();
        let codes = codes.ok_or_else(|| Error::internal("the code of a change is no text"))?;
        let kinds = self.kinds(codes)?;
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let rows = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options);
        out.emit(Changes { kinds: Some(kinds), rows: rows.map_err(internal)? });
        Ok(())
    }
}

fn internal(error: ArrowError) -> Error {
    Error::internal(format!("changelog: {error}"))
}
