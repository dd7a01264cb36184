//! Hive Metastore, by a few calls of its Thrift service in the binary protocol.

use std::time::Duration;

use thrift::protocol::{
    TBinaryInputProtocol, TBinaryOutputProtocol, TFieldIdentifier, TInputProtocol, TListIdentifier,
    TMessageIdentifier, TMessageType, TOutputProtocol, TStructIdentifier, TType,
};
use thrift::transport::{TIoChannel as _, TTcpChannel};
use thrift::{TConfiguration, TransportErrorKind};
use tidegate_connector_spec::data_source::{Parameters, PhysicalTable};
use tidegate_runtime::blocking::beside;

use super::{Result, invalid};
use crate::probe::import::{Description, Entry, Listing, MAX_COLUMNS, Page, hive_types};
use crate::probe::report::{Failure, Reason, What};
use crate::probe::trace::Trace;
use crate::probe::{address, tcp};

/// Longest text and most elements of an answer.
const MAX_ANSWER: usize = 32 << 20;

type Input = TBinaryInputProtocol<thrift::transport::ReadHalf<TTcpChannel>>;
type Output = TBinaryOutputProtocol<thrift::transport::WriteHalf<TTcpChannel>>;

/// A connection. Its calls block.
struct Metastore {
    input: Input,
    output: Output,
    next: i32,
}

/// Why a call gave nothing.
enum Wrong {
    /// The thing does not exist, in the metastore's words.
    Missing(String),
    Other(String),
}

impl From<thrift::Error> for Wrong {
    fn from(error: thrift::Error) -> Self {
        match &error {
            thrift::Error::Transport(cause) if cause.kind == TransportErrorKind::EndOfFile => {
                Self::Other(
                    "it closes the connection; a metastore with Kerberos does so".to_owned(),
                )
            }
            other => Self::Other(other.to_string()),
        }
    }
}

/// One field of a table.
struct HiveColumn {
    name: String,
    native: String,
    comment: Option<String>,
}

pub(super) async fn test(trace: &mut Trace<'_>, parameters: &Parameters<'_>) -> Result<()> {
    let (metastore, place) = open(trace, parameters).await?;
    let database = parameters.text("database").unwrap_or("default").to_owned();
    let shown = database.clone();
    let found = call(trace, What::OpenDatabase, &place, &shown, metastore, move |metastore| {
        let names = metastore.names("get_databases", &[&database])?;
        let known = names.iter().any(|name| name.eq_ignore_ascii_case(&database));
        if known { Ok(1) } else { Err(Wrong::Missing("it is not among its databases".to_owned())) }
    });
    found.await.map(drop)
}

async fn open(trace: &mut Trace<'_>, parameters: &Parameters<'_>) -> Result<(Metastore, String)> {
    let host = parameters.required("host").map_err(invalid)?;
    let port = parameters.port().map_err(invalid)?;
    let place = format!("{host}:{port}");
    let addresses = address::resolve(trace, host, port).await?;
    let stream = tcp::connect(trace, &place, &addresses).await?;
    let left = trace.left();
    let metastore = Metastore::new(stream, left);
    let metastore = metastore.map_err(|error| match error {
        Wrong::Missing(said) | Wrong::Other(said) => {
            Failure::protocol(&place, &said, "mend host and port")
        }
    })?;
    let user = parameters.text("username").unwrap_or("tidegate").to_owned();
    let shown = user.clone();
    let call = call(trace, What::Authenticate, &place, &shown, metastore, move |metastore| {
        metastore.say_who(&user).map(|()| 1)
    });
    let (metastore, _) = call.await?;
    Ok((metastore, place))
}

/// Does calls on a thread that may block; gives the connection back.
async fn call<T: Send + 'static>(
    trace: &mut Trace<'_>,
    what: What,
    place: &str,
    subject: &str,
    mut metastore: Metastore,
    work: impl FnOnce(&mut Metastore) -> std::result::Result<T, Wrong> + Send + 'static,
) -> Result<(Metastore, T)> {
    let step = async {
        let done = beside("call of a metastore", move || {
            let done = work(&mut metastore);
            (metastore, done)
        });
        let done = done.await.map_err(|error| Failure::unsupported(error.message(), ""))?;
        match done {
            (metastore, Ok(value)) => Ok(((metastore, value), subject.to_owned())),
            (_, Err(Wrong::Missing(said))) => {
                let table = what == What::Ask;
                let (reason, noun) = match table {
                    true => (Reason::MissingTable, "table"),
                    false => (Reason::MissingDatabase, "database"),
                };
                let message = format!("the metastore at {place} has no {noun} '{subject}': {said}");
                Err(Failure::new(reason, message, "mend the name, or create it"))
            }
            (_, Err(Wrong::Other(said))) => {
                let help = "see that it is a metastore without Kerberos, and what its log says";
                Err(Failure::protocol(place, &said, help))
            }
        }
    };
    trace.step(what, place, step).await
}

