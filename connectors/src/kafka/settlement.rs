//! What is to be done about restored output: decided from what the checkpoint knew and what the
//! markers say, before anything is written.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_engine::connector::{RestoredOutput, StagedUnit};
use tidegate_types::{Epoch, Error, ErrorCode, OperatorId, Result};

use super::markers::{Marker, MarkerKey};

/// Whose output is settled, and where its markers are.
pub(super) struct Settlement<'a, 'b> {
    /// The lineage of the job as it goes on.
    pub(super) lineage: &'b str,
    pub(super) sink: OperatorId,
    pub(super) marker_topic: &'b str,
    pub(super) restored: &'a RestoredOutput,
    pub(super) markers: &'b BTreeMap<MarkerKey, Marker>,
}

/// A unit of which something is still to be written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due<'a> {
    pub(super) unit: &'a StagedUnit,
    /// Chunks from its beginning that are visible.
    pub(super) visible: usize,
}

impl<'a> Settlement<'a, '_> {
    /// The units to write, in order.
    ///
    /// # Errors
    /// `INCOMPATIBLE` if newer output is visible than the checkpoint holds; `CORRUPT` if a marker is
    /// gone: in both cases going on would double rows.
    pub(super) fn due(&self) -> Result<Vec<Due<'a>>> {
        self.check_not_newer()?;
        self.check_confirmed()?;
        let restored: &'a RestoredOutput = self.restored;
        let due = restored.units.iter().filter_map(|unit| {
            let visible = match self.markers.get(&key_of(unit)) {
                Some(marker) if marker.epoch > unit.epoch => unit.chunks.len(),
                Some(marker) if marker.epoch == unit.epoch => {
                    usize::try_from(marker.chunks).unwrap_or(usize::MAX)
                }
                _ => 0,
            };
            (visible < unit.chunks.len()).then_some(Due { unit, visible })
        });
        Ok(due.collect())
    }

    /// Refuses to go on in the same lineage behind what is visible.
    fn check_not_newer(&self) -> Result<()> {
        let own = self.restored.checkpoint.as_ref().filter(|from| from.lineage == self.lineage);
        let Some(from) = own else { return Ok(()) };
        let newer = self.markers.iter().find(|(key, marker)| {
            key.sink == self.sink && key.lineage == self.lineage && marker.epoch > from.epoch
        });
        let Some((key, marker)) = newer else { return Ok(()) };
        let message = format!(
            "checkpoint {} is older than what is visible: marker {key} in topic {} says that the output of checkpoint {} is written; going on would write rows twice",
            from.epoch, self.marker_topic, marker.epoch
        );
        Err(Error::new(ErrorCode::Incompatible, message).help(
            "mend the newer checkpoint; to go back on purpose, name the older checkpoint or a savepoint with --restore: rows behind it are then written again",
        ))
    }

    /// Refuses to go on if a marker is missing that was there.
    fn check_confirmed(&self) -> Result<()> {
        let lineages: BTreeSet<&str> = self
            .restored
            .units
            .iter()
            .map(|unit| unit.lineage.as_str())
            .chain([self.lineage])
            .collect();
        for known in &self.restored.confirmed {
            if !lineages.contains(known.lineage.as_str()) {
                continue;
            }
            let key =
                MarkerKey { lineage: known.lineage.clone(), sink: self.sink, writer: known.writer };
            let found = self.markers.get(&key).map(|marker| marker.epoch);
            if found.is_none_or(|found| found < known.epoch) {
                return Err(self.lost(&key, known.epoch, found));
            }
        }
        Ok(())
    }

    fn lost(&self, key: &MarkerKey, confirmed: Epoch, found: Option<Epoch>) -> Error {
        let found = match found {
            Some(epoch) => format!("is of checkpoint {epoch}"),
            None => "is missing".to_owned(),
        };
        let topic = self.marker_topic;
        let message = format!(
            "marker {key} in topic {topic} {found}, but the output of checkpoint {confirmed} was confirmed: the topic was deleted, made anew or has lost records, so it cannot be told which output is visible",
        );
        Error::new(ErrorCode::Corrupt, message).help(
            "name the right topic in 'sink.marker-topic' or bring it back; else restore a savepoint, which has no output to settle, and compare the output topic with it",
        )
    }
}

/// The key of a unit's marker.
pub(super) fn key_of(unit: &StagedUnit) -> MarkerKey {
    MarkerKey { lineage: unit.lineage.clone(), sink: unit.sink, writer: unit.writer }
}

#[cfg(test)]
mod tests {
    use tidegate_engine::connector::{Confirmed, RestoredEpoch};
    use tidegate_engine::staging::ChunkRef;

    use super::*;

