//! Counts what was refused to processes that had been replaced, from the logs of all nodes.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use crate::cluster::nodes::{Cluster, Node, lines_with};

/// The target of the lines that tell of refusals.
const TARGET: &str = "tidegate::refused";

/// Counts by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Refusals(BTreeMap<String, u64>);

impl Refusals {
    /// Of both.
    pub(super) fn add(&mut self, other: &Self) {
        for (kind, count) in &other.0 {
            *self.0.entry(kind.clone()).or_default() += count;
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        if self.0.is_empty() {
            return "nothing".to_owned();
        }
        let parts = self.0.iter().map(|(kind, count)| format!("{count} × {kind}"));
        parts.collect::<Vec<_>>().join(", ")
    }

    fn count(&mut self, line: &str) {
        let Some((_, rest)) = line.split_once("refused=") else { return };
        let kind: String = rest
            .trim_start_matches('"')
            .chars()
            .take_while(|letter| letter.is_ascii_alphabetic() || *letter == '-')
            .collect();
        *self.0.entry(kind).or_default() += 1;
    }
}

/// How far the logs were read.
pub(super) struct Logs(BTreeMap<Node, u64>);

impl Logs {
    /// From now on.
    pub(super) fn now(cluster: &Cluster) -> Result<Self> {
        let end = |node: Node| Ok((node, lines_with(&cluster.log(node), 0, &[])?.1));
        Ok(Self(cluster.nodes().into_iter().map(end).collect::<Result<_>>()?))
    }

    /// What was refused since.
    pub(super) fn refused(&self, cluster: &Cluster) -> Result<Refusals> {
        let mut refusals = Refusals::default();
        for line in self.lines(cluster, TARGET)? {
            refusals.count(&line);
        }
        Ok(refusals)
    }

    /// Lines since with a word.
    pub(super) fn lines(&self, cluster: &Cluster, word: &str) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for (node, from) in &self.0 {
            let lines = lines_with(&cluster.log(*node), *from, &[word])?.0;
            found.extend(lines.into_iter().map(|line| format!("{node}: {line}")));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_by_kind() {
        let mut refusals = Refusals::default();
        refusals.count("WARN tidegate::refused: attempt 3 is over refused=\"report\"");
        refusals.count("WARN tidegate::refused: attempt 3 is over refused=report job=x");
        refusals.count("WARN elsewhere: it was refused");
        assert_eq!(refusals.text(), "2 × report");
        let mut both = Refusals::default();
        assert_eq!(both.text(), "nothing");
        both.add(&refusals);
        assert_eq!(both, refusals);
    }
}
