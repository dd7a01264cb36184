//! Scripts: statements between semicolons, and the small statements.

use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan};
use tidegate_types::{Error, ErrorCode, Result, Span};

use super::ast::{Explain, QueryText, Statement, StatementKind, TableName};
use super::cursor::{
    self, expect_word, identifier, into_error, join, name_parts, peek_word, string, unexpected,
    word, words,
};
use super::dialect::FlinkDialect;
use super::tokens::{self, Hints};
use super::{alter, create, insert, plan_file, refused, show};

/// Parses a script into its statements. Empty statements are skipped.
///
/// # Errors
/// `SQL_SYNTAX` at the first place that does not parse; `UNSUPPORTED` for statements that this
/// version does not know.
pub fn parse_script(text: &str) -> Result<Vec<Statement>> {
    let prepared = tokens::tokenize(text)?;
    let lines = line_starts(text);
    let parser = tokens::parser(&FlinkDialect, prepared.tokens);
    let mut script = ScriptParser { parser, text, lines, hints: prepared.hints };
    let mut statements = Vec::new();
    loop {
        while script.parser.consume_token(&Token::SemiColon) {}
        if script.parser.peek_token_ref().token == Token::EOF {
            return Ok(statements);
        }
        statements.push(script.statement()?);
        script.end_of_statement()?;
    }
}

/// A parser with the text it reads.
pub(super) struct ScriptParser<'a> {
    pub(super) parser: Parser<'a>,
    text: &'a str,
    lines: Vec<usize>,
    pub(super) hints: Hints,
}

impl ScriptParser<'_> {
    /// Parses one statement without its semicolon.
    pub(super) fn statement(&mut self) -> Result<Statement> {
        let start = self.next_span();
        let kind = self.statement_kind()?;
        let span = self.span_since(start);
        Ok(Statement { kind, span, text: self.text_of(span).to_owned() })
    }

    fn statement_kind(&mut self) -> Result<StatementKind> {
        let start = self.next_span();
        if words(&mut self.parser, &["EXECUTE", "STATEMENT", "SET"])
            || words(&mut self.parser, &["STATEMENT", "SET"])
        {
            self.syntax(|parser| expect_word(parser, "BEGIN"))?;
            return self.statement_set();
        }
        if words(&mut self.parser, &["BEGIN", "STATEMENT", "SET"]) {
            self.syntax(|parser| parser.expect_token(&Token::SemiColon))?;
            return self.statement_set();
        }
        if plan_file::is_execute(&mut self.parser) {
            return plan_file::execute(self);
        }
        // `EXECUTE` in front of an INSERT or a query changes nothing.
        word(&mut self.parser, "EXECUTE");
        let Token::Word(first) = &self.parser.peek_token_ref().token else {
            return match self.parser.peek_token_ref().token {
                Token::LParen => Ok(StatementKind::Query(self.query()?)),
                _ => Err(into_error(unexpected(&self.parser, "a statement"), start)),
            };
        };
        match first.value.to_ascii_uppercase().as_str() {
            "SELECT" | "WITH" | "VALUES" => Ok(StatementKind::Query(self.query()?)),
            "INSERT" => Ok(StatementKind::Insert(insert::parse(self)?)),
            "CREATE" | "REPLACE" => create::parse(self),
            "DROP" => create::drop_object(self),
            "ALTER" => alter::parse(self),
            "SET" => self.syntax(set),
            "RESET" => self.syntax(reset),
            "EXPLAIN" => self.explain(),
            "COMPILE" => {
                self.parser.advance_token();
                plan_file::compile(self)
            }
            "SHOW" => show::parse(self),
            "DESCRIBE" | "DESC" => show::describe(self),
            "USE" => self.syntax(show::use_statement),
            _ => Err(refused::statement(self)),
        }
    }

    /// A statement set whose beginning was read, with the place where it began.
    pub(super) fn statement_set_from(&mut self, start: Span) -> Result<Statement> {
        let kind = self.statement_set()?;
        let span = self.span_since(start);
        Ok(Statement { kind, span, text: self.text_of(span).to_owned() })
    }

    /// The inserts of a statement set up to `END`.
    fn statement_set(&mut self) -> Result<StatementKind> {
        let mut inserts = Vec::new();
        loop {
            while self.parser.consume_token(&Token::SemiColon) {}
            if word(&mut self.parser, "END") {
                break;
            }
            if !peek_word(&self.parser, 0, "INSERT") {
                let start = self.next_span();
                return Err(into_error(
                    unexpected(&self.parser, "INSERT or END in the statement set"),
                    start,
                ));
            }
            inserts.push(insert::parse(self)?);
            if !peek_word(&self.parser, 0, "END") {
                self.syntax(|parser| parser.expect_token(&Token::SemiColon))?;
            }
        }
        Ok(StatementKind::StatementSet(inserts))
    }

    fn explain(&mut self) -> Result<StatementKind> {
        self.parser.advance_token();
        let mut json = false;
        if words(&mut self.parser, &["PLAN", "FOR"]) {
            let statement = Box::new(self.statement()?);
            return Ok(StatementKind::Explain(Explain { json, analyze: false, statement }));
        }
        let analyze = word(&mut self.parser, "ANALYZE");
        const DETAILS: [&str; 4] =
            ["JSON_EXECUTION_PLAN", "ESTIMATED_COST", "CHANGELOG_MODE", "PLAN_ADVICE"];
        let mut another = DETAILS.iter().any(|detail| peek_word(&self.parser, 0, detail));
        while another {
            let detail = DETAILS.iter().find(|detail| word(&mut self.parser, detail));
            let Some(detail) = detail else {
                let error = unexpected(&self.parser, &format!("one of {}", DETAILS.join(", ")));
                return Err(into_error(error, self.next_span()));
            };
            json |= *detail == "JSON_EXECUTION_PLAN";
            another = self.parser.consume_token(&Token::Comma);
        }
        let statement = Box::new(self.statement()?);
        Ok(StatementKind::Explain(Explain { json, analyze, statement }))
    }

    /// A query, with the hints inside it.
    pub(super) fn query(&mut self) -> Result<QueryText> {
        let start = self.next_span();
        let query = self.syntax(|parser| parser.parse_query())?;
        let span = self.span_since(start);
        let inside = |(line, column): (u32, u32)| {
            (span.line, span.column) <= (line, column)
                && (line, column) <= (span.end_line, span.end_column + 1)
        };
        let hints = self.hints.iter().filter(|(place, _)| inside(**place));
        let hints = hints.map(|(place, options)| (*place, options.clone())).collect();
        Ok(QueryText { query, hints, span })
    }

    fn end_of_statement(&mut self) -> Result<()> {
        let next = self.parser.peek_token_ref();
        if matches!(next.token, Token::SemiColon | Token::EOF) {
            return Ok(());
        }
        let error = unexpected(&self.parser, "; or the end of the statement");
        Err(into_error(error, self.next_span()))
    }

    /// Runs a parser and turns its error into ours.
    pub(super) fn syntax<T>(
        &mut self,
        parse: impl FnOnce(&mut Parser) -> Result<T, sqlparser::parser::ParserError>,
    ) -> Result<T> {
        parse(&mut self.parser).map_err(|error| into_error(error, self.next_span()))
    }

    /// The place of the next token; that of the last one at the end.
    pub(super) fn next_span(&self) -> Span {
        let next: &TokenWithSpan = self.parser.peek_token_ref();
        match next.token {
            Token::EOF => cursor::span(self.parser.get_current_token().span),
            _ => cursor::span(next.span),
        }
    }

    /// From a place to the token that was read last.
    pub(super) fn span_since(&self, start: Span) -> Span {
        let current = self.parser.get_current_token();
        match current.token {
            Token::EOF => start,
            _ => join(start, cursor::span(current.span)),
        }
    }

    /// The text of a place.
    pub(super) fn text_of(&self, span: Span) -> &str {
        let start = self.offset(span.line, span.column);
        let end = self.offset(span.end_line, span.end_column + 1);
        self.text.get(start..end.max(start)).unwrap_or_default()
    }

    fn offset(&self, line: u32, column: u32) -> usize {
        let start =
            self.lines.get(line.saturating_sub(1) as usize).copied().unwrap_or(self.text.len());
        let rest = self.text.get(start..).unwrap_or_default();
        let column = column.saturating_sub(1) as usize;
        start + rest.char_indices().nth(column).map_or(rest.len(), |(offset, _)| offset)
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(offset, _)| offset + 1)).collect()
}