pub(super) async fn list(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    database: Option<&str>,
    page: &Page,
) -> Result<Listing> {
    let (metastore, place) = open(trace, parameters).await?;
    let shown = database.unwrap_or("databases").to_owned();
    let own = database.map(str::to_owned);
    let (_, names) =
        call(trace, What::List, &place, &shown, metastore, move |metastore| match own {
            Some(database) => metastore.names("get_tables", &[&database, "*"]),
            None => metastore.names("get_databases", &["*"]),
        })
        .await?;
    Ok(page.of(database.is_none(), names.into_iter().map(Entry::named).collect()))
}

pub(super) async fn describe(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    table: &PhysicalTable,
) -> Result<Description> {
    let (metastore, place) = open(trace, parameters).await?;
    let database = table.database.as_deref().or_else(|| parameters.text("database"));
    let (database, name) = (database.unwrap_or("default").to_owned(), table.name.clone());
    let shown = format!("{database}.{name}");
    let (_, columns) = call(trace, What::Ask, &place, &shown, metastore, move |metastore| {
        metastore.columns(&database, &name)
    })
    .await?;
    let mut found = Description::default();
    for column in columns.into_iter().take(MAX_COLUMNS) {
        let ty = hive_types::kind(&column.native).map(|kind| kind.nullable());
        found.add(&column.name, &column.native, ty, column.comment, false);
    }
    Ok(found)
}

impl Metastore {
    fn new(stream: tokio::net::TcpStream, left: Duration) -> std::result::Result<Self, Wrong> {
        let wrong = |error: std::io::Error| Wrong::Other(error.to_string());
        let stream = stream.into_std().map_err(wrong)?;
        stream.set_nonblocking(false).map_err(wrong)?;
        let left = Some(left.max(Duration::from_millis(1)));
        stream.set_read_timeout(left).map_err(wrong)?;
        stream.set_write_timeout(left).map_err(wrong)?;
        let (input, output) = TTcpChannel::with_stream(stream).split()?;
        let limit = Some(MAX_ANSWER);
        let config = TConfiguration::builder()
            .max_message_size(limit)
            .max_string_size(limit)
            .max_container_size(limit)
            .build()?;
        Ok(Self {
            // Older servers answer without the version.
            input: TBinaryInputProtocol::with_config(input, false, config),
            output: TBinaryOutputProtocol::new(output, true),
            next: 0,
        })
    }

    /// Sends a call whose arguments are texts, and reads up to the result.
    fn ask(
        &mut self,
        method: &str,
        write: impl FnOnce(&mut Output) -> thrift::Result<()>,
    ) -> std::result::Result<(), Wrong> {
        self.next += 1;
        let output = &mut self.output;
        let call = TMessageIdentifier::new(method, TMessageType::Call, self.next);
        output.write_message_begin(&call)?;
        output.write_struct_begin(&TStructIdentifier::new("args"))?;
        write(output)?;
        output.write_field_stop()?;
        output.write_struct_end()?;
        output.write_message_end()?;
        output.flush()?;
        let answer = self.input.read_message_begin()?;
        if answer.message_type == TMessageType::Exception {
            let error = thrift::Error::read_application_error_from_in_protocol(&mut self.input)?;
            return Err(Wrong::Other(error.to_string()));
        }
        self.input.read_struct_begin()?;
        Ok(())
    }

