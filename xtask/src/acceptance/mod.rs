//! The acceptance checklist and what a test run says of it: docs/acceptance.md.
//!
//! A test says which lines it shows at the beginning of its name: `e1_…`, `b4_b5_…`, `d1_to_d6_…`. Tests of the console
//! have `console` in their path.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result, ensure};

use crate::project::Project;

/// Lines by group, in groups of the file.
const LINES: &str = include_str!("lines.toml");
/// Where the table is, from the root.
const TABLE: &str = "docs/acceptance.md";
/// Names of tests that a line of the table has at most.
const NAMES: usize = 3;

/// Number of a line: letter, then number.
type Id = (char, u32);

/// What became of the tests of a run, by their paths.
#[derive(Debug, Default)]
pub(crate) struct Results(BTreeMap<String, Outcome>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    Ignored,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Pass,
    ApiOnly,
    Fail,
    Missing,
}

impl Results {
    /// Takes a line that a test program has printed, if it says what became of a test.
    pub(crate) fn take(&mut self, line: &str) {
        let Some((path, said)) =
            line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... "))
        else {
            return;
        };
        let outcome = match said.split([' ', ',']).next() {
            Some("ok") => Outcome::Passed,
            Some("FAILED") => Outcome::Failed,
            Some("ignored") => Outcome::Ignored,
            _ => return,
        };
        // Of two tests with one path the one that failed counts.
        let known = self.0.entry(path.to_owned()).or_insert(outcome);
        if outcome == Outcome::Failed {
            *known = outcome;
        }
    }

    /// Tests of a line, of the console or not, with what became of them.
    fn of(&self, id: Id, console: bool) -> Vec<(&str, Outcome)> {
        let all = self.0.iter().filter(|(path, outcome)| {
            **outcome != Outcome::Ignored && path.contains("console") == console
        });
        all.filter(|(path, _)| ids(path).contains(&id))
            .map(|(path, outcome)| (path.as_str(), *outcome))
            .collect()
    }

    fn state(&self, id: Id) -> State {
        let (api, console) = (self.of(id, false), self.of(id, true));
        let failed = |tests: &[(&str, Outcome)]| tests.iter().any(|(_, o)| *o == Outcome::Failed);
        match (api.is_empty(), console.is_empty()) {
            _ if failed(&api) || failed(&console) => State::Fail,
            (true, _) => State::Missing,
            (false, true) => State::ApiOnly,
            (false, false) => State::Pass,
        }
    }
}

impl State {
    fn text(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::ApiOnly => "API only",
            Self::Fail => "fail",
            Self::Missing => "missing",
        }
    }

    fn holds(self) -> bool {
        matches!(self, Self::Pass | Self::ApiOnly)
    }
}

/// Writes the table of a whole run.
///
/// # Errors
/// If a line that held by the table before does not hold any more.
pub(crate) fn report(project: &Project, results: &Results) -> Result<()> {
    let path = project.root.join(TABLE);
    let before = fs::read_to_string(&path).unwrap_or_default();
    let lines = lines()?;
    let text = table(&lines, results);
    fs::write(&path, text).with_context(|| format!("write {TABLE}"))?;
    let held = |id: &Id| {
        let row = before.lines().find(|row| row.starts_with(&format!("| {} |", shown(*id))));
        row.is_some_and(|row| row.ends_with("| pass |") || row.ends_with("| API only |"))
    };
    let lost: Vec<String> = lines
        .iter()
        .filter(|(id, _)| held(id) && !results.state(*id).holds())
        .map(|(id, what)| format!("{} ({what})", shown(*id)))
        .collect();
    ensure!(lost.is_empty(), "lines of {TABLE} that held do not any more: {}", lost.join(", "));
    Ok(())
}

fn lines() -> Result<Vec<(Id, String)>> {
    let groups: BTreeMap<String, BTreeMap<String, String>> =
        toml::from_str(LINES).context("lines.toml")?;
    let mut lines = Vec::new();
    for (name, what) in groups.into_values().flatten() {
        let id = id(&name.to_lowercase()).with_context(|| format!("'{name}' is no number"))?;
        lines.push((id, what));
    }
    lines.sort();
    Ok(lines)
}

