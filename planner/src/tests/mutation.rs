//! No input makes the planner panic: valid scripts, cut and changed in many places.

use crate::{Session, parse_script};

const SCRIPTS: &[&str] = &[
    include_str!("scripts/windows.sql"),
    include_str!("scripts/nexmark.sql"),
    include_str!("scripts/expressions.sql"),
    include_str!("scripts/patterns.sql"),
    include_str!("scripts/statements.sql"),
];

const PIECES: &[&str] = &[
    "",
    "(",
    ")",
    "'",
    "`",
    ",",
    ".",
    ";",
    "*",
    "NULL",
    "SELECT",
    "FROM",
    "AS",
    "<",
    ">",
    "1e999",
    "-1",
    "TABLE",
    "99999999999999999999999999999999999999999",
    "INTERVAL",
    "'x'",
    "ROW",
    "[",
    "window_start",
    "\u{1F30A}",
    "/*",
    "--",
    "\n",
    "DESCRIPTOR",
    "PATTERN",
    "MATCH_RECOGNIZE",
    "{",
    "?",
    "OVER",
    "GROUP BY",
    "LIKE",
    "TEMPORARY",
    "0",
];

/// Plans as far as it goes; only a panic is a failure.
fn plan(script: &str) {
    let Ok(mut session) = Session::new(Default::default()) else {
        return;
    };
    let Ok(statements) = parse_script(script) else {
        return;
    };
    for statement in &statements {
        let _ = session.plan(statement);
    }
}

/// A generator of numbers that are the same in every run (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound.max(1) as u64) as usize
    }
}

/// The nearest place at or before `offset` where the text may be cut.
fn boundary(text: &str, offset: usize) -> usize {
    (0..=offset).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[test]
fn cut_scripts_do_not_panic() {
    for script in SCRIPTS {
        for offset in (0..script.len()).step_by(7) {
            plan(&script[..boundary(script, offset)]);
        }
    }
}

#[test]
fn changed_scripts_do_not_panic() {
    let mut numbers = Numbers(7);
    for script in SCRIPTS {
        let words: Vec<&str> = script.split_inclusive([' ', '\n', '(', ',']).collect();
        for _ in 0..400 {
            let mut changed: Vec<&str> = words.clone();
            for _ in 0..=numbers.below(3) {
                let place = numbers.below(changed.len());
                match numbers.below(4) {
                    0 => changed[place] = PIECES[numbers.below(PIECES.len())],
                    1 => drop(changed.remove(place)),
                    2 => changed.insert(place, PIECES[numbers.below(PIECES.len())]),
                    _ => {
                        let other = words[numbers.below(words.len())];
                        changed.insert(place, other);
                    }
                }
            }
            plan(&changed.concat());
        }
    }
}
