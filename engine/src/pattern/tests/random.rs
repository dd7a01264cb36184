//! The search for counterexamples.

use std::collections::BTreeMap;

use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::AfterMatch;
use tidegate_types::MAX_WATERMARK;

use super::oracle::{Found, check};
use super::{Condition, Pattern, Row, Variable, input, plan, subject};
use crate::testing::{Random, changes};

fn condition(random: &mut Random, own: usize, variables: usize) -> Condition {
    let any = |random: &mut Random| match random.below(3) {
        0 => None,
        1 => Some(own),
        _ => Some(random.below(variables as u64) as usize),
    };
    match random.below(13) {
        0..=2 => Condition::Below(random.below(6) as i64),
        3..=5 => Condition::Above(random.below(5) as i64 - 1),
        6 | 7 => Condition::AboveLast(any(random), random.below(3)),
        8 => Condition::BelowFirst(any(random), random.below(2)),
        9 => Condition::SumBelow(any(random), random.below(14) as i64),
        10 => Condition::CountBelow(any(random), random.below(5) as i64 + 1),
        11 => Condition::Both(
            Box::new(Condition::Above(0)),
            Box::new(Condition::Quotient(random.below(5) as i64)),
        ),
        _ => {
            let (left, right) =
                (condition(random, own, variables), condition(random, own, variables));
            Condition::Both(Box::new(left), Box::new(right))
        }
    }
}

/// A pattern that the planner accepts.
fn pattern(random: &mut Random) -> Pattern {
    let count = random.below(4) as usize + 1;
    let mut variables: Vec<Variable> = Vec::new();
    for own in 0..count {
        let (min, max) = *random.pick(&[
            (1, Some(1)),
            (1, Some(1)),
            (0, Some(1)),
            (0, None),
            (1, None),
            (2, None),
            (2, Some(2)),
            (1, Some(3)),
            (0, Some(2)),
        ]);
        let fixed = Some(min) == max || (min, max) == (0, Some(1));
        let last = own + 1 == count;
        let greedy = !fixed && !last && random.below(2) == 0;
        let after_greedy = variables.last().is_some_and(|before| before.greedy);
        let min = if after_greedy || (last && variables.iter().all(|one| one.min == 0)) {
            min.max(1)
        } else {
            min
        };
        let condition = match random.below(8) {
            0 => None,
            _ => Some(condition(random, own, count)),
        };
        variables.push(Variable { min, max, greedy, condition });
    }
    // Only places that every match has, and that are not its first row.
    let behind: Vec<usize> = (1..count)
        .filter(|one| variables[*one].min > 0 && variables[..*one].iter().any(|v| v.min > 0))
        .collect();
    let skip = match random.below(4) {
        0 | 1 => AfterMatch::PastLastRow,
        2 if !behind.is_empty() => {
            let variable = *random.pick(&behind);
            match random.below(2) {
                0 => AfterMatch::ToFirst { variable },
                _ => AfterMatch::ToLast { variable },
            }
        }
        _ => AfterMatch::ToNextRow,
    };
    let within = (random.below(2) == 0).then(|| random.below(12) as i64 + 1);
    Pattern {
        variables,
        skip,
        within,
        sorted: random.below(4) == 0,
        clock: random.below(5) == 0,
        keyed: random.below(6) > 0,
    }
}

fn rows(random: &mut Random, keys: u64) -> Vec<Row> {
    let mut time = 0;
    (0..random.below(45))
        .map(|id| {
            time += random.below(3) as i64;
            let key = random.below(keys) as i64;
            let v = random.value(5, 9).map(i64::abs);
            Row { key: (key > 0).then_some(key), time, v, id: id as i64 }
        })
        .collect()
}

/// `1970-01-01T00:00:01.250` in ms.
fn millis(text: &str) -> i64 {
    let clock = text.split('T').nth(1).unwrap();
    let parts: Vec<f64> = clock.split(':').map(|part| part.parse().unwrap()).collect();
    ((parts[0] * 3600.0 + parts[1] * 60.0 + parts[2]) * 1000.0).round() as i64
}

