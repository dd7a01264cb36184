//! `docs/data-sources.md`, made of the descriptions; `UPDATE_EXPECT=1` writes it anew.

use std::fmt::Write as _;

use super::*;
use crate::spec::OptionSpec;

const INTRODUCTION: &str = "\
# Data sources

A data source is an outside system that is registered once, with what is needed to reach it; tables then live in it and
jobs name the tables. This page is made of the descriptions in `connector-spec/src/data_source`, from which forms are
built, too.

- **Parameters** are checked as a whole: every fault is told, with the parameter that it is about.
- A parameter with a condition has a meaning only where the condition holds, and is refused elsewhere. It is needed only
  there, if it is marked so.
- **Secret** parameters are never shown, in no answer and in no message.
- **Tables** set the options of their connector themselves, but for what the data source decides: addresses, logins,
  certificates, the name of the topic or table. Of the settings of Kafka's client a table may set time-outs, sizes and the
  like; none that names a file, a program or a library.
- Types without a connector can be registered, their connection tested and their schemas imported. A job that uses such a
  table is refused.
- **Connectivity tests** go the way to the system step by step (resolve, connect, TLS, log in, open, list), and say which step
  failed, for which reason (`DNS`, `BLOCKED_ADDRESS`, `REFUSED`, `TIMEOUT`, `TLS`, `AUTHENTICATION`, `PERMISSION`,
  `MISSING_DATABASE`, `MISSING_BUCKET`, `PROTOCOL`), with host, port and database, and what to do.
- **Addresses** are resolved once, checked, and then connected to: those that are link-local, and those at which clouds
  give out credentials, never; private ones only where the cluster allows it. Kafka's client resolves names again by itself,
  because certificates are for names: there the servers, and the brokers that they name, are checked before they are used,
  but a name server that gives another answer a moment later is believed.
- **Schema imports**: relational databases, Hive's metastore and Elasticsearch know their columns; those of a topic are
  taken from the schema registry (`<topic>-value`, Avro), or found by its newest records (JSON, or CSV without names of
  columns); those of files by what Parquet, ORC and Avro files say of themselves, or by the first lines. What has no type is
  named with the reason. Redis, HBase, FTP and HTTP have no columns to import.

";

fn kind(parameter: &ParameterSpec) -> String {
    let form = match parameter.form {
        Form::Line => None,
        Form::Host => Some("host"),
        Form::Addresses => Some("`host:port`, `,` between"),
        Form::Url(_) => Some("URL"),
        Form::Urls(_) => Some("URLs, `,` between"),
        Form::Pem => Some("PEM"),
        Form::Folder => Some("absolute path"),
        Form::Bucket => Some("name of a bucket"),
        Form::Headers => Some("`Name:value`, `,` between"),
    };
    form.map_or_else(|| values_of(parameter.kind), str::to_owned)
}

fn values_of(kind: OptionKind) -> String {
    match kind {
        OptionKind::Integer { min, max } => format!("{min} to {max}"),
        OptionKind::Boolean => "`true`, `false`".to_owned(),
        OptionKind::Duration => "duration".to_owned(),
        OptionKind::Enum(words) => {
            words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
        }
        _ => "text".to_owned(),
    }
}

fn default(parameter: &ParameterSpec) -> String {
    let condition = parameter.when.map(|when| {
        let words: Vec<String> = when.values.iter().map(|word| format!("`{word}`")).collect();
        format!("where `{}` is {}", when.parameter, words.join(" or "))
    });
    let value = match parameter.default {
        Some(default) => format!("`{default}`"),
        None if parameter.required => "**required**".to_owned(),
        None => "—".to_owned(),
    };
    condition.map_or_else(|| value.clone(), |condition| format!("{value}, {condition}"))
}

fn creation(out: &mut String, options: &[OptionSpec]) {
    if options.is_empty() {
        return;
    }
    out.push_str("\nA table says how it is to be created:\n\n| option | values | default | meaning |\n|---|---|---|---|\n");
    for option in options {
        let default = option.default.map_or("—".to_owned(), |default| format!("`{default}`"));
        let (kind, help) = (values_of(option.kind), option.help.en);
        writeln!(out, "| `{}` | {kind} | {default} | {help} |", option.key).unwrap();
    }
}

fn section(out: &mut String, spec: &DataSourceSpec) {
    writeln!(out, "### {} (`{}`)\n\n{}\n", spec.title.en, spec.name, spec.summary.en).unwrap();
    out.push_str("| parameter | values | default | meaning |\n|---|---|---|---|\n");
    for parameter in spec.parameters {
        let secret = if parameter.secret { " Secret." } else { "" };
        writeln!(
            out,
            "| `{}` | {} | {} | {}{secret} |",
            parameter.name,
            kind(parameter),
            default(parameter),
            parameter.help.en
        )
        .unwrap();
    }
    let permissions: Vec<String> =
        spec.permissions.iter().map(|one| format!("`{}`", one.name())).collect();
    let connectors: Vec<String> = spec
        .connectors
        .iter()
        .map(|name| {
            let page = if *name == "upsert-kafka" { "kafka" } else { name };
            format!("[`{name}`](connectors/{page}.md)")
        })
        .collect();
    writeln!(
        out,
        "\n- A table is a {}{}.\n- Permissions: {}; {}.\n- Connector of jobs: {}.\n- Connectivity test: {}",
        spec.table.title().en,
        spec.database.map_or(String::new(), |noun| format!(" in a {}", noun.en)),
        permissions.join(", "),
        if spec.column_grants { "also of single columns" } else { "of whole tables only" },
        if connectors.is_empty() { "none yet".to_owned() } else { connectors.join(", ") },
        spec.tested.en
    )
    .unwrap();
    creation(out, spec.creation);
    out.push('\n');
}

#[test]
fn the_page_about_data_sources_holds() {
    let mut out = INTRODUCTION.to_owned();
    for category in Category::ALL {
        writeln!(out, "## {}\n", category.title().en).unwrap();
        for spec in data_sources().iter().filter(|spec| spec.category == category) {
            section(&mut out, spec);
        }
    }
    let out = format!("{}\n", out.trim_end());
    expect_test::expect_file!["../../../../docs/data-sources.md"].assert_eq(&out);
}
