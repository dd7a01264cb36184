//! Matches by trying every way to read the rows of a key from each row on.

use tidegate_plan::operator::AfterMatch;

use super::{Condition, Pattern, Row};

/// A match as it comes out: the place of its first row among those of its key, rows per variable, and the time
/// at which it was found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) start: usize,
    pub(super) counts: Vec<u32>,
    pub(super) time: i64,
}

/// What becomes of the matches that begin with a row.
struct Begun {
    /// Last row and rows per variable of everything that is complete.
    complete: Vec<(usize, Vec<u32>)>,
    /// From when on nothing else can be complete: the rows that were seen by then, and the time; none if the
    /// rows end before.
    over: Option<(usize, i64)>,
}

/// How far the rows are read: the number of rows, and the time.
type Reached = (usize, i64);

/// Checks that matches are those of a key's rows, which are in order; `ended`: event time has passed all.
pub(super) fn check(pattern: &Pattern, rows: &[Row], found: &[Found], ended: bool) {
    let (mut next, mut reached): (usize, Reached) = (0, (0, i64::MIN));
    let mut rest = found.iter();
    for start in 0..rows.len() {
        if start < next {
            continue;
        }
        let begun = begin(pattern, rows, start, ended);
        let earliest = begun.complete.iter().map(|(last, _)| last + 1).min();
        if let Some(earliest) = earliest {
            // Whatever is complete when its turn comes may be chosen.
            let here = (earliest, rows[earliest - 1].time);
            let at = if earliest > reached.0 { here } else { reached };
            let choices: Vec<&Vec<u32>> = begun
                .complete
                .iter()
                .filter(|(last, _)| *last < at.0)
                .map(|(_, counts)| counts)
                .collect();
            let match_ = rest.next().unwrap_or_else(|| panic!("no match from row {start}"));
            assert_eq!(match_.start, start, "the next match begins there");
            assert!(choices.contains(&&match_.counts), "{match_:?} is not among {choices:?}");
            if !pattern.clock {
                assert_eq!(match_.time, at.1, "when {match_:?} was found");
            }
            reached = at;
            next = skip(pattern, start, &match_.counts);
            continue;
        }
        match begun.over {
            Some(over) => reached = reached.max(over),
            // It may still become a match, and the others wait for it.
            None => break,
        }
    }
    assert_eq!(rest.next(), None, "more matches than there are");
}

fn skip(pattern: &Pattern, start: usize, counts: &[u32]) -> usize {
    let rows = |until: usize| counts[..until].iter().sum::<u32>() as usize;
    match pattern.skip {
        AfterMatch::PastLastRow => start + rows(counts.len()),
        AfterMatch::ToNextRow => start + 1,
        AfterMatch::ToFirst { variable } => start + rows(variable),
        AfterMatch::ToLast { variable } => start + rows(variable + 1) - 1,
    }
}

/// Everything that begins with a row.
fn begin(pattern: &Pattern, rows: &[Row], start: usize, ended: bool) -> Begun {
    let none = vec![0; pattern.variables.len()];
    let deadline = pattern.within.map(|within| rows[start].time + within);
    // Ways to read the rows so far: rows per variable, and the variable that may take the next.
    let mut ways = vec![(none, 0)];
    let mut complete = Vec::new();
    for row in start..rows.len() {
        if let Some(deadline) = deadline
            && rows[row].time >= deadline
        {
            return Begun { complete, over: Some((row, deadline)) };
        }
        let mut longer = Vec::new();
        for (counts, variable) in ways {
            read(pattern, rows, (start, row), &counts, variable, &mut longer, &mut complete);
        }
        ways = longer;
        if ways.is_empty() {
            return Begun { complete, over: Some((row + 1, rows[row].time)) };
        }
    }
    let over = deadline.filter(|_| ended).map(|deadline| (rows.len(), deadline));
    Begun { complete, over }
}

/// The ways in which a row can follow: taken by the variable, or, where that has enough rows (and, if it is
/// greedy, does not take it), by those behind.
fn read(
    pattern: &Pattern,
    rows: &[Row],
    (start, row): (usize, usize),
    counts: &[u32],
    variable: usize,
    longer: &mut Vec<(Vec<u32>, usize)>,
    complete: &mut Vec<(usize, Vec<u32>)>,
) {
    let Some(own) = pattern.variables.get(variable) else { return };
    // Behind a greedy variable with all of its rows no row may be what that would take.
    if counts[variable] == 0
        && let Some(before) = variable.checked_sub(1)
        && pattern.variables[before].greedy
        && pattern.variables[before].max == Some(counts[before])
    {
        let mut more = counts.to_vec();
        more[before] += 1;
        let condition = pattern.variables[before].condition.as_ref();
        if condition.is_none_or(|one| holds(one, rows, start, &more) == Some(true)) {
            return;
        }
    }
    let mut taken = counts.to_vec();
    taken[variable] += 1;
    let fits = own.max.is_none_or(|max| counts[variable] < max);
    let holds = fits
        && own.condition.as_ref().is_none_or(|one| holds(one, rows, start, &taken) == Some(true));
    if holds {
        let optional = pattern.variables[variable + 1..].iter().all(|one| one.min == 0);
        if taken[variable] >= own.min && optional {
            complete.push((row, taken.clone()));
        }
        let last = variable + 1 == pattern.variables.len();
        if !(last && own.max == Some(taken[variable])) {
            longer.push((taken, variable));
        }
    }
    // A full variable leaves the row to the next one.
    if counts[variable] >= own.min && !(own.greedy && holds) {
        read(pattern, rows, (start, row), counts, variable + 1, longer, complete);
    }
}

/// A condition on the last of the rows that variables have; NULL is none.
fn holds(condition: &Condition, rows: &[Row], start: usize, counts: &[u32]) -> Option<bool> {
    let mut first = start;
    let lists: Vec<Vec<&Row>> = counts
        .iter()
        .map(|count| {
            let own = rows[first..first + *count as usize].iter().collect();
            first += *count as usize;
            own
        })
        .collect();
    let all: Vec<&Row> = lists.iter().flatten().copied().collect();
    let of = |variable: &Option<usize>| variable.map_or(&all, |variable| &lists[variable]);
    let v = all.last()?.v;
    let last = |list: &[&Row], offset: u64| {
        let place = list.len().checked_sub(offset as usize + 1)?;
        list[place].v
    };
    Some(match condition {
        Condition::Below(bound) => v? < *bound,
        Condition::Above(bound) => v? > *bound,
        Condition::AboveLast(variable, offset) => v? > last(of(variable), *offset)?,
        Condition::BelowFirst(variable, offset) => v? < of(variable).get(*offset as usize)?.v?,
        Condition::SumBelow(variable, bound) => {
            let values: Vec<i64> = of(variable).iter().filter_map(|row| row.v).collect();
            !values.is_empty() && values.iter().sum::<i64>() < *bound
        }
        Condition::CountBelow(variable, bound) => (of(variable).len() as i64) < *bound,
        Condition::Quotient(bound) => 12 / v? > *bound,
        Condition::Both(left, right) => {
            holds(left, rows, start, counts) == Some(true)
                && holds(right, rows, start, counts) == Some(true)
        }
    })
}