/// What came out, by key.
fn found(
    table: Vec<crate::testing::Row>,
    pattern: &Pattern,
    rows: &BTreeMap<Option<i64>, Vec<Row>>,
) -> BTreeMap<Option<i64>, Vec<Found>> {
    let number = |text: &Option<String>| text.as_ref().map(|text| text.parse::<i64>().unwrap());
    let mut found: BTreeMap<Option<i64>, Vec<Found>> = BTreeMap::new();
    for mut row in table {
        let key = if pattern.keyed { number(&row.remove(0)) } else { None };
        row.insert(0, None);
        let first = number(&row[1]).unwrap();
        let start = rows[&key].iter().position(|row| row.id == first).unwrap();
        let variables = pattern.variables.len();
        let counts: Vec<u32> =
            row[2..2 + variables].iter().map(|n| number(n).unwrap() as u32).collect();
        let matched = &rows[&key][start..start + counts.iter().sum::<u32>() as usize];
        let values: Vec<i64> = matched.iter().filter_map(|row| row.v).collect();
        let sum = (!values.is_empty()).then(|| values.iter().sum::<i64>());
        assert_eq!(number(&row[2 + variables]), sum, "the sum of {matched:?}");
        let time = row.get(3 + variables).map_or(0, |time| millis(time.as_ref().unwrap()));
        found.entry(key).or_default().push(Found { start, counts, time });
    }
    found.values_mut().for_each(|list| list.sort_by_key(|one| one.start));
    found
}

/// Runs a case; how many matches there were.
fn run(seed: u64) -> usize {
    let mut random = Random(seed);
    let pattern = pattern(&mut random);
    let (plan, output) = plan(&pattern);
    let keys = random.below(4) + 1;
    let all = rows(&mut random, keys);
    let schema = arrow_schema(&input());
    let mut subject = subject(&plan, &output);
    let begin = subject.now;
    // By the clock rows come in the order of their times.
    let mut arriving = all.clone();
    if !pattern.clock {
        arriving.sort_by_cached_key(|row| row.time + random.below(8) as i64);
    }
    let mut by_key: BTreeMap<Option<i64>, Vec<Row>> = BTreeMap::new();
    for (arrival, row) in arriving.iter().enumerate() {
        let key = row.key.filter(|_| pattern.keyed);
        by_key.entry(key).or_default().push(Row { id: arrival as i64, ..row.clone() });
    }
    for rows in by_key.values_mut() {
        rows.sort_by_key(|row| {
            let v = pattern.sorted.then_some(std::cmp::Reverse(row.v));
            (row.time, v, row.id)
        });
    }
    let mut place = 0;
    while place < arriving.len() {
        let mut count = (random.below(9) as usize + 1).min(arriving.len() - place);
        if pattern.clock {
            // One moment a batch.
            let time = arriving[place].time;
            count = arriving[place..].iter().take_while(|row| row.time == time).count().min(count);
            subject.advance(begin + time - subject.now);
        }
        let batch: Vec<_> = (place..place + count)
            .map(|arrival| Row { id: arrival as i64, ..arriving[arrival].clone() }.values())
            .collect();
        subject.feed(0, &changes(&schema, &batch));
        place += count;
        if !pattern.clock && random.below(2) == 0 {
            let rest = arriving[place..].iter().map(|row| row.time).min();
            subject.watermark(rest.unwrap_or(1_000) - 1 - random.below(3) as i64);
        }
        subject.disturb(&mut random);
    }
    if pattern.clock {
        subject.advance(1_000_000);
    }
    subject.watermark(MAX_WATERMARK);
    if pattern.within.is_some() {
        assert_eq!(subject.state_rows(), 0, "seed {seed}: every candidate's time is over");
    }
    let mut found = found(subject.replay.table(), &pattern, &by_key);
    let count = found.values().map(Vec::len).sum();
    for (key, rows) in &by_key {
        let found = found.remove(key).unwrap_or_default();
        let checked = std::panic::catch_unwind(|| check(&pattern, rows, &found, true));
        if checked.is_err() {
            panic!("seed {seed}, key {key:?}\n{pattern:?}\n{rows:?}\nfound {found:?}");
        }
    }
    assert!(found.is_empty());
    count
}

#[test]
fn matches_are_those_of_an_oracle() {
    let matches: usize = (0..2_000).map(run).sum();
    assert!(matches > 7_000, "{matches} matches");
}
