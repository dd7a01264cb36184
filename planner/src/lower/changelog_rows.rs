//! Nodes of `TO_CHANGELOG` and `FROM_CHANGELOG`.

use tidegate_plan::Operator;
use tidegate_plan::operator::{FromChangelog, ToChangelog};
use tidegate_types::{Error, ErrorCode, Field, Result, Span};

use super::{Draft, Lowering, forward};
use crate::algebra::Relation;

impl Lowering<'_> {
    pub(super) fn changelog_rows(
        &mut self,
        input: Relation,
        changelog: ToChangelog,
        timed: Option<Span>,
        schema: Vec<Field>,
    ) -> Result<usize> {
        let node = self.relation(input)?;
        if let Some(span) = timed
            && !self.facts[node].is_append()
        {
            let message = "on_time is for inserted rows only, but the input of TO_CHANGELOG is updated or deleted";
            return Err(Error::new(ErrorCode::SqlSemantic, message)
                .at(span)
                .help("leave on_time out: time attributes of the input stay what they are"));
        }
        let identity = self.identities[node].changelog_rows(&changelog);
        let id = identity.all(identity.rows.word("changelog"));
        let operator = Operator::ToChangelog(changelog);
        self.add(Draft::new(operator, forward(node), schema, identity, id))
    }

    pub(super) fn changelog_of_rows(
        &mut self,
        input: Relation,
        changelog: FromChangelog,
        schema: Vec<Field>,
    ) -> Result<usize> {
        let node = self.relation(input)?;
        let identity = self.identities[node].changelog_of_rows(&changelog);
        let id = identity.all(identity.rows.word("changelog"));
        let operator = Operator::FromChangelog(changelog);
        self.add(Draft::new(operator, forward(node), schema, identity, id))
    }
}
