//! Exchanges between workers, over Arrow Flight `DoExchange`.
//!
//! A worker that produces rows dials the worker that reads them: one HTTP/2 connection per ordered
//! pair of workers, shared by all jobs, and in it one call per run and edge of the plan. All channels
//! (producing subtask → reading subtask) of that edge travel in the call, multiplexed; credits come
//! back in its responses. `docs/shuffle.md` says what is on the wire and what bounds what.
//!
//! | file | holds |
//! |---|---|
//! | [`names`] | what names a worker, a run, an edge, a channel |
//! | [`options`] | bounds and time-outs |
//! | [`transport`] | how bytes travel: TCP, TLS, or what a simulation puts there |
//! | `header`, `hello` | the wire format around Arrow's own |
//! | `credit` | who may send how much: pure arithmetic |
//! | `payload`, `encode`, `codec` | from batches to bytes of the wire |
//! | `reader`, `decode` | and back |
//! | `outgoing`, `peers` | the dialling side of a call |
//! | `incoming`, `registry`, `server` | the listening side |
//! | `run` | all calls of one run |
//!
//! Not here: which subtask runs where (`crate::channels` is told), and restarts: when a connection is
//! lost, every call in it fails, and the run fails over as a whole.

mod codec;
mod credit;
mod decode;
mod encode;
mod header;
mod hello;
mod incoming;
pub mod names;
pub mod options;
mod outgoing;
mod payload;
mod peers;
mod reader;
mod registry;
mod run;
mod server;
mod status;
#[cfg(test)]
mod tests;
pub mod transport;

pub use names::{ChannelId, EdgeId, RunKey, Token, WorkerName};
pub use options::{Compression, ShuffleOptions, Tls};
pub use run::{EdgeLinks, OpenRun, RunChannels, Shuffle, WorkerAddress};
pub use server::ShuffleServer;
pub use transport::{Tcp, Transport};
