//! `CREATE TABLE`: columns, watermark, primary key, partitions, options; `LIKE` and `AS` behind them.

use sqlparser::ast::{Expr, Ident};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;
use tidegate_types::{Result, Span};

use super::ast::{
    ColumnDef, ColumnKind, CreateTable, CreateTableAs, Distribution, Like, LikeChoice, LikePart,
    Merging, Replace, StatementKind, TableName, TableOption, WatermarkDef,
};
use super::cursor::{
    self, error_at, expect_word, identifier, name_parts, parenthesized, peek_word, string,
    unexpected, word, words,
};
use super::script::{ScriptParser, semantic, table_name};
use super::types::parse_type;

/// Parses what follows `CREATE [OR REPLACE] [TEMPORARY] TABLE`, which began at `start`.
pub(super) fn parse(
    script: &mut ScriptParser<'_>,
    temporary: bool,
    replace: Replace,
    start: Span,
) -> Result<StatementKind> {
    let mut table = script.syntax(|parser| {
        let if_not_exists = words(parser, &["IF", "NOT", "EXISTS"]);
        let name = table_name(parser)?;
        Ok(CreateTable { temporary, if_not_exists, ..empty(name) })
    })?;
    let order = script.syntax(|parser| columns(parser, &mut table))?;
    script.syntax(|parser| trailer(parser, &mut table))?;
    if word(&mut script.parser, "AS") {
        let query = script.query()?;
        let span = script.span_since(start);
        let create = CreateTableAs { table, order, query, replace, span };
        return Ok(StatementKind::CreateTableAs(Box::new(create)));
    }
    if replace != Replace::Never {
        let error = semantic("CREATE OR REPLACE TABLE needs AS and a query", start);
        return Err(error.help("use DROP TABLE IF EXISTS and CREATE TABLE"));
    }
    if let Some(column) = order.first() {
        let message = format!("the column '{}' has no type", column.value);
        return Err(semantic(message, cursor::span(column.span)));
    }
    if word(&mut script.parser, "LIKE") {
        table.like = Some(script.syntax(like)?);
    } else {
        check_names(&table)?;
    }
    Ok(StatementKind::CreateTable(table))
}

/// A table without anything.
pub(super) fn empty(name: TableName) -> CreateTable {
    CreateTable {
        name,
        temporary: false,
        if_not_exists: false,
        columns: Vec::new(),
        watermark: None,
        constraint: None,
        primary_key: Vec::new(),
        partition_keys: Vec::new(),
        distribution: None,
        partitions: Vec::new(),
        comment: None,
        options: Vec::new(),
        like: None,
    }
}

/// The columns in brackets; their names, if they have no types.
fn columns(parser: &mut Parser, table: &mut CreateTable) -> Result<Vec<Ident>, ParserError> {
    if parser.peek_token_ref().token != Token::LParen {
        return Ok(Vec::new());
    }
    if matches!(parser.peek_nth_token_ref(2).token, Token::Comma | Token::RParen) {
        return parenthesized(parser, identifier);
    }
    parenthesized(parser, |parser| element(parser, table))?;
    Ok(Vec::new())
}

/// `[BY [HASH | RANGE] (columns)] [INTO n BUCKETS]` behind `DISTRIBUTED` or `DISTRIBUTION`.
pub(super) fn distribution(parser: &mut Parser) -> Result<Distribution, ParserError> {
    let start = cursor::span(parser.get_current_token().span);
    let (mut kind, mut columns, mut buckets) = (None, Vec::new(), None);
    let by = word(parser, "BY");
    if by {
        kind = ["HASH", "RANGE"].into_iter().find(|kind| word(parser, kind));
        columns = parenthesized(parser, identifier)?;
    }
    if word(parser, "INTO") {
        buckets = Some(bucket_count(parser)?);
        expect_word(parser, "BUCKETS")?;
    } else if !by {
        return Err(unexpected(parser, "BY and columns, or INTO and a number of buckets"));
    }
    let span = cursor::join(start, cursor::span(parser.get_current_token().span));
    Ok(Distribution { kind, columns, buckets, span })
}

fn bucket_count(parser: &mut Parser) -> Result<u32, ParserError> {
    let what = "a number of buckets from 1";
    let Token::Number(text, _) = &parser.peek_token_ref().token else {
        return Err(unexpected(parser, what));
    };
    match text.parse().ok().filter(|count| *count > 0) {
        Some(count) => {
            parser.advance_token();
            Ok(count)
        }
        None => Err(unexpected(parser, what)),
    }
}

