//! Flink SQL → `plan::StreamGraph`.
//!
//! | step | module | from → to |
//! |---|---|---|
//! | parse | `parser` | text → statements with places |
//! | bind | `bind` | statements + [`catalog`] → `algebra`, by Flink's names and types |
//! | optimize | `optimize` | algebra → algebra |
//! | lower | `lower` | algebra → plan nodes with exchanges and stable ids |
//!
//! A [`Session`] applies DDL and settings in the order of the script and plans what runs. Not
//! here: running anything, functions (tidegate-functions), what connectors take
//! (tidegate-connector-spec).
//!
//! ```
//! use tidegate_planner::{Planned, Session, parse_script};
//!
//! let script = "
//!     CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'datagen');
//!     CREATE TABLE sink (n BIGINT) WITH ('connector' = 'blackhole');
//!     INSERT INTO sink SELECT n + 1 FROM numbers WHERE n > 10;
//! ";
//! let mut session = Session::new(Default::default())?;
//! for statement in parse_script(script)? {
//!     if let Planned::Job(job) = session.plan(&statement)? {
//!         assert_eq!(job.inserts, ["sink"]);
//!     }
//! }
//! # Ok::<(), tidegate_types::Error>(())
//! ```

mod algebra;
mod bind;
pub mod catalog;
mod describe;
mod explain;
pub mod governed;
mod lower;
mod optimize;
mod parser;
pub mod plan_file;
mod session;
mod suggest;
#[cfg(test)]
mod tests;

pub use explain::{analyzed, explain};
pub use lower::COLLECT;
pub use parser::{Statement, parse_script, parse_type_text};
pub use session::{JobPlan, Planned, Rows, Session};
