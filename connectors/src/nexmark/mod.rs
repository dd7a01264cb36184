//! `nexmark`: the events of the public streaming benchmark, people, auctions and bids.
//!
//! An event is a function of the table's options and its number *k*: every run at every parallelism,
//! batch size and choice of columns gives the same events. Only the columns and nested fields that
//! the query reads are generated, and only events whose type passes the conditions on `event_type`
//! that the planner pushed down; the numbers of the others are skipped.
//!
//! # Splits, batches and event time
//! Event numbers are dealt in chunks to 24 splits. A reader always continues with its
//! split that is furthest behind, so its splits are never further apart than one round over all
//! splits. What chunk to take is a trade:
//! - Large chunks make large batches (a batch holds rows of one split), and the cost of a batch is
//!   spread over its rows. At full speed a chunk has 4 400 events: 4 048 bids with the usual
//!   proportions, one batch. A round is then 105 600 events, 1.06 s of event time at the benchmark's
//!   100 000 events per second; watermarks, which are kept per split, lag by at most that.
//! - When events leave by the clock (`max-emit-speed` = `false` or `rate.limited`), a split that has
//!   to wait for its next turn would hold the watermark back in real time, so the chunk is as small as
//!   it must be for a round to take at most 100 ms; batches are small anyway at such rates.
//!
//! Batches never span chunks: that would multiply the distance between splits.
//!
//! # Differences from the original generator
//! It is seeded (`seed`, ours); `base-time` is fixed unless given; texts are picked from tables of some
//! thousand random ones. `events.num` bounds the source if it is greater than 0; `stop-at` is an event
//! number at which it stops, too. With `keep-alive` the source stays open behind its last event.

mod auction;
mod bid;
mod block;
mod column;
mod generator;
mod options;
mod person;
mod price;
mod pushed;
mod source_data;
#[cfg(test)]
mod tests;
mod text;
mod timeline;

use std::sync::Arc;

use async_trait::async_trait;
use tidegate_connector_spec::Options;
use tidegate_engine::connector::{ReaderContext, Source, SourceReader, Split};
use tidegate_plan::operator;
use tidegate_types::{Error, ErrorCode, Field, Result};

use self::generator::Generator;
use self::options::Shape;
use self::source_data::SourceData;
use crate::env::{ConnectorEnv, WallClock};
use crate::numbered::{self, Emission, Layout, Reader};

const NAME: &str = "nexmark";

/// A source of Nexmark events.
pub(crate) struct Nexmark {
    data: Arc<SourceData>,
    emission: Emission,
    read: Vec<Field>,
    wanted: [bool; 3],
    clock: WallClock,
}

impl Nexmark {
    /// The source of a plan.
    ///
    /// # Errors
    /// `INVALID_OPTION` for options out of range and columns that the generator does not have.
    pub(crate) fn new(
        plan: &operator::Source,
        options: &Options,
        env: &ConnectorEnv,
    ) -> Result<Self> {
        if let Some(column) = plan.metadata.first() {
            let message =
                format!("column {}: the nexmark connector has no metadata", column.field.name);
            return Err(Error::new(ErrorCode::InvalidOption, message));
        }
        let source = Self {
            data: Arc::new(SourceData::new(Shape::new(options)?)?),
            emission: options::emission(options)?,
            read: plan.read.clone(),
            wanted: pushed::passing_types(&plan.read, &plan.pushed, env)?,
            clock: Arc::clone(&env.clock),
        };
        source.generator()?;
        Ok(source)
    }

    fn generator(&self) -> Result<Generator> {
        Generator::new(Arc::clone(&self.data), &self.read, self.wanted)
    }
}

#[async_trait]
impl Source for Nexmark {
    fn is_bounded(&self) -> bool {
        self.emission.is_bounded()
    }

    async fn enumerate(&self, known: &[Split], _discovered: bool) -> Result<Vec<Split>> {
        let shape = &self.data.shape;
        let layout = if self.emission.paced {
            Layout::paced(shape.first_event_rate.min(shape.next_event_rate))
        } else {
            Layout::full_speed()
        };
        numbered::enumerate(NAME, &self.data.encoded_shape, layout, known)
    }

    fn reader(&self, context: ReaderContext) -> Result<Box<dyn SourceReader>> {
        let clock = Arc::clone(&self.clock);
        Ok(Box::new(Reader::new(self.generator()?, self.emission, clock, &context)))
    }
}