type Parsed<T> = Result<T, sqlparser::parser::ParserError>;

/// A table's name.
pub(super) fn table_name(parser: &mut Parser) -> Parsed<TableName> {
    let start = cursor::span(parser.peek_token_ref().span);
    let parts = name_parts(parser)?;
    let end = cursor::span(parser.get_current_token().span);
    Ok(TableName {
        parts: parts.into_iter().map(|part| part.value).collect(),
        span: join(start, end),
    })
}

/// `SET`, `SET 'key' = 'value'` and the old `SET key = value`.
fn set(parser: &mut Parser) -> Parsed<StatementKind> {
    parser.advance_token();
    if matches!(parser.peek_token_ref().token, Token::SemiColon | Token::EOF) {
        return Ok(StatementKind::Set(None));
    }
    let key = setting_key(parser)?;
    parser.expect_token(&Token::Eq)?;
    let value = match &parser.peek_token_ref().token {
        Token::SingleQuotedString(_) => string(parser, "a value in quotes")?,
        _ => bare_value(parser)?,
    };
    Ok(StatementKind::Set(Some((key, value))))
}

fn reset(parser: &mut Parser) -> Parsed<StatementKind> {
    parser.advance_token();
    if matches!(parser.peek_token_ref().token, Token::SemiColon | Token::EOF) {
        return Ok(StatementKind::Reset(None));
    }
    Ok(StatementKind::Reset(Some(setting_key(parser)?)))
}

/// A setting's key, in quotes or as words with dots and hyphens.
fn setting_key(parser: &mut Parser) -> Parsed<String> {
    if let Token::SingleQuotedString(_) = parser.peek_token_ref().token {
        return string(parser, "a setting's name in quotes");
    }
    let mut key = identifier(parser)?.value;
    loop {
        if parser.consume_token(&Token::Period) {
            key.push('.');
        } else if parser.consume_token(&Token::Minus) {
            key.push('-');
        } else {
            return Ok(key);
        }
        key.push_str(&identifier(parser)?.value);
    }
}

/// An unquoted value: everything up to the semicolon, as written but for white space.
fn bare_value(parser: &mut Parser) -> Parsed<String> {
    let mut value = String::new();
    let mut end = None;
    while !matches!(parser.peek_token_ref().token, Token::SemiColon | Token::EOF) {
        let token = parser.next_token();
        if end.is_some_and(|end| end != token.span.start) {
            value.push(' ');
        }
        value.push_str(&token.token.to_string());
        end = Some(token.span.end);
    }
    if value.is_empty() { Err(unexpected(parser, "a value")) } else { Ok(value) }
}

/// An error of code `SQL_SEMANTIC` at a place.
pub(super) fn semantic(message: impl Into<String>, span: Span) -> Error {
    Error::new(ErrorCode::SqlSemantic, message).at(span)
}