    const SINK: OperatorId = OperatorId(5);

    fn unit(lineage: &str, writer: u32, epoch: u64, chunks: u64) -> StagedUnit {
        let chunk =
            |n| ChunkRef { path: format!("c{n}"), bytes: 1, records: 1, digest: "d".into() };
        StagedUnit {
            lineage: lineage.into(),
            sink: SINK,
            writer,
            epoch: Epoch(epoch),
            payload: serde_json::Value::Null,
            chunks: (0..chunks).map(chunk).collect(),
        }
    }

    fn restored(lineage: &str, epoch: u64, units: Vec<StagedUnit>) -> RestoredOutput {
        RestoredOutput {
            checkpoint: Some(RestoredEpoch { lineage: lineage.into(), epoch: Epoch(epoch) }),
            units,
            ..RestoredOutput::nothing()
        }
    }

    fn confirmed(lineage: &str, writer: u32, epoch: u64) -> Confirmed {
        Confirmed { lineage: lineage.into(), writer, epoch: Epoch(epoch) }
    }

    fn markers(all: &[(&str, u32, u64, u64)]) -> BTreeMap<MarkerKey, Marker> {
        let marker = |(lineage, writer, epoch, chunks): &(&str, u32, u64, u64)| {
            let key = MarkerKey { lineage: (*lineage).into(), sink: SINK, writer: *writer };
            (key, Marker { epoch: Epoch(*epoch), chunks: *chunks })
        };
        all.iter().map(marker).collect()
    }

    /// Writer, epoch and visible chunks of what is due in lineage `l`.
    fn due(
        restored: &RestoredOutput,
        markers: &BTreeMap<MarkerKey, Marker>,
    ) -> Result<Vec<(u32, u64, usize)>> {
        let settlement =
            Settlement { lineage: "l", sink: SINK, marker_topic: "m", restored, markers };
        let due = settlement.due()?;
        Ok(due.iter().map(|due| (due.unit.writer, due.unit.epoch.0, due.visible)).collect())
    }

    #[test]
    fn only_what_no_marker_covers_is_written() {
        let units = vec![unit("l", 0, 6, 1), unit("l", 0, 7, 4), unit("l", 1, 7, 2)];
        let from = restored("l", 7, units);
        let all = [(0, 6, 0), (0, 7, 0), (1, 7, 0)];
        assert_eq!(due(&from, &markers(&[])).unwrap(), all);
        assert_eq!(due(&from, &markers(&[("l", 0, 6, 1)])).unwrap(), all[1..]);
        let half = markers(&[("l", 0, 7, 3), ("l", 1, 7, 2), ("other", 1, 9, 2)]);
        assert_eq!(due(&from, &half).unwrap(), [(0, 7, 3)]);
    }

    #[test]
    fn newer_output_of_the_same_lineage_stops() {
        let from = restored("l", 7, Vec::new());
        let error = due(&from, &markers(&[("l", 9, 8, 1)])).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Incompatible);
        assert!(error.to_string().contains("l/0000000000000005/9"), "{error}");
    }

    #[test]
    fn a_fork_settles_under_the_old_lineage() {
        let from = restored("old", 7, vec![unit("old", 0, 7, 2)]);
        assert_eq!(due(&from, &markers(&[("old", 0, 6, 1)])).unwrap(), [(0, 7, 0)]);
        assert_eq!(due(&from, &markers(&[("old", 0, 9, 1)])).unwrap(), []);
    }

    #[test]
    fn a_marker_that_was_there_and_is_gone_stops() {
        let mut from = restored("l", 7, vec![unit("l", 0, 7, 1)]);
        from.confirmed = vec![confirmed("l", 0, 6), confirmed("l", 1, 5)];
        let there = [("l", 0, 6, 1), ("l", 1, 5, 1)];
        assert_eq!(due(&from, &markers(&there)).unwrap(), [(0, 7, 0)]);
        for lost in [&there[..1], &there[1..], &[("l", 0, 5, 1), ("l", 1, 5, 1)]] {
            let error = due(&from, &markers(lost)).unwrap_err();
            assert_eq!(error.code(), ErrorCode::Corrupt);
            assert!(error.to_string().contains("topic m"), "{error}");
        }
        // A fork without units of the lineage that it leaves does not depend on its markers.
        let mut fork = restored("old", 7, Vec::new());
        fork.confirmed = vec![confirmed("old", 0, 6)];
        assert_eq!(due(&fork, &markers(&[])).unwrap(), []);
        fork.units = vec![unit("old", 0, 7, 1)];
        assert_eq!(due(&fork, &markers(&[])).unwrap_err().code(), ErrorCode::Corrupt);
    }
}
