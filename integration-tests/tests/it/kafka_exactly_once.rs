//! Topic → event-time windows and a branch that passes records through → topics, exactly once, killed
//! at random and restored at other parallelisms: a reader of committed records sees each id once, and
//! each window once with the result of a recomputation.

use anyhow::{Result, bail, ensure};

use crate::clicks::through_kills;

#[test]
fn each_record_is_seen_once_through_ten_kills() -> Result<()> {
    let sink = |seed: u64| {
        format!(
            ", 'sink.delivery-guarantee'='exactly-once', 'sink.transactional-id-prefix'='it-{seed:x}', 'sink.marker-topic'='it-markers-{seed:x}'"
        )
    };
    let through =
        through_kills("kafka-exactly-once", sink, |output| match output.passed.doubled() {
            Some(doubled) => bail!(doubled),
            None => Ok(()),
        })?;
    let (windows, written) = (through.windows, through.output.results());
    ensure!(windows as u64 == written, "{windows} windows, but {written} results were written");
    eprintln!(
        "all there once after {:.1} s: {windows} windows, {} ids",
        through.seconds, through.output.passed.read,
    );
    Ok(())
}
