//! `CREATE TABLE … LIKE`: what a table takes over from another, by Flink's rules.

use tidegate_types::{Error, ErrorCode, Result};

use super::Session;
use crate::bind::semantic;
use crate::catalog::Object;
use crate::governed::Purpose;
use crate::parser::ast::{
    ColumnDef, ColumnKind, CreateTable, Like, LikeChoice, LikePart, Merging, TableOption,
};
use crate::parser::cursor;

impl Session {
    /// The definition of the table that LIKE names.
    pub(super) fn like_source(&self, like: &Like) -> Result<CreateTable> {
        let found = self.named(&like.source, Purpose::Show)?;
        let name = found.path;
        match found.object {
            Some(Object::Table(_))
                if found.governed
                    && merging(&like.choices, LikePart::Options) != Merging::Excluding =>
            {
                let message = format!(
                    "table '{name}' is governed by the catalog: its options are no others'"
                );
                Err(semantic(message, like.source.span)
                    .help("say LIKE … (EXCLUDING OPTIONS) and give the table options of its own"))
            }
            Some(Object::Table(table)) => Ok(table.definition.as_ref().clone()),
            Some(Object::View(_)) => {
                let message = format!("'{name}' is a view: LIKE takes a table");
                Err(semantic(message, like.source.span)
                    .help("use CREATE TABLE … AS SELECT for the columns of a view"))
            }
            None => Err(self.no_such("table", &like.source)?),
        }
    }
}

/// The definition of `derived` with what it takes over from `base`.
///
/// # Errors
/// `SQL_SEMANTIC` where both have what only one can have, and for choices that have no meaning.
pub(super) fn merge(base: &CreateTable, derived: &CreateTable, like: &Like) -> Result<CreateTable> {
    check_choices(&like.choices)?;
    let merging = |part| merging(&like.choices, part);
    let mut merged = derived.clone();
    merged.like = None;
    merged.columns =
        columns(base, derived, merging(LikePart::Generated), merging(LikePart::Metadata))?;
    watermark(base, &mut merged, merging(LikePart::Watermarks))?;
    primary_key(base, &mut merged, merging(LikePart::Constraints))?;
    partitions(base, &mut merged, merging(LikePart::Partitions))?;
    distribution(base, &mut merged, merging(LikePart::Distribution))?;
    merged.options = options(base, derived, merging(LikePart::Options))?;
    Ok(merged)
}

fn check_choices(choices: &[LikeChoice]) -> Result<()> {
    for (index, choice) in choices.iter().enumerate() {
        let part = format!("{:?}", choice.part).to_uppercase();
        if choices[..index].iter().any(|other| other.part == choice.part) {
            let message = format!("LIKE says twice what happens to {part}");
            return Err(semantic(message, choice.span));
        }
        let one = matches!(
            choice.part,
            LikePart::All | LikePart::Constraints | LikePart::Distribution | LikePart::Partitions
        );
        if one && choice.merging == Merging::Overwriting {
            let message = format!("{part} cannot be OVERWRITING");
            return Err(semantic(message, choice.span)
                .help(format!("say EXCLUDING {part} and declare them again")));
        }
    }
    Ok(())
}

/// What was said of a part, else of all, else Flink's default.
fn merging(choices: &[LikeChoice], part: LikePart) -> Merging {
    let said =
        |part| choices.iter().find(|choice| choice.part == part).map(|choice| choice.merging);
    let default = match part {
        LikePart::Options => Merging::Overwriting,
        _ => Merging::Including,
    };
    said(part).or_else(|| said(LikePart::All)).unwrap_or(default)
}

/// The base's columns, with those that are overwritten in their places; then the new ones.
fn columns(
    base: &CreateTable,
    derived: &CreateTable,
    generated: Merging,
    metadata: Merging,
) -> Result<Vec<ColumnDef>> {
    let included = base.columns.iter().filter(|column| match column.kind {
        ColumnKind::Physical(_) => true,
        ColumnKind::Computed(_) => generated != Merging::Excluding,
        ColumnKind::Metadata { .. } => metadata != Merging::Excluding,
    });
    let mut columns: Vec<ColumnDef> = included.cloned().collect();
    for column in &derived.columns {
        let name = &column.name.value;
        let Some(place) = columns.iter().position(|other| other.name.value == *name) else {
            columns.push(column.clone());
            continue;
        };
        let (same, merging, part) = match (&columns[place].kind, &column.kind) {
            (ColumnKind::Computed(_), ColumnKind::Computed(_)) => (true, generated, "GENERATED"),
            (ColumnKind::Metadata { .. }, ColumnKind::Metadata { .. }) => {
                (true, metadata, "METADATA")
            }
            _ => (false, Merging::Including, ""),
        };
        if !same || merging != Merging::Overwriting {
            let message = format!("there is a column '{name}' in the table of LIKE already");
            let error = semantic(message, cursor::span(column.name.span));
            return Err(match same {
                true => error.help(format!("say EXCLUDING {part} or OVERWRITING {part}")),
                false => error.help(
                    "only computed columns can take the place of computed ones, and metadata that of metadata",
                ),
            });
        }
        columns[place] = column.clone();
    }
    Ok(columns)
}