    /// Reads the fields of a result: its value by `read`, or the exception that stands in its place.
    fn result<T>(
        &mut self,
        read: impl Fn(&mut Input) -> thrift::Result<T>,
    ) -> std::result::Result<T, Wrong> {
        let mut found = None;
        loop {
            let field = self.input.read_field_begin()?;
            match (field.field_type, field.id) {
                (TType::Stop, _) => break,
                (_, Some(0)) => found = Some(read(&mut self.input)?),
                (TType::Struct, Some(number)) => {
                    let said = exception(&mut self.input)?;
                    let missing = said.contains("oSuchObject")
                        || said.contains("not found")
                        || said.contains("does not exist")
                        || number > 1;
                    return Err(if missing { Wrong::Missing(said) } else { Wrong::Other(said) });
                }
                (other, _) => self.input.skip(other)?,
            }
            self.input.read_field_end()?;
        }
        self.input.read_struct_end()?;
        self.input.read_message_end()?;
        found.ok_or_else(|| Wrong::Other("its answer has no result".to_owned()))
    }

    /// Calls a method with texts that gives a list of texts.
    fn names(
        &mut self,
        method: &str,
        arguments: &[&str],
    ) -> std::result::Result<Vec<String>, Wrong> {
        self.ask(method, |output| texts(output, arguments))?;
        self.result(|input| {
            let list = input.read_list_begin()?;
            let names = (0..list.size).map(|_| input.read_string()).collect();
            input.read_list_end()?;
            names
        })
    }

    /// The columns of a table, those that it is partitioned by last.
    fn columns(
        &mut self,
        database: &str,
        table: &str,
    ) -> std::result::Result<Vec<HiveColumn>, Wrong> {
        self.ask("get_table", |output| texts(output, &[database, table]))?;
        self.result(|input| {
            let mut all = Vec::new();
            fields(input, |input, field| match (&field.field_type, field.id) {
                // The storage descriptor begins with the columns.
                (TType::Struct, Some(7)) => fields(input, |input, field| match field.id {
                    Some(1) => columns(input, &mut all),
                    _ => input.skip(field.field_type),
                }),
                (TType::List, Some(8)) => columns(input, &mut all),
                _ => input.skip(field.field_type),
            })?;
            Ok(all)
        })
    }

    /// Says on whose behalf calls are made.
    fn say_who(&mut self, user: &str) -> std::result::Result<(), Wrong> {
        self.ask("set_ugi", |output| {
            texts(output, &[user])?;
            output.write_field_begin(&TFieldIdentifier::new("group_names", TType::List, 2))?;
            output.write_list_begin(&TListIdentifier::new(TType::String, 0))?;
            output.write_list_end()?;
            output.write_field_end()
        })?;
        self.result(|input| input.skip(TType::List))
    }
}

/// Writes texts as the first fields.
fn texts(output: &mut Output, all: &[&str]) -> thrift::Result<()> {
    for (text, number) in all.iter().zip(1..) {
        output.write_field_begin(&TFieldIdentifier::new("text", TType::String, number))?;
        output.write_string(text)?;
        output.write_field_end()?;
    }
    Ok(())
}

/// Reads a struct, field by field.
fn fields(
    input: &mut Input,
    mut read: impl FnMut(&mut Input, TFieldIdentifier) -> thrift::Result<()>,
) -> thrift::Result<()> {
    input.read_struct_begin()?;
    loop {
        let field = input.read_field_begin()?;
        if field.field_type == TType::Stop {
            break;
        }
        read(input, field)?;
        input.read_field_end()?;
    }
    input.read_struct_end()
}

fn exception(input: &mut Input) -> thrift::Result<String> {
    let mut said = String::new();
    fields(input, |input, field| match (&field.field_type, field.id) {
        (TType::String, Some(1)) => {
            said = input.read_string()?;
            Ok(())
        }
        _ => input.skip(field.field_type),
    })?;
    Ok(said)
}

/// Adds the columns of a list.
fn columns(input: &mut Input, all: &mut Vec<HiveColumn>) -> thrift::Result<()> {
    let list: TListIdentifier = input.read_list_begin()?;
    for _ in 0..list.size {
        let mut column = HiveColumn { name: String::new(), native: String::new(), comment: None };
        fields(input, |input, field| {
            match (&field.field_type, field.id) {
                (TType::String, Some(1)) => column.name = input.read_string()?,
                (TType::String, Some(2)) => column.native = input.read_string()?,
                (TType::String, Some(3)) => {
                    column.comment = Some(input.read_string()?).filter(|text| !text.is_empty());
                }
                _ => input.skip(field.field_type)?,
            }
            Ok(())
        })?;
        all.push(column);
    }
    input.read_list_end()
}
