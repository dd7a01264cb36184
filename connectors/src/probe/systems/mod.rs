//! The systems: how each is connected to, step by step, and asked what is in it.

mod elasticsearch;
mod files;
mod ftp;
mod hbase;
mod hive;
mod http;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "jdbc")]
mod mysql;
mod oracle;
#[cfg(feature = "jdbc")]
mod postgres;
mod redis;
#[cfg(feature = "s3")]
mod s3;

use tidegate_connector_spec::data_source::{Parameters, PhysicalTable};

use super::import::{Description, Listing, Page};
use super::report::Failure;
use super::trace::Trace;

#[cfg(feature = "kafka")]
pub(super) use kafka::Cluster;

type Result<T> = std::result::Result<T, Failure>;

/// Goes the way to a system, and does there what shows that it can be used.
pub(super) async fn test(trace: &mut Trace<'_>, parameters: &Parameters<'_>) -> Result<()> {
    match parameters.spec().name {
        #[cfg(feature = "jdbc")]
        "mysql" => mysql::test(trace, parameters).await,
        #[cfg(feature = "jdbc")]
        "postgresql" | "greenplum" => postgres::test(trace, parameters).await,
        "oracle" => oracle::test(trace, parameters).await,
        #[cfg(feature = "kafka")]
        "kafka" => kafka::test(trace, parameters).await,
        "elasticsearch" => elasticsearch::test(trace, parameters).await,
        "hbase" => hbase::test(trace, parameters).await,
        "hive" => hive::test(trace, parameters).await,
        "ftp" => ftp::test(trace, parameters).await,
        #[cfg(feature = "s3")]
        "s3" => s3::test(trace, parameters).await,
        "files" => files::test(trace, parameters).await,
        "redis" => redis::test(trace, parameters).await,
        "http" => http::test(trace, parameters).await,
        other => Err(not_built_in(other)),
    }
}

/// A page of databases or tables.
pub(super) async fn list(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    database: Option<&str>,
    page: &Page,
) -> Result<Listing> {
    match parameters.spec().name {
        #[cfg(feature = "jdbc")]
        "mysql" => mysql::list(trace, parameters, database, page).await,
        #[cfg(feature = "jdbc")]
        "postgresql" | "greenplum" => postgres::list(trace, parameters, database, page).await,
        #[cfg(feature = "kafka")]
        "kafka" => kafka::list(trace, parameters, page).await,
        "elasticsearch" => elasticsearch::list(trace, parameters, page).await,
        "hbase" => hbase::list(trace, parameters, database, page).await,
        "hive" => hive::list(trace, parameters, database, page).await,
        "ftp" => ftp::list(trace, parameters, page).await,
        #[cfg(feature = "s3")]
        "s3" => s3::list(trace, parameters, page).await,
        "files" => files::list(trace, parameters, page).await,
        "redis" => redis::list(trace, parameters, page).await,
        other => Err(cannot(other, "list what is in it")),
    }
}

/// The columns of a table.
pub(super) async fn describe(
    trace: &mut Trace<'_>,
    parameters: &Parameters<'_>,
    table: &PhysicalTable,
) -> Result<Description> {
    match parameters.spec().name {
        #[cfg(feature = "jdbc")]
        "mysql" => mysql::describe(trace, parameters, table).await,
        #[cfg(feature = "jdbc")]
        "postgresql" | "greenplum" => postgres::describe(trace, parameters, table).await,
        #[cfg(feature = "kafka")]
        "kafka" => kafka::describe(trace, parameters, table).await,
        "elasticsearch" => elasticsearch::describe(trace, parameters, table).await,
        "hive" => hive::describe(trace, parameters, table).await,
        #[cfg(feature = "s3")]
        "s3" => s3::describe(trace, parameters, table).await,
        "files" => files::describe(trace, parameters, table).await,
        other => Err(cannot(other, "say what columns a table has")),
    }
}

/// Parameters that cannot be acted on.
fn invalid(error: tidegate_types::Error) -> Failure {
    Failure::unsupported(error.message(), "mend the parameters of the data source")
}

fn not_built_in(kind: &str) -> Failure {
    Failure::unsupported(
        format!("this build is without data sources of type '{kind}'"),
        "use a build that has them",
    )
}

fn cannot(kind: &str, what: &str) -> Failure {
    Failure::unsupported(
        format!("a data source of type '{kind}' cannot {what}"),
        "declare tables and columns by hand",
    )
}

/// A text as one part of a path.
fn segment(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
