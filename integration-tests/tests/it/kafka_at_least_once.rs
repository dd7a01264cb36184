//! Topic → event-time windows → topic on the real Kafka, killed ten times and restored: no record is
//! missing, and per window the last result equals a recomputation.

use anyhow::Result;

use crate::clicks::through_kills;

#[test]
fn no_record_is_lost_through_ten_kills() -> Result<()> {
    let sink = |_| ", 'sink.delivery-guarantee'='at-least-once'".to_owned();
    let through = through_kills("kafka-at-least-once", sink, |_| Ok(()))?;
    eprintln!(
        "all there after {:.1} s: {} windows ({} results written), {} ids ({} written)",
        through.seconds,
        through.windows,
        through.output.results(),
        through.ids,
        through.output.passed.read,
    );
    Ok(())
}
