//! `COMPILE PLAN`, `EXECUTE PLAN` and `COMPILE AND EXECUTE PLAN`.

use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;
use tidegate_types::Result;

use super::ast::{PlanFileStatement, StatementKind};
use super::cursor::{expect_word, into_error, peek_word, string, unexpected, word, words};
use super::script::ScriptParser;

type Parsed<T> = Result<T, sqlparser::parser::ParserError>;

/// `EXECUTE PLAN 'path'`, behind `EXECUTE PLAN`.
pub(super) fn execute(script: &mut ScriptParser<'_>) -> Result<StatementKind> {
    let path = script.syntax(path)?;
    Ok(StatementKind::PlanFile(PlanFileStatement { path, compiled: None, ..Default::default() }))
}

/// `[AND EXECUTE] PLAN 'path' [IF NOT EXISTS] FOR statement`, behind `COMPILE`.
pub(super) fn compile(script: &mut ScriptParser<'_>) -> Result<StatementKind> {
    let (execute, path, if_not_exists) = script.syntax(|parser| {
        let execute = words(parser, &["AND", "EXECUTE"]);
        expect_word(parser, "PLAN")?;
        let path = path(parser)?;
        let if_not_exists = words(parser, &["IF", "NOT", "EXISTS"]);
        expect_word(parser, "FOR")?;
        Ok((execute, path, if_not_exists))
    })?;
    let start = script.next_span();
    let inserts = match peek_word(&script.parser, 0, "INSERT") {
        true => script.statement()?,
        false if words(&mut script.parser, &["STATEMENT", "SET"]) => {
            script.syntax(|parser| {
                expect_word(parser, "BEGIN")?;
                Ok(parser.consume_token(&Token::SemiColon))
            })?;
            script.statement_set_from(start)?
        }
        false => {
            let error = unexpected(&script.parser, "an INSERT or STATEMENT SET BEGIN … END");
            return Err(into_error(error, start));
        }
    };
    let compiled = Some(Box::new(inserts));
    Ok(StatementKind::PlanFile(PlanFileStatement { path, compiled, if_not_exists, execute }))
}

fn path(parser: &mut Parser) -> Parsed<String> {
    string(parser, "the path of a plan in quotes")
}

/// Whether the statement begins with `EXECUTE PLAN`, which is then consumed.
pub(super) fn is_execute(parser: &mut Parser) -> bool {
    peek_word(parser, 1, "PLAN") && word(parser, "EXECUTE") && word(parser, "PLAN")
}
