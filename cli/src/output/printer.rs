//! Prints the rows of a SELECT while they come.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use arrow::array::Array;
use tidegate_connectors::PrintTarget;
use tidegate_engine::Changes;
use tidegate_functions::Zone;
use tidegate_functions::cast::render;
use tidegate_plan::{PlanSettings, RowKind, Schema};
use tidegate_planner::Rows;
use tidegate_runtime::{Task, spawn};
use tidegate_types::{Error, Result};
use tokio::sync::mpsc;

use super::json::JsonRows;
use super::table::TextTable;
use crate::args::RowFormat;

/// Batches that wait to be printed: a slow terminal holds the query back.
const CAPACITY: usize = 16;
/// How long the first rows of a table wait for company, so that its columns fit more of them.
const FIT_TIME: Duration = Duration::from_millis(200);
/// Rows after which they no longer wait.
const FIT_ROWS: usize = 1_000;

/// A printer of one query's rows.
pub(crate) struct Printer {
    rows: mpsc::Sender<Changes>,
    ended_well: Arc<AtomicBool>,
    task: Task<Result<()>>,
}

impl Printer {
    /// Starts printing; `changing`: rows may be updates and deletes, so that a column `op` in front says
    /// what each is.
    ///
    /// # Errors
    /// `INVALID_OPTION` for an unknown time zone, `UNSUPPORTED` if the format cannot hold a column.
    pub(crate) fn start(
        schema: Schema,
        changing: bool,
        settings: &PlanSettings,
        format: RowFormat,
        out: PrintTarget,
    ) -> Result<Self> {
        let zone = Zone::parse(&settings.time_zone)?;
        let form = Form::new(&schema, changing, format, zone)?;
        let (rows, received) = mpsc::channel(CAPACITY);
        let ended_well = Arc::new(AtomicBool::new(false));
        let task = spawn("printer", print(received, form, out, ended_well.clone()));
        Ok(Self { rows, ended_well, task })
    }

    /// Where rows go.
    pub(crate) fn sender(&self) -> mpsc::Sender<Changes> {
        self.rows.clone()
    }

    /// Waits until everything is printed. A query that failed without a row prints nothing.
    ///
    /// # Errors
    /// `UNAVAILABLE` if standard output cannot be written.
    pub(crate) async fn finish(self, ended_well: bool) -> Result<()> {
        // The printer ends when the last sender is gone; until then it sees how the query ended.
        self.ended_well.store(ended_well, Ordering::Release);
        drop(self.rows);
        self.task.await?
    }
}

enum Form {
    Table {
        schema: Schema,
        zone: Zone,
        table: TextTable,
        count: u64,
        waiting: Vec<Vec<String>>,
        changing: bool,
    },
    Csv {
        schema: Schema,
        zone: Zone,
        header: bool,
        changing: bool,
    },
    Json {
        rows: JsonRows,
        changing: bool,
    },
}

async fn print(
    mut rows: mpsc::Receiver<Changes>,
    mut form: Form,
    out: PrintTarget,
    ended_well: Arc<AtomicBool>,
) -> Result<()> {
    let mut any = false;
    let mut fitted = false;
    loop {
        let next = if fitted {
            rows.recv().await
        } else {
            match tokio::time::timeout(FIT_TIME, rows.recv()).await {
                Ok(next) => next,
                Err(_) => {
                    fitted = form.has_rows();
                    if fitted {
                        write(&out, &form.flush())?;
                    }
                    continue;
                }
            }
        };
        let Some(changes) = next else { break };
        any = true;
        let text = form.take(&changes)?;
        fitted |= form.waiting() >= FIT_ROWS;
        let text = if fitted { [text, form.flush()].concat() } else { text };
        write(&out, &text)?;
    }
    if !any && !ended_well.load(Ordering::Acquire) {
        return Ok(());
    }
    let end = form.end();
    write(&out, &end)
}

fn write(out: &PrintTarget, bytes: &[u8]) -> Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| {
        Error::new(
            tidegate_types::ErrorCode::Unavailable,
            format!("write to standard output: {error}"),
        )
    })
}

impl Form {
    fn new(schema: &Schema, changing: bool, format: RowFormat, zone: Zone) -> Result<Self> {
        let names = header(schema, changing).map(str::to_owned).collect();
        Ok(match format {
            RowFormat::Table => Self::Table {
                schema: schema.clone(),
                zone,
                table: TextTable::new(names),
                count: 0,
                waiting: Vec::new(),
                changing,
            },
            RowFormat::Csv => Self::Csv { schema: schema.clone(), zone, header: false, changing },
            RowFormat::Json => Self::Json { rows: JsonRows::new(schema, zone)?, changing },
        })
    }

