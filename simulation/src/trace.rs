//! What happened, in order: the lines that a person reads to understand a seed, and a digest of them.
//!
//! The log lines of the shipped code are among them, each with the host that wrote it.

use std::cell::RefCell;
use std::io;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;
use xxhash_rust::xxh3::Xxh3;

/// Lines that are kept for printing; the digest has all.
const KEPT: usize = 200_000;

#[derive(Default)]
struct Trace {
    now: Duration,
    host: String,
    digest: Xxh3,
    lines: Vec<String>,
    count: u64,
    keep: bool,
}

thread_local! {
    static TRACE: RefCell<Trace> = RefCell::new(Trace::default());
}

/// Begins; `keep` says whether lines are wanted and not only their digest.
pub(crate) fn begin(keep: bool) {
    TRACE.with_borrow_mut(|trace| trace.keep = keep);
    // Library code speaks of its own accord; what it says is part of the trace.
    let levels = tracing_subscriber::filter::Targets::new()
        .with_target("tidegate", tracing::Level::INFO)
        .with_target("openraft", tracing::level_filters::LevelFilter::OFF)
        .with_default(tracing::Level::ERROR);
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;
    let lines = tracing_subscriber::fmt::layer().without_time().with_ansi(false);
    let lines = lines.with_target(false).with_writer(Lines);
    let _ = tracing_subscriber::registry().with(lines).with(levels).try_init();
}

/// From now on it is this time.
pub(crate) fn set_time(now: Duration) {
    TRACE.with_borrow_mut(|trace| trace.now = now);
}

/// From now on this host is at work.
pub(crate) fn set_host(host: &str) {
    TRACE.with_borrow_mut(|trace| {
        trace.host.clear();
        trace.host.push_str(host);
    });
}

/// Adds a line.
pub(crate) fn line(text: impl AsRef<str>) {
    TRACE.with_borrow_mut(|trace| trace.add(text.as_ref()));
}

/// Counts something that is too small for a line.
pub(crate) fn count(number: u64) {
    TRACE.with_borrow_mut(|trace| trace.digest.update(&number.to_le_bytes()));
}

/// The digest of everything so far, and how many lines there were.
pub(crate) fn digest() -> (String, u64) {
    TRACE.with_borrow(|trace| (format!("{:016x}", trace.digest.digest()), trace.count))
}

/// The lines, if they were kept.
pub(crate) fn lines() -> Vec<String> {
    TRACE.with_borrow(|trace| trace.lines.clone())
}

impl Trace {
    fn add(&mut self, text: &str) {
        let line = format!("{:>9.3} {:<3} {}", self.now.as_secs_f64(), self.host, text.trim_end());
        self.digest.update(line.as_bytes());
        self.count += 1;
        if self.keep && self.lines.len() < KEPT {
            self.lines.push(line);
        }
    }
}

/// Takes the log lines of the shipped code.
struct Lines;

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        // A log line that comes while another is added has no place; none does.
        TRACE.with(|trace| {
            if let Ok(mut trace) = trace.try_borrow_mut() {
                text.lines().for_each(|line| trace.add(line));
            }
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}
