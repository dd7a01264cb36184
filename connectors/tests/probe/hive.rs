//! Hive's metastore.

use std::net::TcpStream;

use thrift::protocol::{
    TBinaryInputProtocol, TBinaryOutputProtocol, TFieldIdentifier, TInputProtocol as _,
    TListIdentifier, TMessageIdentifier, TMessageType, TOutputProtocol, TStructIdentifier, TType,
};
use thrift::transport::{TIoChannel as _, TTcpChannel};
use tidegate_connectors::probe::{Reason, What};

use super::source::{Source, closed_port, columns, host_port, own_name, service};

fn hive() -> Source {
    let (host, port) = host_port(&format!("//{}", service("TIDEGATE_HIVE")));
    Source::new("hive", &[("host", &host), ("port", &port)])
}

const STEPS: [What; 4] = [What::Resolve, What::Connect, What::Authenticate, What::OpenDatabase];

#[tokio::test]
async fn c1_hive_connects() {
    hive().passes(&STEPS).await;
}

#[tokio::test]
async fn c2_hive_says_what_is_wrong() {
    let missing = hive().set("database", "nowhere");
    missing.fails(What::OpenDatabase, Reason::MissingDatabase, &["'nowhere'", "127.0.0.1"]).await;
    hive().set("port", &closed_port()).fails(What::Connect, Reason::Refused, &["127.0.0.1"]).await;
    let (_, port) = host_port(&format!("//{}", service("TIDEGATE_REDIS")));
    let mut other = hive().set("port", &port);
    other.limits.deadline = std::time::Duration::from_secs(2);
    let report = other.test().await;
    let failure = report.failure.unwrap();
    assert!(matches!(failure.reason, Reason::Protocol | Reason::Timeout), "{failure:?}");
}

type Output = dyn TOutputProtocol;

fn field(
    out: &mut Output,
    kind: TType,
    number: i16,
    write: impl FnOnce(&mut Output) -> thrift::Result<()>,
) -> thrift::Result<()> {
    out.write_field_begin(&TFieldIdentifier::new("field", kind, number))?;
    write(out)?;
    out.write_field_end()
}

fn text(out: &mut Output, number: i16, text: &str) -> thrift::Result<()> {
    field(out, TType::String, number, |out| out.write_string(text))
}

fn structure(
    out: &mut Output,
    write: impl FnOnce(&mut Output) -> thrift::Result<()>,
) -> thrift::Result<()> {
    out.write_struct_begin(&TStructIdentifier::new("struct"))?;
    write(out)?;
    out.write_field_stop()?;
    out.write_struct_end()
}

fn schema(out: &mut Output, number: i16, columns: &[(&str, &str, &str)]) -> thrift::Result<()> {
    field(out, TType::List, number, |out| {
        let size = i32::try_from(columns.len()).unwrap();
        out.write_list_begin(&TListIdentifier::new(TType::Struct, size))?;
        for (name, kind, comment) in columns {
            structure(out, |out| {
                text(out, 1, name)?;
                text(out, 2, kind)?;
                text(out, 3, comment)
            })?;
        }
        out.write_list_end()
    })
}

/// Makes a table in the database `default`.
fn make(table: &str) -> thrift::Result<()> {
    let stream = TcpStream::connect(service("TIDEGATE_HIVE")).unwrap();
    let (input, output) = TTcpChannel::with_stream(stream).split()?;
    let mut out = TBinaryOutputProtocol::new(output, true);
    out.write_message_begin(&TMessageIdentifier::new("create_table", TMessageType::Call, 1))?;
    structure(&mut out, |out| {
        field(out, TType::Struct, 1, |out| {
            structure(out, |out| {
                text(out, 1, table)?;
                text(out, 2, "default")?;
                text(out, 3, "tidegate")?;
                field(out, TType::Struct, 7, |out| {
                    structure(out, |out| {
                        let columns = [
                            ("id", "bigint", "the number"),
                            ("tags", "array<string>", ""),
                            ("odd", "uniontype<int,string>", ""),
                        ];
                        schema(out, 1, &columns)?;
                        text(out, 3, "org.apache.hadoop.mapred.TextInputFormat")?;
                        text(out, 4, "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat")?;
                        field(out, TType::Struct, 7, |out| {
                            structure(out, |out| {
                                text(out, 1, table)?;
                                text(out, 2, "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe")
                            })
                        })
                    })
                })?;
                schema(out, 8, &[("day", "date", "")])?;
                text(out, 12, "MANAGED_TABLE")
            })
        })
    })?;
    out.write_message_end()?;
    out.flush()?;
    let mut answers = TBinaryInputProtocol::new(input, true);
    let answer = answers.read_message_begin()?;
    assert_eq!(answer.message_type, TMessageType::Reply);
    answers.read_struct_begin()?;
    // Nothing but the end: no exception.
    assert_eq!(answers.read_field_begin()?.field_type, TType::Stop);
    Ok(())
}

#[tokio::test]
async fn d1_schemas_are_imported_from_hive() {
    let name = own_name("import");
    make(&name).unwrap();
    let source = hive();
    assert!(source.names(None, "def").await.contains(&"default".to_owned()));
    assert_eq!(source.names(Some("default"), &name).await, std::slice::from_ref(&name));
    let found = source.describe(Some("default"), &name).await;
    assert_eq!(columns(&found), ["id BIGINT", "tags ARRAY<STRING>", "day DATE"]);
    assert_eq!(found.columns[0].comment.as_deref(), Some("the number"));
    assert_eq!(found.unmapped[0].name, "odd");
    let error = source.cannot_describe(None, "none").await;
    assert!(error.contains("'default.none'"), "{error}");
}
