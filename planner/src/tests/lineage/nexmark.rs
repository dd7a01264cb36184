//! Every Nexmark query has a lineage without gaps.

use std::path::Path;

use tidegate_plan::lineage::{TableRef, lineage};

use crate::{Planned, Session, parse_script};

#[test]
fn every_column_of_every_query_has_an_origin() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/nexmark");
    let tables = std::fs::read_to_string(folder.join("ddl.sql")).unwrap();
    let mut planned = Vec::new();
    let mut empty = Vec::new();
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.retain(|file| !file.ends_with("ddl.sql"));
    files.sort();
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let query = std::fs::read_to_string(&file).unwrap();
        let script = with_values(&format!("{tables}\n{query}"));
        let mut session = Session::new(Default::default()).unwrap();
        for statement in parse_script(&script).unwrap_or_else(|error| panic!("{name}: {error}")) {
            let Planned::Job(job) =
                session.plan(&statement).unwrap_or_else(|e| panic!("{name}: {e}"))
            else {
                continue;
            };
            let sinks = lineage(&job.graph).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(sinks.len(), job.inserts.len(), "{name}");
            planned.push(name.clone());
            for sink in &sinks {
                assert!(
                    sink.sources.contains(&TableRef::Inline("datagen".into())),
                    "{name}: {sink:?}"
                );
                for column in &sink.columns {
                    if column.direct.is_empty() {
                        empty.push(format!("{name}.{}", column.column));
                    }
                }
            }
        }
    }
    planned.dedup();
    assert!(empty.is_empty(), "without an origin: {empty:?}");
    assert!(planned.len() >= 26, "{planned:?}");
}

/// The script with a number for each of its variables.
pub(in crate::tests) fn with_values(script: &str) -> String {
    let mut parts = script.split("${");
    let first = parts.next().unwrap_or_default().to_owned();
    parts
        .fold(first, |text, part| text + "1000" + part.split_once('}').map_or("", |(_, rest)| rest))
}
