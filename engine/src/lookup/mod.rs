//! Joins with what an outside table holds when a row passes.
//!
//! [`stage`] joins batches, [`full`] keeps a table that is read as a whole, [`cache`] remembers what
//! single keys gave, [`by_key`] finds rows among those that were read, [`missed`] are keys that are asked for again. A batch is looked up as a whole, each
//! key once, and leaves before the next element is read: there are no rows under way at a barrier, and
//! watermarks cannot overtake any.

mod by_key;
mod cache;
mod full;
mod missed;
mod stage;

pub use by_key::{RowsByKey, Search};
pub use cache::{CacheLimits, Cached};
pub use full::FullTable;
pub use stage::LookupStage;

use std::sync::Arc;
use std::time::Duration;

/// Monotonic time since an arbitrary start.
pub type Elapsed = Arc<dyn Fn() -> Duration + Send + Sync>;