    /// Takes rows; returns what can be written at once.
    fn take(&mut self, changes: &Changes) -> Result<Vec<u8>> {
        match self {
            Self::Table { schema, zone, waiting, count, changing, .. } => {
                let rows = texts(changes, schema, zone, "NULL", *changing)?;
                *count += rows.len() as u64;
                waiting.extend(rows);
                Ok(Vec::new())
            }
            Self::Csv { schema, zone, header: written, changing } => {
                let mut text = String::new();
                if !std::mem::replace(written, true) {
                    text.push_str(&csv_line(header(schema, *changing)));
                }
                for row in texts(changes, schema, zone, "", *changing)? {
                    text.push_str(&csv_line(row.iter().map(String::as_str)));
                }
                Ok(text.into_bytes())
            }
            Self::Json { rows, changing } => {
                let records = rows.records(changes)?;
                let mut bytes = Vec::new();
                for row in 0..records.len() {
                    let Some(record) = records.get(row) else { continue };
                    match record.strip_prefix(b"{").filter(|_| *changing) {
                        Some(fields) => {
                            let op = format!("{{\"op\":\"{}\"", kind_of(changes, row));
                            bytes.extend_from_slice(op.as_bytes());
                            bytes.extend_from_slice(if fields == b"}" { b"" } else { b"," });
                            bytes.extend_from_slice(fields);
                        }
                        None => bytes.extend_from_slice(record),
                    }
                    bytes.push(b'\n');
                }
                Ok(bytes)
            }
        }
    }

    fn waiting(&self) -> usize {
        match self {
            Self::Table { waiting, .. } => waiting.len(),
            _ => 0,
        }
    }

    fn has_rows(&self) -> bool {
        self.waiting() > 0
    }

    fn flush(&mut self) -> Vec<u8> {
        match self {
            Self::Table { table, waiting, .. } if !waiting.is_empty() => {
                table.rows(&std::mem::take(waiting)).into_bytes()
            }
            _ => Vec::new(),
        }
    }

    fn end(&mut self) -> Vec<u8> {
        let mut bytes = self.flush();
        match self {
            Self::Table { table, count, .. } => bytes.extend(table.end(*count).into_bytes()),
            Self::Csv { schema, header: false, changing, .. } => {
                bytes.extend(csv_line(header(schema, *changing)).into_bytes());
            }
            _ => {}
        }
        bytes
    }
}

fn texts(
    changes: &Changes,
    schema: &Schema,
    zone: &Zone,
    null: &str,
    changing: bool,
) -> Result<Vec<Vec<String>>> {
    let columns = changes.rows.columns().iter().zip(schema);
    let columns = columns
        .map(|(column, field)| render(column, &field.ty, zone))
        .collect::<Result<Vec<_>>>()?;
    let row = |row: usize| {
        let values = columns.iter().map(|column| {
            let value = if column.is_null(row) { null } else { column.value(row) };
            value.to_owned()
        });
        let op = changing.then(|| kind_of(changes, row).to_string());
        op.into_iter().chain(values).collect()
    };
    Ok((0..changes.len()).map(row).collect())
}

/// The names of the printed columns.
fn header(schema: &Schema, changing: bool) -> impl Iterator<Item = &str> {
    changing.then_some("op").into_iter().chain(schema.iter().map(|field| field.name.as_str()))
}

fn kind_of(changes: &Changes, row: usize) -> RowKind {
    RowKind::from_i8(changes.kind(row)).unwrap_or(RowKind::Insert)
}

fn csv_line<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let quoted = values.map(|value| {
        if value.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", value.replace('"', "\"\""))
        } else {
            value.to_owned()
        }
    });
    quoted.collect::<Vec<_>>().join(",") + "\n"
}

/// Prints the answer of a statement.
///
/// # Errors
/// `UNAVAILABLE` if standard output cannot be written.
pub(crate) fn print_rows(out: &PrintTarget, rows: &Rows, format: RowFormat) -> Result<()> {
    let text = match format {
        // A plan or a DDL text is for reading as it is.
        RowFormat::Table if rows.columns == ["result"] && rows.rows.len() == 1 => {
            format!("{}\n", rows.rows[0][0].trim_end())
        }
        RowFormat::Table => {
            let mut table = TextTable::new(rows.columns.clone());
            let body = table.rows(&rows.rows);
            body + &table.end(rows.rows.len() as u64)
        }
        RowFormat::Csv => {
            let header = csv_line(rows.columns.iter().map(String::as_str));
            let lines = rows.rows.iter().map(|row| csv_line(row.iter().map(String::as_str)));
            header + &lines.collect::<String>()
        }
        RowFormat::Json => {
            let object = |row: &Vec<String>| {
                let pairs = rows.columns.iter().cloned().zip(row.iter().map(|v| v.clone().into()));
                serde_json::Value::Object(pairs.collect()).to_string() + "\n"
            };
            rows.rows.iter().map(object).collect()
        }
    };
    write(out, text.as_bytes())
}
