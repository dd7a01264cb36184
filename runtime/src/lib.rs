//! Clock, telemetry and shutdown: what every process needs and no domain crate may take from its
//! surroundings.

pub mod blocking;
pub mod clock;
pub mod failpoint;
pub mod refusal;
pub mod task;
pub mod telemetry;

pub use clock::{Clock, ManualClock, SystemClock};
pub use refusal::{Refused, refused};
pub use task::{Task, spawn, spawn_on};