fn watermark(base: &CreateTable, merged: &mut CreateTable, merging: Merging) -> Result<()> {
    let Some(inherited) = base.watermark.as_ref().filter(|_| merging != Merging::Excluding) else {
        return Ok(());
    };
    let Some(own) = &merged.watermark else {
        merged.watermark = Some(inherited.clone());
        return Ok(());
    };
    let same = own
        .column
        .iter()
        .map(|part| &part.value)
        .eq(inherited.column.iter().map(|part| &part.value));
    if same && merging == Merging::Overwriting {
        return Ok(());
    }
    let span = own.column.first().map_or(merged.name.span, |part| cursor::span(part.span));
    let message = match same {
        true => "there is a watermark for this column in the table of LIKE already",
        false => "there is a watermark for another column in the table of LIKE; a table has one",
    };
    let help = match same {
        true => "say EXCLUDING WATERMARKS or OVERWRITING WATERMARKS",
        false => "say EXCLUDING WATERMARKS",
    };
    Err(semantic(message, span).help(help))
}

fn primary_key(base: &CreateTable, merged: &mut CreateTable, merging: Merging) -> Result<()> {
    if base.primary_key.is_empty() || merging == Merging::Excluding {
        return Ok(());
    }
    if let Some(key) = merged.primary_key.first() {
        let message = "the table of LIKE has a primary key already";
        return Err(semantic(message, cursor::span(key.span)).help("say EXCLUDING CONSTRAINTS"));
    }
    merged.primary_key = base.primary_key.clone();
    merged.constraint = base.constraint.clone();
    Ok(())
}

/// The base's partition keys stay even where they are excluded, unless there are others: so Flink does.
fn partitions(base: &CreateTable, merged: &mut CreateTable, merging: Merging) -> Result<()> {
    let Some(key) = merged.partition_keys.first() else {
        merged.partition_keys = base.partition_keys.clone();
        return Ok(());
    };
    if base.partition_keys.is_empty() || merging == Merging::Excluding {
        return Ok(());
    }
    let message = "the table of LIKE is partitioned already";
    Err(semantic(message, cursor::span(key.span)).help("say EXCLUDING PARTITIONS"))
}

/// As with partition keys, the base's buckets stay even where they are excluded.
fn distribution(base: &CreateTable, merged: &mut CreateTable, merging: Merging) -> Result<()> {
    let Some(own) = &merged.distribution else {
        merged.distribution = base.distribution.clone();
        return Ok(());
    };
    if base.distribution.is_none() || merging == Merging::Excluding {
        return Ok(());
    }
    let message = "the table of LIKE is distributed already";
    Err(semantic(message, own.span).help("say EXCLUDING DISTRIBUTION"))
}

fn options(
    base: &CreateTable,
    derived: &CreateTable,
    merging: Merging,
) -> Result<Vec<TableOption>> {
    let is_own = |key: &str| derived.options.iter().any(|(own, _, _)| own == key);
    let inherited: Vec<TableOption> = match merging {
        Merging::Excluding => Vec::new(),
        _ => base.options.clone(),
    };
    if merging == Merging::Including
        && let Some((key, value, span)) = derived
            .options
            .iter()
            .find(|(own, _, _)| inherited.iter().any(|(key, _, _)| key == own))
    {
        let message =
            format!("the table of LIKE has the option '{key}' already; here it is '{value}'");
        return Err(Error::new(ErrorCode::InvalidOption, message)
            .at(*span)
            .help("say EXCLUDING OPTIONS or OVERWRITING OPTIONS"));
    }
    let kept = inherited.into_iter().filter(|(key, _, _)| !is_own(key));
    Ok(kept.chain(derived.options.iter().cloned()).collect())
}