/// `source [(INCLUDING … EXCLUDING …)]` behind LIKE.
fn like(parser: &mut Parser) -> Result<Like, ParserError> {
    const MERGING: [(&str, Merging); 3] = [
        ("INCLUDING", Merging::Including),
        ("EXCLUDING", Merging::Excluding),
        ("OVERWRITING", Merging::Overwriting),
    ];
    const PARTS: [(&str, LikePart); 8] = [
        ("ALL", LikePart::All),
        ("CONSTRAINTS", LikePart::Constraints),
        ("DISTRIBUTION", LikePart::Distribution),
        ("GENERATED", LikePart::Generated),
        ("METADATA", LikePart::Metadata),
        ("OPTIONS", LikePart::Options),
        ("PARTITIONS", LikePart::Partitions),
        ("WATERMARKS", LikePart::Watermarks),
    ];
    let source = table_name(parser)?;
    let mut choices: Vec<LikeChoice> = Vec::new();
    if !parser.consume_token(&Token::LParen) {
        return Ok(Like { source, choices });
    }
    loop {
        let span = cursor::span(parser.peek_token_ref().span);
        let Some((_, merging)) = MERGING.iter().find(|(name, _)| word(parser, name)) else {
            return Err(unexpected(parser, "INCLUDING, EXCLUDING or OVERWRITING"));
        };
        let Some((_, part)) = PARTS.iter().find(|(name, _)| word(parser, name)) else {
            let names = PARTS.map(|(name, _)| name).join(", ");
            return Err(unexpected(parser, &format!("one of {names}")));
        };
        let span = cursor::join(span, cursor::span(parser.get_current_token().span));
        choices.push(LikeChoice { merging: *merging, part: *part, span });
        if parser.consume_token(&Token::RParen) {
            return Ok(Like { source, choices });
        }
    }
}

/// `COMMENT`, `DISTRIBUTED`, `PARTITIONED BY` and `WITH` behind the columns.
fn trailer(parser: &mut Parser, table: &mut CreateTable) -> Result<(), ParserError> {
    if word(parser, "COMMENT") {
        table.comment = Some(string(parser, "a comment in quotes")?);
    }
    if word(parser, "DISTRIBUTED") {
        table.distribution = Some(distribution(parser)?);
    }
    if words(parser, &["PARTITIONED", "BY"]) {
        table.partition_keys = parenthesized(parser, identifier)?;
    }
    if word(parser, "WITH") {
        table.options = options(parser)?;
    }
    Ok(())
}

/// `('key' = 'value', …)`.
pub(super) fn options(parser: &mut Parser) -> Result<Vec<TableOption>, ParserError> {
    parenthesized(parser, option)
}

fn option(parser: &mut Parser) -> Result<TableOption, ParserError> {
    let span = cursor::span(parser.peek_token_ref().span);
    let key = string(parser, "an option's name in quotes")?;
    parser.expect_token(&Token::Eq)?;
    Ok((key, string(parser, "an option's value in quotes")?, span))
}

/// A column or a constraint.
pub(super) fn element(parser: &mut Parser, table: &mut CreateTable) -> Result<(), ParserError> {
    if words(parser, &["WATERMARK", "FOR"]) {
        if table.watermark.is_some() {
            return Err(error_at(parser.peek_token_ref(), "the table has two WATERMARK clauses"));
        }
        let column = name_parts(parser)?;
        expect_word(parser, "AS")?;
        table.watermark = Some(WatermarkDef { column, expr: Box::new(parser.parse_expr()?) });
        return Ok(());
    }
    let mut constraint = None;
    if peek_word(parser, 0, "CONSTRAINT") && !is_column(parser, 1) {
        parser.advance_token();
        constraint = Some(identifier(parser)?.value);
    }
    if peek_word(parser, 0, "PRIMARY") && peek_word(parser, 1, "KEY") {
        words(parser, &["PRIMARY", "KEY"]);
        let columns = parenthesized(parser, identifier)?;
        return primary_key(parser, table, columns, constraint);
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
    let mut constraint = None;
    loop {
        if word(parser, "CONSTRAINT") {
            constraint = Some(identifier(parser)?.value);
        } else if words(parser, &["PRIMARY", "KEY"]) {
            let columns = vec![def.name.clone()];
            primary_key(parser, table, columns, constraint.take())?;
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
    constraint: Option<String>,
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
    table.constraint = constraint;
    Ok(())
}

/// No column twice; keys and partitions name columns.
///
/// # Errors
/// `SQL_SEMANTIC` with the place of the name.
pub(crate) fn check_names(table: &CreateTable) -> Result<()> {
    for (index, column) in table.columns.iter().enumerate() {
        let same = |other: &&ColumnDef| other.name.value == column.name.value;
        if table.columns[..index].iter().find(same).is_some() {
            let message = format!("the table has two columns named '{}'", column.name.value);
            return Err(semantic(message, cursor::span(column.name.span)));
        }
    }
    let buckets = table.distribution.as_ref().map(|distribution| &distribution.columns);
    let no_buckets = Vec::new();
    for (what, keys) in [
        ("primary key", &table.primary_key),
        ("partition key", &table.partition_keys),
        ("bucket key", buckets.unwrap_or(&no_buckets)),
    ] {
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
