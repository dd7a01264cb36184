//! Nodes that find patterns of rows.

use tidegate_plan::Operator;
use tidegate_plan::operator::{AfterMatch, MatchRecognize};
use tidegate_types::{Field, Result};

use super::identity::{Digest, Identity};
use super::{Draft, Lowering, keyed};
use crate::algebra::Relation;

impl Lowering<'_> {
    pub(super) fn match_recognize(
        &mut self,
        input: Relation,
        pattern: MatchRecognize,
        schema: Vec<Field>,
    ) -> Result<usize> {
        let node = self.relation(input)?;
        let identity = identity(&self.identities[node], &pattern);
        let id = identity.rows.word("match-recognize");
        let inputs = keyed(node, &pattern.keys);
        let operator = Operator::MatchRecognize(pattern);
        self.add(Draft::new(operator, inputs, schema, identity, id))
    }
}

/// Which matches there are depends on everything but the measures.
fn identity(below: &Identity, pattern: &MatchRecognize) -> Identity {
    let mut rows = below.keyed("match", &pattern.keys, &pattern.order).rows;
    rows = match pattern.time {
        Some(column) => rows.word("event").digest(below.column(column)),
        None => rows.word("processing"),
    };
    // What conditions and measures read, side by side.
    let row = |variable: Option<usize>| {
        let of = Digest::new("row of");
        variable.map_or_else(|| of.word("all"), |variable| of.number(variable as u64))
    };
    let mut columns = below.columns.clone();
    columns.extend(pattern.references.iter().map(|reference| {
        let end = if reference.first { "first" } else { "last" };
        let of = row(reference.variable).word(end).number(reference.offset);
        of.digest(below.column(reference.column))
    }));
    let mut arguments = below.clone();
    arguments.columns.extend(pattern.computed.iter().map(|named| below.expr(&named.expr)));
    columns
        .extend(pattern.aggregates.iter().map(|one| arguments.call(row(one.variable), &one.call)));
    columns.extend(["time of the match", "timestamp of the match"].map(Digest::new));
    let all = Identity { rows, columns };
    for variable in &pattern.variables {
        let quantifier = format!("{} {:?} {}", variable.min, variable.max, variable.greedy);
        rows = rows.word(&quantifier);
        rows = match &variable.condition {
            Some(condition) => rows.digest(all.expr(condition)),
            None => rows.word("any"),
        };
    }
    rows = match pattern.skip {
        AfterMatch::PastLastRow => rows.word("past last"),
        AfterMatch::ToNextRow => rows.word("to next"),
        AfterMatch::ToFirst { variable } => rows.word("to first").number(variable as u64),
        AfterMatch::ToLast { variable } => rows.word("to last").number(variable as u64),
    };
    rows = rows.number(pattern.within_ms.unwrap_or(0));
    let keys = pattern.keys.iter().map(|key| below.column(*key));
    let measures = pattern.measures.iter().map(|one| rows.digest(all.expr(&one.expr)));
    Identity { rows, columns: keys.chain(measures).collect() }
}
