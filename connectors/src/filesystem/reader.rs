//! Reads the splits of one subtask, one after the other.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::path::Path;
use tidegate_engine::connector::{Read, ReaderContext, SourceReader, Split};
use tidegate_engine::element::Changes;
use tidegate_types::{Error, ErrorCode, Result};

use super::avro_source::Blocks;
use super::orc_source::Stripes;
use super::parquet_source::RowGroups;
use super::row_layout::FileConstants;
use super::source::{FileKind, Shared};
use super::split::{Part, SplitState};
use super::text::Text;

/// The reader of a subtask.
pub(super) struct Reader {
    shared: Arc<Shared>,
    context: ReaderContext,
    splits: Vec<Known>,
    /// The split that is being read.
    open: Option<Open>,
}

struct Known {
    state: SplitState,
    finished: bool,
}

struct Open {
    /// Index in `splits`.
    split: usize,
    constants: FileConstants,
    /// The file in full, for messages.
    place: String,
    content: Content,
}

enum Content {
    Text(Box<Text>),
    Parquet(Box<RowGroups>),
    Avro(Box<Blocks>),
    Orc(Box<Stripes>),
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, context: ReaderContext) -> Self {
        Self { shared, context, splits: Vec::new(), open: None }
    }

    fn open(&self, split: usize) -> Result<Open> {
        let known = self.splits.get(split).ok_or_else(|| Error::internal("no such split"))?;
        let path = Path::parse(&known.state.path).map_err(|error| {
            Error::new(
                ErrorCode::Corrupt,
                format!("position of file {}: {error}", known.state.path),
            )
        })?;
        let place = self.shared.location.display(&path);
        let constants = self.shared.layout.constants(&known.state, &path, &place)?;
        let content = match known.state.part {
            Part::RowGroups { .. } => Content::Parquet(Box::new(RowGroups::new(
                Arc::clone(&self.shared),
                path,
                known.state.clone(),
                self.context.batch_rows,
            ))),
            Part::Blocks { .. } => Content::Avro(Box::new(Blocks::new(
                Arc::clone(&self.shared),
                path,
                known.state.clone(),
                self.context.clone(),
            ))),
            Part::Stripes { .. } => Content::Orc(Box::new(Stripes::new(
                Arc::clone(&self.shared),
                path,
                known.state.clone(),
                self.context.clone(),
            ))),
            Part::Bytes { .. } | Part::Stream { .. } => Content::Text(Box::new(Text::new(
                Arc::clone(&self.shared),
                path,
                known.state.clone(),
                self.context.clone(),
            )?)),
        };
        Ok(Open { split, constants, place, content })
    }
}

impl Open {
    /// The next decoded rows, at least one; `None` at the end. Cancel-safe.
    async fn next(&mut self) -> Result<Option<Changes>> {
        match &mut self.content {
            Content::Text(text) => text.next().await,
            Content::Parquet(groups) => Ok(groups.next().await?.map(Changes::append)),
            Content::Avro(blocks) => Ok(blocks.next().await?.map(Changes::append)),
            Content::Orc(stripes) => Ok(stripes.next().await?.map(Changes::append)),
        }
    }

    /// The position behind the rows that were returned.
    fn position(&self) -> &Part {
        match &self.content {
            Content::Text(text) => text.position(),
            Content::Parquet(groups) => groups.position(),
            Content::Avro(blocks) => blocks.position(),
            Content::Orc(stripes) => stripes.position(),
        }
    }
}

#[async_trait]
impl SourceReader for Reader {
    fn add_splits(&mut self, splits: Vec<Split>) -> Result<()> {
        for split in splits {
            let state = SplitState::decode(&split)?;
            if FileKind::of(&state.part) != self.shared.kind() {
                let message = format!(
                    "the position in file {} is not one of the format of the table",
                    split.id
                );
                return Err(Error::new(ErrorCode::Incompatible, message).help(
                    "start without the checkpoint, or set the format that it was made with",
                ));
            }
            self.splits.push(Known { state, finished: split.finished });
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Read> {
        loop {
            let Some(open) = &mut self.open else {
                let Some(split) = self.splits.iter().position(|known| !known.finished) else {
                    return std::future::pending().await;
                };
                self.open = Some(self.open(split)?);
                continue;
            };
            let rows = open.next().await?;
            let split = open.split;
            let known =
                self.splits.get_mut(split).ok_or_else(|| Error::internal("no such split"))?;
            known.state.part = open.position().clone();
            let Some(rows) = rows else {
                known.finished = true;
                self.open = None;
                return Ok(Read::Finished { split });
            };
            let Changes { kinds, rows } = rows;
            let rows = self.shared.layout.assemble(&rows, &open.constants, &open.place)?;
            return Ok(Read::Batch { split, rows, kinds });
        }
    }

    fn snapshot(&mut self) -> Result<Vec<Split>> {
        self.splits.iter().map(|known| known.state.encode(known.finished)).collect()
    }
}