fn table(lines: &[(Id, String)], results: &Results) -> String {
    let states: Vec<State> = lines.iter().map(|(id, _)| results.state(*id)).collect();
    let count = |wanted: State| states.iter().filter(|state| **state == wanted).count();
    let mut text = format!(
        "# Acceptance\n\n\
         What users can do with the product, and which tests show it. `cargo xtask test` makes this table of what its tests \
         say, and fails if a line that held does not any more; a test names the lines that it shows at the beginning of its name. \
         `API only`: there is no page for it yet; `missing`: no test shows it, built or not.\n\n\
         {} lines: {} pass, {} API only, {} fail, {} missing.\n\n\
         | line | what | API test | console test | state |\n|---|---|---|---|---|\n",
        lines.len(),
        count(State::Pass),
        count(State::ApiOnly),
        count(State::Fail),
        count(State::Missing),
    );
    for ((id, what), state) in lines.iter().zip(&states) {
        let tests = |console: bool| summary(&results.of(*id, console));
        text.push_str(&format!(
            "| {} | {what} | {} | {} | {} |\n",
            shown(*id),
            tests(false),
            tests(true),
            state.text()
        ));
    }
    text
}

/// How many passed, those that failed, and some names.
fn summary(tests: &[(&str, Outcome)]) -> String {
    if tests.is_empty() {
        return "-".to_owned();
    }
    let failed = tests.iter().filter(|(_, outcome)| *outcome == Outcome::Failed);
    let passed = tests.len() - failed.clone().count();
    // Those that failed first; then those that go through the most: in the story of a whole cluster.
    let mut names: Vec<&str> = failed.map(|(path, _)| *path).collect();
    let mut others: Vec<&str> =
        tests.iter().filter(|(_, o)| *o == Outcome::Passed).map(|(path, _)| *path).collect();
    others.sort_by_key(|path| (!path.starts_with("governed::"), path.len()));
    names.extend(others);
    let named: Vec<String> = names.iter().take(NAMES).map(|name| format!("`{name}`")).collect();
    let more = if names.len() > NAMES { ", …" } else { "" };
    format!("{passed} of {} pass: {}{more}", tests.len(), named.join(", "))
}

fn shown((letter, number): Id) -> String {
    format!("{}{number}", letter.to_ascii_uppercase())
}

/// `e12` is `('e', 12)`.
fn id(word: &str) -> Option<Id> {
    let letter = word.chars().next().filter(char::is_ascii_lowercase)?;
    let number = word[1..].parse().ok()?;
    (('a'..='n').contains(&letter) && number > 0).then_some((letter, number))
}

/// The lines that the name of a test begins with.
fn ids(path: &str) -> BTreeSet<Id> {
    let name = path.rsplit("::").next().unwrap_or(path);
    let mut found = BTreeSet::new();
    let mut words = name.split('_');
    let mut last: Option<Id> = None;
    while let Some(word) = words.next() {
        match (id(word), last, word) {
            (Some(id), _, _) => {
                found.insert(id);
                last = Some(id);
            }
            (None, Some((letter, from)), "to") => {
                let Some((to_letter, to)) = words.next().and_then(id) else { break };
                if letter == to_letter {
                    found.extend((from..=to).map(|number| (letter, number)));
                }
                last = Some((to_letter, to));
            }
            _ => break,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_which_lines_they_show() {
        let of = |name: &str| ids(name).into_iter().map(shown).collect::<Vec<_>>().join(" ");
        assert_eq!(of("governed::story::c2_d1_to_d3_e10_a_topic_goes"), "C2 D1 D2 D3 E10");
        assert_eq!(of("b4_b5_every_role"), "B4 B5");
        assert_eq!(of("a_topic_to_d3"), "");
        assert_eq!(of("e1"), "E1");
        assert_eq!(of("z1_x"), "");
    }

    #[test]
    fn a_line_is_what_its_tests_say() {
        let mut results = Results::default();
        for line in [
            "running 3 tests",
            "test x::b1_a ... ok",
            "test console::b1_page ... ok",
            "test x::b2_a ... ok",
            "test x::b3_a ... FAILED",
            "test x::b4_a ... ignored, takes long",
        ] {
            results.take(line);
        }
        let states = [1, 2, 3, 4].map(|number| results.state(('b', number)));
        assert_eq!(states, [State::Pass, State::ApiOnly, State::Fail, State::Missing]);
        let lines = lines().unwrap();
        assert!(lines.len() > 90 && lines[0].0 == ('a', 1), "{}", lines.len());
        let text = table(&lines, &results);
        assert!(text.contains("| B2 | services of a project are opened, changed and closed, with quotas | 1 of 1 pass: `x::b2_a` | - | API only |"), "{text}");
    }
}
