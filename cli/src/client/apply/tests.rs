//! What files come to.

use std::path::Path;

use serde_json::json;
use tidegate_types::Result;

use super::manifest::{self, Item, Kind, More};
use super::variables::Variables;
use super::yaml;

fn items(text: &str) -> Result<Vec<Item>> {
    let defined = vec![("SECRET".to_owned(), "s3cret: #".to_owned())];
    let variables = Variables::new(defined, |_| None);
    let mut all = Vec::new();
    for document in yaml::documents("p.yaml", text, &variables)? {
        all.extend(manifest::items(document, "acme", Path::new("."), &variables)?);
    }
    manifest::ordered(all)
}

fn refused(text: &str) -> String {
    match items(text) {
        Ok(items) => panic!("{text} is {items:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_example_is_in_the_order_in_which_it_is_done() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/apply");
    let text = std::fs::read_to_string(folder.join("clicks.yaml")).unwrap();
    let variables = Variables::new(Vec::new(), |name| Some(format!("of {name}")));
    let mut all = Vec::new();
    for document in yaml::documents("clicks.yaml", &text, &variables).unwrap() {
        all.extend(manifest::items(document, "default", &folder, &variables).unwrap());
    }
    let all = manifest::ordered(all).unwrap();
    assert!(all.is_sorted_by_key(|item| item.kind));
    let names: Vec<&str> = all.iter().map(|item| item.name.as_str()).collect();
    assert!(names.contains(&"projects/clicks/databases/crm/tables/customers"), "{names:?}");
    let role = all.iter().find(|item| item.kind == Kind::Role).unwrap();
    assert_eq!(role.fields["account"], "tenants/acme/users/dev");
    let job = all.iter().find(|item| item.kind == Kind::Job).unwrap();
    let More::Job { version: Some(version), start: true } = &job.more else { panic!() };
    assert_eq!((&version["environment"], &version["parallelism"]), (&json!("TEST"), &json!(2)));
    assert!(version["sql"].as_str().unwrap().contains("INSERT INTO counted"));
}

#[test]
fn fields_are_those_of_the_messages_in_both_spellings() {
    let all = items(
        "project: p\ndataSources:\n  - {id: k, type: kafka, shared_with: [q], sharedWithAll: false, \
         parameters: {port: 1, password: '${SECRET}'}}\ntables:\n  - id: t\n    type: kafka\n    definition:\n      \
         primary_key: [a]\n      columns: [{name: a, type: INT}]\n      watermark: null\n",
    )
    .unwrap();
    let source = all.iter().find(|item| item.kind == Kind::DataSource).unwrap();
    assert_eq!(source.fields["sharedWith"], json!(["projects/q"]));
    assert_eq!(source.fields["parameters"], json!({"port": "1", "password": "s3cret: #"}));
    let table = all.iter().find(|item| item.kind == Kind::Table).unwrap();
    assert_eq!(table.fields["definition"]["primaryKey"], json!(["a"]));
    assert!(table.fields["definition"]["watermark"].is_null());
    // An element of a list is as a whole what it is.
    assert_eq!(table.fields["definition"]["columns"][0]["comment"], "");
}

#[test]
fn mistakes_have_a_place_and_a_mend() {
    for (text, said) in [
        ("tables: []\n", "p.yaml:1:1: the document has no 'project'"),
        ("project: p\ntable: []\n", "p.yaml:2:1: a document has no field 'table'"),
        ("project: p\ntable: []\n", "did you mean 'tables'?"),
        (
            "project: p\ntables:\n  - id: t\n    definition: {columns: [{name: a, typ: INT}]}\n",
            "p.yaml:4:38: 'columns' has no field 'typ'",
        ),
        ("project: p\ntables: {}\n", "p.yaml:2:9: tables is a map"),
        ("project: p\ntables:\n  - type: kafka\n", "p.yaml:3:5: the table has no 'id'"),
        (
            "project: p\ntables:\n  - {id: t}\n  - {id: t}\n",
            "p.yaml:4:5: the table t is there already, at p.yaml:3:5",
        ),
        ("project: p\ndescription:\n", "p.yaml:2:12: description is nothing"),
        (
            "project: p\nsettings: {inline_tables: yes}\n",
            "inline_tables: 'yes' is neither true nor false",
        ),
        ("project: p\nsettings: {grant_loss: halt}\n", "use one of: flag, stop"),
        ("project: p\nsettings: {required_approvals: many}\n", "'many' is no number"),
        (
            "project: p\nsettings: {required_approvals: \"${SECRET}\"}\n",
            "the value of the variable is no number",
        ),
        (
            "project: p\ntables:\n  - {id: t, publish: {design: {}}}\n",
            "'publish' has no field 'design'",
        ),
        ("project: p\ngrants:\n  - {table: t, grantee: ann}\n", "the grant has no 'rights'"),
        (
            "project: p\ngrants:\n  - {table: t, grantee: ann, rights: {permissions: [select], expire_time: soon}}\n",
            "expire_time is no time",
        ),
        ("project: p\njobs:\n  - {id: j, start: true}\n", "the job has no script"),
        ("project: p\njobs:\n  - {id: j, sql: a, file: b}\n", "'file' or 'sql', not both"),
        ("project: p\njobs:\n  - {id: j, file: none.sql}\n", "none.sql"),
        ("project: p\ndatabases:\n  - {id: default}\n", "every project has the database default"),
        ("project: p\ndatabases:\n  - {id: projects/q/databases/d}\n", "is no id"),
    ] {
        let error = refused(text);
        assert!(error.contains(said), "{text}: {error}");
        assert!(!error.contains("s3cret"), "{error}");
    }
}
