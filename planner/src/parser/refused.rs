//! Statements of Flink's that are known and refused, each with what to do instead.

use tidegate_types::{Error, Span};

use super::ast::Replace;
use super::cursor::{self, into_error, peek_word, unexpected};
use super::script::ScriptParser;

/// First word of a statement → what to do instead.
const STATEMENTS: &[(&str, &str)] = &[
    ("UPDATE", CHANGES),
    ("DELETE", CHANGES),
    ("MERGE", CHANGES),
    ("TRUNCATE", "tables are kept by other systems: empty the topic, folder or table there"),
    (
        "ANALYZE",
        "leave it out: it is for batch jobs in Flink, too, and plans here depend on no statistics",
    ),
    ("CALL", "there are no procedures in this version"),
    ("LOAD", "the only module is core, with the built-in functions"),
    ("UNLOAD", "the only module is core, with the built-in functions"),
    ("ADD", "user code does not run yet; use built-in functions"),
    ("REMOVE", "user code does not run yet; use built-in functions"),
    ("STOP", "stop jobs with `tidegate job stop`"),
    ("END", ""),
    ("BEGIN", "several INSERTs stand between EXECUTE STATEMENT SET BEGIN and END"),
    ("QUIT", "a script ends by itself: leave it out"),
    ("EXIT", "a script ends by itself: leave it out"),
    ("CLEAR", "leave it out"),
    ("HELP", ""),
];
const CHANGES: &str = "insert the changes into a table with a primary key: a row replaces the one before with the same key";

/// The error for a statement that is not supported, or for no statement at all.
pub(super) fn statement(script: &ScriptParser<'_>) -> Error {
    let first = cursor::describe(&script.parser.peek_token_ref().token).to_uppercase();
    match STATEMENTS.iter().find(|(name, _)| *name == first) {
        Some((_, help)) => unsupported(&format!("the statement {first}"), script.next_span(), help),
        None => into_error(unexpected(&script.parser, "a statement"), script.next_span()),
    }
}

/// The error for a `CREATE` of what cannot be created; the next token says of what.
pub(super) fn create(script: &ScriptParser<'_>, replace: Replace, start: Span) -> Error {
    let what = cursor::describe(&script.parser.peek_token_ref().token).to_uppercase();
    let verb = match replace {
        Replace::Never => "CREATE",
        Replace::IfThere => "CREATE OR REPLACE",
        Replace::Always => "REPLACE",
    };
    let help = "supported are CREATE [TEMPORARY] TABLE, CREATE [OR REPLACE] [TEMPORARY] VIEW | FUNCTION, CREATE CATALOG and CREATE DATABASE";
    unsupported(&format!("{verb} {what}"), start, help)
}

/// The error for a `DROP` of what cannot be dropped; the next token says of what.
pub(super) fn drop_object(script: &ScriptParser<'_>, start: Span) -> Error {
    let what = cursor::describe(&script.parser.peek_token_ref().token).to_uppercase();
    unsupported(
        &format!("DROP {what}"),
        start,
        "tables, views, functions, databases and catalogs can be dropped",
    )
}

/// Whether a `SHOW` asks for what cannot be shown.
pub(super) fn show(script: &ScriptParser<'_>) -> Option<Error> {
    const REFUSED: &[(&[&str], &str)] = &[
        (&["JOBS"], "jobs of a cluster are listed by `tidegate job list`"),
        (&["PROCEDURES"], "there are no procedures in this version"),
        (&["CONNECTIONS"], "connections are options of tables: SHOW CREATE TABLE shows them"),
        (&["CREATE", "MODEL"], "there are no models in this version"),
        (&["CREATE", "MATERIALIZED"], "there are no materialized tables in this version"),
    ];
    refuse(script, "SHOW", REFUSED)
}

/// Whether a `DESCRIBE` is about what cannot be described.
pub(super) fn describe(script: &ScriptParser<'_>) -> Option<Error> {
    const REFUSED: &[(&[&str], &str)] = &[
        (&["MODEL"], "there are no models in this version"),
        (&["JOB"], "jobs of a cluster are described by `tidegate job describe`"),
    ];
    // A table may have such a name; then nothing follows.
    let named = matches!(
        script.parser.peek_nth_token_ref(2).token,
        sqlparser::tokenizer::Token::Word(_) | sqlparser::tokenizer::Token::SingleQuotedString(_)
    );
    if named { refuse(script, "DESCRIBE", REFUSED) } else { None }
}

fn refuse(script: &ScriptParser<'_>, verb: &str, refused: &[(&[&str], &str)]) -> Option<Error> {
    let follows = |names: &[&str]| {
        names.iter().enumerate().all(|(n, name)| peek_word(&script.parser, n + 1, name))
    };
    let (names, help) = refused.iter().find(|(names, _)| follows(names))?;
    Some(unsupported(&format!("{verb} {}", names.join(" ")), script.next_span(), help))
}

/// An error of code `UNSUPPORTED` with what to do instead.
pub(super) fn unsupported(what: &str, span: Span, help: &str) -> Error {
    let error = Error::unsupported(format!("{what} is not supported")).at(span);
    if help.is_empty() { error } else { error.help(help) }
}
