//! What names a worker, a run, an edge of a plan, and a channel of an edge.

use std::fmt;

use tidegate_types::{Attempt, JobId, TaskId};

/// The name of a worker, unique in its cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerName(String);

impl WorkerName {
    /// A name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A secret of a run that its deployment carries to every worker. A call that does not know it is
/// refused. Never printed.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// The secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    pub(crate) fn secret(&self) -> &str {
        &self.0
    }

    /// Whether `other` is the same secret, in a time that does not depend on where they differ.
    pub(crate) fn matches(&self, other: &str) -> bool {
        let difference = self.0.bytes().zip(other.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
        self.0.len() == other.len() && difference == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A run of a job.
#[derive(Debug, Clone)]
pub struct RunKey {
    /// The job.
    pub job: JobId,
    /// The run's number. A larger one fences every smaller one.
    pub attempt: Attempt,
    /// The run's secret.
    pub token: Token,
}

impl fmt::Display for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {} of job {}", self.attempt, self.job)
    }
}

/// An edge of a plan: an input of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EdgeId {
    /// The reading task.
    pub task: TaskId,
    /// Position among the inputs of that task.
    pub input: u32,
}

impl fmt::Display for EdgeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "input {} of task {}", self.input, self.task.0)
    }
}

/// A channel of an edge: the subtask that sends and the one that reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId {
    /// Index of the sending subtask.
    pub producer: u32,
    /// Index of the reading subtask.
    pub consumer: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_matches_only_itself_and_is_not_printed() {
        let token = Token::new("sesame");
        assert!(token.matches("sesame"));
        assert!(!token.matches("sesamf") && !token.matches("sesam") && !token.matches("sesames"));
        assert!(!token.matches(""));
        assert_eq!(format!("{token:?}"), "Token(…)");
    }
}
