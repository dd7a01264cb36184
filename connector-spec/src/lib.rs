//! What every connector and format takes: options, types, defaults, secrets, metadata columns and
//! help in two languages.
//!
//! Pure data and pure checks, for the planner, the API, the console's forms and the connectors. Not
//! here: anything that opens a connection. Names, defaults and meanings are those of Apache Flink's
//! connectors; the few additions say so in their help.

mod announcing;
mod changes;
mod connector;
pub mod data_source;
mod format;
mod kafka_offsets;
mod lookup;
mod metadata;
mod options;
mod spec;
mod validate;
pub mod value;

pub use announcing::waits_to_announce;
pub use changes::changes;
pub use connector::{common_source_options, connector, connectors};
pub use format::{format, formats};
pub use kafka_offsets::{PartitionOffset, specific_offsets};
pub use metadata::{VALUE_METADATA_PREFIX, metadata};
pub use options::{FormatOptions, Options};
pub use spec::{
    Changes, ConnectorSpec, FormatSpec, MetadataSpec, OptionKind, OptionSpec, Projection, Required,
    Role, Roles, Text, Unsupported,
};
pub use validate::validate;
