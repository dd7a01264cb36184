//! JSON in texts: tests, parts by path, construction.
//!
//! The planner turns the clauses of Flink's syntax (`RETURNING`, `ON EMPTY`, `WITH WRAPPER`, …) into
//! constant arguments; `options` says which.
//!
//! | file | holds |
//! |---|---|
//! | `options` | the clauses as constants |
//! | `query` | `JSON_EXISTS`, `JSON_VALUE`, `JSON_QUERY` |
//! | `columns` | columns of what is found |
//! | `construct` | `JSON_STRING`, `JSON_OBJECT`, `JSON_ARRAY`, `JSON()` |
//! | `gather` | what JSON_ARRAYAGG and JSON_OBJECTAGG make of a group |
//! | `write` | SQL values as JSON |
//! | `variant` | `PARSE_JSON`, elements of VARIANT |
//! | `text` | `IS JSON`, `JSON_QUOTE`, `JSON_UNQUOTE` |

mod columns;
mod construct;
mod gather;
mod options;
mod query;
#[cfg(test)]
mod tests;
mod text;
pub(super) mod variant;
mod write;

use crate::function::Function;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("IS JSON VALUE", "Whether a text is JSON", text::bind_test, text::is_value),
    Function::new(
        "IS JSON OBJECT",
        "Whether a text is a JSON object",
        text::bind_test,
        text::is_object,
    ),
    Function::new(
        "IS JSON ARRAY",
        "Whether a text is a JSON array",
        text::bind_test,
        text::is_array,
    ),
    Function::new(
        "IS JSON SCALAR",
        "Whether a text is a JSON string, number, true, false or null",
        text::bind_test,
        text::is_scalar,
    ),
    Function::new("JSON_QUOTE", "A text as a JSON string", text::bind_text, text::quote),
    Function::new("JSON_UNQUOTE", "What a JSON string means", text::bind_text, text::unquote),
    Function::new(
        "JSON_EXISTS",
        "Whether there is a value at a path",
        query::bind_exists,
        query::exists,
    )
    .fallible(),
    Function::new("JSON_VALUE", "The scalar at a path", query::bind_value, query::value).fallible(),
    Function::new("JSON_QUERY", "The JSON at a path", query::bind_query, query::query).fallible(),
    Function::new("JSON_STRING", "A value as JSON", construct::bind_string, construct::string)
        .fallible(),
    Function::new(
        "JSON_OBJECT",
        "Keys and values as JSON",
        construct::bind_object,
        construct::object,
    )
    .fallible(),
    Function::new("JSON_ARRAY", "Values as JSON", construct::bind_array, construct::array)
        .fallible(),
    Function::new("$JSON_ARRAY_OF", "Values of a group as JSON", gather::bind_array, gather::array),
    Function::new(
        "$JSON_OBJECT_OF",
        "Keys and values of a group as JSON",
        gather::bind_object,
        gather::object,
    )
    .fallible(),
    Function::new("PARSE_JSON", "The value of a JSON text", variant::bind_parse, variant::parse)
        .fallible(),
    Function::new(
        "TRY_PARSE_JSON",
        "The value of a JSON text, NULL of other texts",
        variant::bind_try_parse,
        variant::try_parse,
    ),
    Function::new("$JSON", "A text that is JSON", construct::bind_json, construct::json).fallible(),
];
