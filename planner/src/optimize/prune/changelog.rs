//! Rows that say which change they are: their code is read whatever else is.

use tidegate_plan::operator::FromChangelog;

use super::place;
use crate::algebra::{RelOp, Relation};
use crate::optimize::need::Moves;

/// Changes of the rows of what is left of the input.
pub(super) fn from(
    input: Relation,
    mut changelog: FromChangelog,
    mut moves: Moves,
) -> (Relation, Moves) {
    let before = changelog.column;
    changelog.column = place(&moves, before);
    moves.remove(before);
    for moved in moves.iter_mut().flatten() {
        moved.index -= usize::from(moved.index > changelog.column);
    }
    let mut schema = input.schema.clone();
    schema.remove(changelog.column);
    let op = RelOp::FromChangelog { input: Box::new(input), changelog };
    (Relation { op, schema }, moves)
}
