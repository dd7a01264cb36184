//! Ids, epochs, key groups, SQL types and error kinds: the vocabulary of every other crate.
//!
//! Small on purpose: no I/O, no Arrow, no clock. Conversions to Arrow are in `tidegate-plan`.

pub mod error;
pub mod id;
pub mod job;
pub mod key_group;
pub mod quantity;
pub mod sql_type;
pub mod time;

pub use error::{Error, ErrorCode, FieldViolation, Result, Span};
pub use id::{Attempt, Epoch, JobId, OperatorId, SubtaskId, TaskId};
pub use job::{CompletedCheckpoint, JobRecord, JobStatus};
pub use key_group::{KeyGroup, KeyGroupRange};
pub use sql_type::{Field, SqlType, TimeAttribute, TypeKind};
pub use time::{MAX_WATERMARK, MIN_WATERMARK, Watermark};
