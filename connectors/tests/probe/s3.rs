//! S3.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray};
use object_store::ObjectStoreExt as _;
use parquet::arrow::ArrowWriter;
use tidegate_connectors::probe::{Reason, What};

use super::source::{Source, closed_port, columns, own_name, service};

fn s3() -> Source {
    Source::new(
        "s3",
        &[
            ("endpoint", &service("TIDEGATE_S3_ENDPOINT")),
            ("bucket", &service("TIDEGATE_S3_BUCKET")),
            ("access-key", &service("TIDEGATE_S3_ACCESS_KEY")),
            ("secret-key", &service("TIDEGATE_S3_SECRET_KEY")),
        ],
    )
}

const STEPS: [What; 5] =
    [What::Resolve, What::Connect, What::Authenticate, What::OpenDatabase, What::List];

#[tokio::test]
async fn c1_s3_connects() {
    s3().passes(&STEPS).await;
}

#[tokio::test]
async fn c2_s3_says_what_is_wrong() {
    let wrong = s3().set("secret-key", "canary-4711");
    wrong.fails(What::Authenticate, Reason::Authentication, &["127.0.0.1"]).await;
    let wrong = s3().set("access-key", "nobody");
    wrong.fails(What::Authenticate, Reason::Authentication, &["127.0.0.1"]).await;
    let missing = s3().set("bucket", "no-such-bucket");
    missing.fails(What::OpenDatabase, Reason::MissingBucket, &["'no-such-bucket'"]).await;
    let closed = s3().set("endpoint", &format!("http://127.0.0.1:{}", closed_port()));
    closed.fails(What::Connect, Reason::Refused, &["127.0.0.1"]).await;
    let tls = s3().set("endpoint", &service("TIDEGATE_S3_ENDPOINT").replace("http:", "https:"));
    tls.fails(What::Tls, Reason::Tls, &["127.0.0.1"]).await;
}

fn parquet() -> Vec<u8> {
    let ids = Arc::new(Int64Array::from(vec![1, 2]));
    let names = Arc::new(StringArray::from(vec![Some("a"), None]));
    let rows = RecordBatch::try_from_iter_with_nullable([
        ("id", ids as Arc<dyn arrow::array::Array>, false),
        ("name", names, true),
    ])
    .unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    bytes
}

#[tokio::test]
async fn d1_columns_of_objects_are_found() {
    let folder = own_name("import");
    let url = format!("s3://{}/{folder}", service("TIDEGATE_S3_BUCKET"));
    let options = [
        ("s3.endpoint", service("TIDEGATE_S3_ENDPOINT")),
        ("s3.access-key", service("TIDEGATE_S3_ACCESS_KEY")),
        ("s3.secret-key", service("TIDEGATE_S3_SECRET_KEY")),
    ];
    let options = options.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let (store, path) = tidegate_storage::open(&url, &options).unwrap();
    store.put(&path.clone().join("a").join("1.parquet"), parquet().into()).await.unwrap();
    store.put(&path.join("b.json"), "{\"x\":1}\n{\"x\":2.5}\n".into()).await.unwrap();

    let source = s3();
    let names = source.names(None, &format!("{folder}/")).await;
    assert_eq!(names, [format!("{folder}/a"), format!("{folder}/b.json")]);
    let found = source.describe(None, &format!("{folder}/a")).await;
    assert_eq!(columns(&found), ["id BIGINT NOT NULL", "name STRING"]);
    assert_eq!(found.options["format"], "parquet");
    let found = source.describe(None, &format!("{folder}/b.json")).await;
    assert_eq!(columns(&found), ["x DOUBLE"]);
    let error = source.cannot_describe(None, &format!("{folder}/none")).await;
    assert!(error.contains("none"), "{error}");
}
