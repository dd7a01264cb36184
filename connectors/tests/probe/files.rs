//! Local folders.

use std::io::Write as _;
use std::sync::Arc;

use arrow::array::{Array, Int32Array, RecordBatch, StringArray};
use arrow_avro::writer::AvroWriter;
use tidegate_connectors::probe::{Reason, What};

use super::source::{Source, columns};

#[tokio::test]
async fn c1_folders_are_listed_where_they_are_allowed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.csv"), "1,x\n2,y\n").unwrap();
    std::fs::write(folder.path().join(".hidden"), "").unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    std::fs::write(folder.path().join("sub/b.json"), "{\"a\":true}\n").unwrap();
    let path = folder.path().to_str().unwrap();
    let source = Source::new("files", &[("folder", path)]);
    source.fails(What::OpenDatabase, Reason::Permission, &[path]).await;
    let source = source.within(folder.path().to_owned());
    source.passes(&[What::OpenDatabase, What::List]).await;
    assert_eq!(source.names(None, "").await, ["a.csv", "sub"]);
    assert_eq!(columns(&source.describe(None, "a.csv").await), ["f0 BIGINT", "f1 STRING"]);
    assert_eq!(columns(&source.describe(None, "sub").await), ["a BOOLEAN"]);
    assert!(source.cannot_describe(None, "none").await.contains("none"));
    let error = source.cannot_describe(None, "../../../../../../etc/passwd").await;
    assert!(error.contains("not within"), "{error}");
    let missing = source.set("folder", &format!("{path}/none"));
    missing.fails(What::OpenDatabase, Reason::MissingDatabase, &["/none"]).await;
}

#[tokio::test]
async fn c2_folders_elsewhere_are_not_even_said_to_exist() {
    let allowed = tempfile::tempdir().unwrap();
    for folder in ["/etc", "/no/such/folder"] {
        let source = Source::new("files", &[("folder", folder)]).within(allowed.path().to_owned());
        let failure = source.fails(What::OpenDatabase, Reason::Permission, &[folder]).await;
        assert!(failure.message.contains("not within"), "{failure:?}");
    }
}

#[tokio::test]
async fn d1_columns_of_files_are_those_that_they_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| std::fs::File::create(folder.path().join(name)).unwrap();
    let names = Arc::new(StringArray::from(vec![Some("a"), None]));
    let rows = RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(Int32Array::from(vec![1, 2])) as Arc<dyn Array>, false),
        ("name", names, true),
    ])
    .unwrap();
    let mut writer = AvroWriter::new(file("a.avro"), rows.schema().as_ref().clone()).unwrap();
    writer.write(&rows).unwrap();
    writer.finish().unwrap();
    file("b.csv.gz").write_all(b"\x1f\x8b\x08\0").unwrap();
    file("c.parquet").write_all(b"PAR1 and no more").unwrap();
    file("d.orc").write_all(b"ORC and no more").unwrap();

    let source = Source::new("files", &[("folder", folder.path().to_str().unwrap())]);
    let source = source.within(folder.path().to_owned());
    let found = source.describe(None, "a.avro").await;
    assert_eq!(columns(&found), ["id INT NOT NULL", "name STRING"]);
    assert_eq!(found.options["format"], "avro");
    for (name, part) in [("b.csv.gz", "compressed"), ("c.parquet", "c.parquet"), ("d.orc", "d.orc")]
    {
        let error = source.cannot_describe(None, name).await;
        assert!(error.contains(part), "{error}");
    }
}
