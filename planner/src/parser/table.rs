//! `CREATE TABLE`: columns, watermark, primary key, partitions, options.

use sqlparser::ast::{Expr, Ident};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;
use tidegate_types::{Error, Result, Span};

use super::ast::{ColumnDef, ColumnKind, CreateTable, WatermarkDef};
use super::cursor::{
    self, error_at, expect_word, identifier, name_parts, parenthesized, peek_word, string,
    unexpected, word, words,
};
use super::script::{ScriptParser, semantic, table_name};
use super::types::parse_type;

/// Parses what follows `CREATE [TEMPORARY] TABLE`.
pub(super) fn parse(script: &mut ScriptParser<'_>) -> Result<CreateTable> {
    let mut table = script.syntax(|parser| {
        let if_not_exists = words(parser, &["IF", "NOT", "EXISTS"]);
        Ok(CreateTable {
            name: table_name(parser)?,
            if_not_exists,
            columns: Vec::new(),
            watermark: None,
            primary_key: Vec::new(),
            partition_keys: Vec::new(),
            comment: None,
            options: Vec::new(),
        })
    })?;
    if script.parser.peek_token_ref().token == Token::LParen {
        script.syntax(|parser| parenthesized(parser, |parser| element(parser, &mut table)))?;
    }
    refuse_clauses(script, &["LIKE", "AS", "DISTRIBUTED"])?;
    script.syntax(|parser| trailer(parser, &mut table))?;
    refuse_clauses(script, &["LIKE", "AS", "DISTRIBUTED"])?;
    check_names(&table)?;
    Ok(table)
}

fn refuse_clauses(script: &ScriptParser<'_>, clauses: &[&str]) -> Result<()> {
    match clauses.iter().find(|clause| peek_word(&script.parser, 0, clause)) {
        Some(clause) => {
            let message = format!("CREATE TABLE … {clause} is not supported yet");
            let error = Error::unsupported(message).at(script.next_span());
            Err(error.help("declare the columns and options of the table itself"))
        }
        None => Ok(()),
    }
}

/// `COMMENT`, `PARTITIONED BY` and `WITH` behind the columns.
fn trailer(parser: &mut Parser, table: &mut CreateTable) -> Result<(), ParserError> {
    if word(parser, "COMMENT") {
        table.comment = Some(string(parser, "a comment in quotes")?);
    }
    if words(parser, &["PARTITIONED", "BY"]) {
        table.partition_keys = parenthesized(parser, identifier)?;
    }
    if word(parser, "WITH") {
        table.options = parenthesized(parser, option)?;
    }
    Ok(())
}

fn option(parser: &mut Parser) -> Result<(String, String, Span), ParserError> {
    let span = cursor::span(parser.peek_token_ref().span);
    let key = string(parser, "an option's name in quotes")?;
    parser.expect_token(&Token::Eq)?;
    Ok((key, string(parser, "an option's value in quotes")?, span))
}

/// A column or a constraint.
fn element(parser: &mut Parser, table: &mut CreateTable) -> Result<(), ParserError> {
    if words(parser, &["WATERMARK", "FOR"]) {
        if table.watermark.is_some() {
            return Err(error_at(parser.peek_token_ref(), "the table has two WATERMARK clauses"));
        }
        let column = name_parts(parser)?;
        expect_word(parser, "AS")?;
        table.watermark = Some(WatermarkDef { column, expr: Box::new(parser.parse_expr()?) });
        return Ok(());
    }
    if peek_word(parser, 0, "CONSTRAINT") && !is_column(parser, 1) {
        parser.advance_token();
        identifier(parser)?;
    }
    if peek_word(parser, 0, "PRIMARY") && peek_word(parser, 1, "KEY") {
        words(parser, &["PRIMARY", "KEY"]);
        let columns = parenthesized(parser, identifier)?;
        return primary_key(parser, table, columns);
    }
    if peek_word(parser, 0, "UNIQUE") && parser.peek_nth_token_ref(1).token == Token::LParen {
        return Err(error_at(parser.peek_token_ref(), "UNIQUE is not supported, as in Flink SQL"));
    }
    column(parser, table)
}

/// Whether a column named `CONSTRAINT` is meant: a type follows, not a name and `PRIMARY`.
fn is_column(parser: &Parser, n: usize) -> bool {
    !peek_word(parser, n + 1, "PRIMARY") && !peek_word(parser, n + 1, "UNIQUE")
}

fn column(parser: &mut Parser, table: &mut CreateTable) -> Result<(), ParserError> {
    let name = identifier(parser)?;
    let kind = if word(parser, "AS") {
        ColumnKind::Computed(Box::new(computed(parser)?))
    } else {
        let ty = parse_type(parser)?;
        if word(parser, "METADATA") {
            let key = match word(parser, "FROM") {
                true => Some(string(parser, "a metadata key in quotes")?),
                false => None,
            };
            ColumnKind::Metadata { ty, key, is_virtual: word(parser, "VIRTUAL") }
        } else {
            ColumnKind::Physical(ty)
        }
    };
    let mut def = ColumnDef { name, kind, comment: None };
    loop {
        if peek_word(parser, 0, "CONSTRAINT") {
            parser.advance_token();
            identifier(parser)?;
        } else if words(parser, &["PRIMARY", "KEY"]) {
            let columns = vec![def.name.clone()];
            primary_key(parser, table, columns)?;
        } else if words(parser, &["NOT", "NULL"]) {
            if let ColumnKind::Physical(ty) | ColumnKind::Metadata { ty, .. } = &mut def.kind {
                ty.nullable = false;
            }
        } else if word(parser, "COMMENT") {
            def.comment = Some(string(parser, "a comment in quotes")?);
        } else {
            break;
        }
    }
    if peek_word(parser, 0, "UNIQUE") {
        return Err(error_at(parser.peek_token_ref(), "UNIQUE is not supported, as in Flink SQL"));
    }
    table.columns.push(def);
    Ok(())
}

fn computed(parser: &mut Parser) -> Result<Expr, ParserError> {
    parser.parse_expr()
}

fn primary_key(
    parser: &mut Parser,
    table: &mut CreateTable,
    columns: Vec<Ident>,
) -> Result<(), ParserError> {
    if !table.primary_key.is_empty() {
        return Err(error_at(parser.get_current_token(), "the table has two primary keys"));
    }
    if !words(parser, &["NOT", "ENFORCED"]) {
        let message =
            "NOT ENFORCED behind the primary key (Flink and Tidegate do not own the data)";
        return Err(unexpected(parser, message));
    }
    table.primary_key = columns;
    Ok(())
}

/// No column twice; keys and partitions name columns.
fn check_names(table: &CreateTable) -> Result<()> {
    for (index, column) in table.columns.iter().enumerate() {
        let same = |other: &&ColumnDef| other.name.value == column.name.value;
        if table.columns[..index].iter().find(same).is_some() {
            let message = format!("the table has two columns named '{}'", column.name.value);
            return Err(semantic(message, cursor::span(column.name.span)));
        }
    }
    for (what, keys) in
        [("primary key", &table.primary_key), ("partition key", &table.partition_keys)]
    {
        for key in keys {
            let column = table.columns.iter().find(|column| column.name.value == key.value);
            let problem = match column.map(|column| &column.kind) {
                None => "is not a column of the table",
                Some(ColumnKind::Physical(_)) => continue,
                Some(_) => "is not a physical column",
            };
            let message = format!("the {what} '{}' {problem}", key.value);
            return Err(semantic(message, cursor::span(key.span)));
        }
    }
    Ok(())
}
