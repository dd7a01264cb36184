//! The line of a pattern, and what it keeps.

use tidegate_plan::operator::{AfterMatch, MatchRecognize, PatternVariable};
use tidegate_types::{Field, TypeKind};

use super::expression::{condition, text};
use super::operator::{call_text, names, order_text};

/// What a node does.
pub(super) fn facts(pattern: &MatchRecognize, input: &[Field]) -> String {
    let named = |variable: Option<usize>, column: &str| {
        let variable = variable.and_then(|variable| pattern.variables.get(variable));
        match variable {
            Some(variable) => format!("{}.{column}", variable.name),
            None => column.to_owned(),
        }
    };
    let field = |name: String| Field::new(name, TypeKind::Null.nullable());
    let mut columns = input.to_vec();
    columns.extend(pattern.references.iter().map(|reference| {
        let end = if reference.first { "FIRST" } else { "LAST" };
        let column = input.get(reference.column).map_or("?", |field| field.name.as_str());
        let column = named(reference.variable, column);
        field(match reference.offset {
            0 => format!("{end}({column})"),
            offset => format!("{end}({column}, {offset})"),
        })
    }));
    columns.extend(pattern.aggregates.iter().map(|one| {
        let all = input.iter().map(|field| field.name.clone());
        let computed = pattern.computed.iter().map(|computed| {
            let own: Vec<Field> =
                input.iter().map(|f| field(named(one.variable, &f.name))).collect();
            condition(&computed.expr, &own)
        });
        let arguments: Vec<Field> =
            all.map(|name| field(named(one.variable, &name))).chain(computed.map(field)).collect();
        let call = call_text(&one.call, &arguments);
        field(call.rsplit_once(" AS ").map_or(call.clone(), |(call, _)| call.to_owned()))
    }));
    let time = pattern.time.map_or_else(String::new, |column| names(&[column], input));
    columns.extend([field(format!("MATCH_ROWTIME({time})")), field("MATCH_ROWTIME()".to_owned())]);
    let mut facts = Vec::new();
    if !pattern.keys.is_empty() {
        facts.push(format!("partitionBy=[{}]", names(&pattern.keys, input)));
    }
    let time = match pattern.time {
        Some(column) => format!("{} ASC", names(&[column], input)),
        None => "PROCTIME() ASC".to_owned(),
    };
    let order = order_text(&pattern.order, input);
    let comma = if order.is_empty() { "" } else { ", " };
    facts.push(format!("orderBy=[{time}{comma}{order}]"));
    let measures = pattern.measures.iter();
    let measures: Vec<String> =
        measures.map(|one| format!("{} AS {}", text(&one.expr, &columns), one.name)).collect();
    facts.push(format!("measures=[{}]", measures.join(", ")));
    facts.push("rowsPerMatch=[ONE ROW PER MATCH]".to_owned());
    let name =
        |variable: usize| pattern.variables.get(variable).map_or("?", |one| one.name.as_str());
    facts.push(match pattern.skip {
        AfterMatch::PastLastRow => "after=[SKIP PAST LAST ROW]".to_owned(),
        AfterMatch::ToNextRow => "after=[SKIP TO NEXT ROW]".to_owned(),
        AfterMatch::ToFirst { variable } => format!("after=[SKIP TO FIRST {}]", name(variable)),
        AfterMatch::ToLast { variable } => format!("after=[SKIP TO LAST {}]", name(variable)),
    });
    let variables: Vec<String> = pattern.variables.iter().map(quantified).collect();
    facts.push(format!("pattern=[{}]", variables.join(" ")));
    facts.extend(pattern.within_ms.map(|ms| format!("within=[{ms} ms]")));
    let defined = pattern.variables.iter().filter_map(|variable| {
        let condition = condition(variable.condition.as_ref()?, &columns);
        Some(format!("{} AS {condition}", variable.name))
    });
    facts.push(format!("define=[{}]", defined.collect::<Vec<_>>().join(", ")));
    facts.join(", ")
}

/// What a node keeps.
pub(super) fn state(pattern: &MatchRecognize, input: &[Field]) -> String {
    let per = match pattern.keys.as_slice() {
        [] => String::new(),
        keys => format!(" per {}", names(keys, input)),
    };
    let until = match pattern.within_ms {
        Some(ms) => format!("for at most {ms} ms after the first of them"),
        None => "as long as they may become a match".to_owned(),
    };
    let waiting =
        if pattern.time.is_some() { "rows that the watermark has not passed; " } else { "" };
    format!("{waiting}rows that may belong to a match{per}, {until}")
}

fn quantified(variable: &PatternVariable) -> String {
    let reluctant = if variable.greedy { "" } else { "?" };
    let name = &variable.name;
    match (variable.min, variable.max) {
        (1, Some(1)) => name.clone(),
        (0, Some(1)) => format!("{name}?"),
        (min, Some(max)) if min == max => format!("{name}{{{min}}}"),
        (0, None) => format!("{name}*{reluctant}"),
        (1, None) => format!("{name}+{reluctant}"),
        (min, None) => format!("{name}{{{min},}}{reluctant}"),
        (min, Some(max)) => format!("{name}{{{min},{max}}}{reluctant}"),
    }
}
