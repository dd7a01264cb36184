//! Row patterns: sequences of rows that match, by `MATCH_RECOGNIZE`.
//!
//! | file | holds |
//! |---|---|
//! | `operator` | rows that wait for event time, what is due, state tables |
//! | `waiting` | rows in order of time |
//! | `search` | rows that are due, given to the candidates of their keys |
//! | `rounds` | which candidates take a row |
//! | `automaton` | the pattern: what a row makes of a candidate, which candidates are matches |
//! | `queue` | candidates in the order of their first rows |
//! | `conditions` | conditions on the row alone, computed for whole batches; which candidates the others are for |
//! | `shifted` | conditions that look back a known number of rows, computed for whole batches too |
//! | `context` | expressions over the rows of candidates |
//! | `output` | measures of matches |
//! | `key_state`, `rows` | what is kept: candidates by key, rows |
//!
//! A row that begins no match and that no candidate of its key waits for costs the masks of its batch and no
//! state.

mod automaton;
mod conditions;
mod context;
mod key_state;
mod operator;
mod output;
mod queue;
mod rounds;
mod rows;
mod search;
mod shifted;
#[cfg(test)]
mod tests;
mod waiting;

pub use operator::MatchRecognize;

use tidegate_types::Error;

fn internal(error: arrow::error::ArrowError) -> Error {
    Error::internal(format!("MATCH_RECOGNIZE: {error}"))
}
