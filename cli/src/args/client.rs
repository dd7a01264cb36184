//! Arguments of the commands of the client.

use std::path::PathBuf;

use clap::{Args as Arguments, Subcommand, ValueEnum};

use super::key_value;

/// What every command of the client takes.
#[derive(Debug, Arguments)]
pub(crate) struct ClientOptions {
    /// Addresses of coordinators, tried in order; or an etcd that knows them: etcd://HOST:PORT,…/PREFIX.
    #[arg(
        long,
        global = true,
        value_name = "ADDRESS",
        value_delimiter = ',',
        default_value = "127.0.0.1:7411",
        env = "TIDEGATE_COORDINATOR"
    )]
    pub(crate) coordinator: Vec<String>,
    /// Certificate of the cluster's authority, PEM: the connection is encrypted.
    #[arg(long, global = true, value_name = "FILE", env = "TIDEGATE_CA")]
    pub(crate) ca: Option<PathBuf>,
    /// A file with the token that says who you are; TIDEGATE_TOKEN may hold the token itself.
    #[arg(long, global = true, value_name = "FILE", env = "TIDEGATE_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The project.
    #[arg(
        long,
        global = true,
        value_name = "ID",
        default_value = "default",
        env = "TIDEGATE_PROJECT"
    )]
    pub(crate) project: String,
    /// How the answer is printed.
    #[arg(long, global = true, value_enum, default_value = "table")]
    pub(crate) output: OutputFormat,
    /// Return at once instead of waiting until it is done.
    #[arg(long, global = true)]
    pub(crate) no_wait: bool,
}

/// Forms of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// Environments of the catalog's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EnvironmentName {
    /// Where tables are made.
    Design,
    /// Where they are tried.
    Test,
    /// Where they are used.
    Production,
}

/// `tidegate job`
#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    /// Add a version to a job, which is made if it does not exist, and start it.
    Submit(Submit),
    /// The jobs of the project.
    List,
    /// One job and its last run.
    Describe {
        /// The job.
        name: String,
    },
    /// Start a job that does not run.
    Start(Start),
    /// The versions of a job, newest first.
    Versions {
        /// The job.
        name: String,
    },
    /// Ask for the approval of a version for production; a system administrator gives it.
    Release {
        /// The job.
        name: String,
        /// The version; by default the newest.
        #[arg(long, value_name = "N")]
        version: Option<u64>,
        /// Why.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Say what would become of the state of each operator if a job went on with another version of it.
    Check(Check),
    /// Stop a job with a savepoint.
    Stop {
        /// The job.
        name: String,
        /// Id of the savepoint; one is made up by default.
        #[arg(long, value_name = "ID")]
        savepoint: Option<String>,
    },
    /// End a job without a savepoint.
    Cancel {
        /// The job.
        name: String,
    },
    /// Run a job at another parallelism, from its last checkpoint.
    Rescale {
        /// The job.
        name: String,
        /// Subtasks per operator.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
        parallelism: u32,
    },
    /// Delete a job that does not run.
    Delete {
        /// The job.
        name: String,
        /// Forget its savepoints, too; their files stay.
        #[arg(long)]
        force: bool,
    },
    /// Show the log of a job: of its driver, and of its tasks on all workers.
    Logs {
        /// The job.
        name: String,
        /// Go on with new lines until Ctrl-C.
        #[arg(long, short)]
        follow: bool,
        /// Lines at most, the newest.
        #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=5000))]
        lines: u32,
    },
    /// What the operators of a job have done.
    Metrics {
        /// The job.
        name: String,
    },
    /// Show rates, backpressure and watermarks of a running job until it is over.
    Watch {
        /// The job.
        name: String,
    },
}

/// Arguments of `tidegate job check`.
#[derive(Debug, Arguments)]
pub(crate) struct Check {
    /// The job.
    pub(crate) name: String,
    /// A script that is no version yet; `-` reads standard input.
    #[arg(long, value_name = "SCRIPT", conflicts_with = "version")]
    pub(crate) file: Option<PathBuf>,
    /// A setting of --file, as by a SET at the start of the script.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) settings: Vec<(String, String)>,
    /// The value of ${VAR} in --file.
    #[arg(long = "define", value_name = "VAR=VALUE", value_parser = key_value)]
    pub(crate) variables: Vec<(String, String)>,
    /// The version that would go on; by default the newest.
    #[arg(long, value_name = "N")]
    pub(crate) version: Option<u64>,
    /// Go on from this savepoint; by default from the last checkpoint or savepoint of the job.
    #[arg(long, value_name = "ID", conflicts_with = "from_path")]
    pub(crate) from_savepoint: Option<String>,
    /// Go on from a checkpoint or savepoint at this path or URL.
    #[arg(long, value_name = "PATH")]
    pub(crate) from_path: Option<String>,
}

/// Arguments of `tidegate job submit`.
#[derive(Debug, Arguments)]
pub(crate) struct Submit {
    /// The script; `-` reads standard input.
    pub(crate) file: PathBuf,
    /// Name of the job: lower-case letters, digits, `-`; by default the file's.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Subtasks per operator; `parallelism.default` of the script, else 1.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) parallelism: Option<u32>,
    /// Where it runs, and whose definitions of the catalog's tables count.
    #[arg(long, value_enum, default_value = "design")]
    pub(crate) environment: EnvironmentName,
    /// Keep the version and do not start it.
    #[arg(long, conflicts_with = "validate_only")]
    pub(crate) no_start: bool,
    /// Who goes first when the cluster is short of resources; counts for a new job.
    #[arg(long, value_enum, default_value = "normal")]
    pub(crate) priority: PriorityName,
    /// A setting, as by a SET at the start of the script.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) settings: Vec<(String, String)>,
    /// The value of ${VAR} in the script.
    #[arg(long = "define", value_name = "VAR=VALUE", value_parser = key_value)]
    pub(crate) variables: Vec<(String, String)>,
    /// A label of the job; counts for a new job.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) labels: Vec<(String, String)>,
    /// Plan the script, and keep and start nothing.
    #[arg(long)]
    pub(crate) validate_only: bool,
}

/// Priorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PriorityName {
    /// Before all others.
    Critical,
    /// Before normal ones.
    High,
    /// As most.
    Normal,
    /// The first to yield.
    Low,
}

impl From<PriorityName> for tidegate_proto::v1::Priority {
    fn from(name: PriorityName) -> Self {
        match name {
            PriorityName::Critical => Self::Critical,
            PriorityName::High => Self::High,
            PriorityName::Normal => Self::Normal,
            PriorityName::Low => Self::Low,
        }
    }
}

impl From<EnvironmentName> for tidegate_proto::v1::Environment {
    fn from(name: EnvironmentName) -> Self {
        match name {
            EnvironmentName::Design => Self::Design,
            EnvironmentName::Test => Self::Test,
            EnvironmentName::Production => Self::Production,
        }
    }
}

/// Arguments of `tidegate job start`.
#[derive(Debug, Arguments)]
pub(crate) struct Start {
    /// The job.
    pub(crate) name: String,
    /// Where it runs, if it uses tables of the catalog.
    #[arg(long, value_enum, default_value = "design")]
    pub(crate) environment: EnvironmentName,
    /// Number of the version; by default the newest.
    #[arg(long, value_name = "N")]
    pub(crate) version: Option<u64>,
    /// Subtasks per operator; by default the version's.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) parallelism: Option<u32>,
    /// Begin with a savepoint: an id of the job's, or a full name.
    #[arg(long, value_name = "ID", group = "from")]
    pub(crate) from_savepoint: Option<String>,
    /// Begin with the last checkpoint or savepoint of the job.
    #[arg(long, group = "from")]
    pub(crate) latest_checkpoint: bool,
    /// Begin with a checkpoint or savepoint at a path or URL.
    #[arg(long, value_name = "URL", group = "from")]
    pub(crate) from_path: Option<String>,
}

/// `tidegate savepoint`
#[derive(Debug, Subcommand)]
pub(crate) enum SavepointCommand {
    /// Take a savepoint of a running job, which goes on.
    Create {
        /// The job.
        job: String,
        /// Its id; one is made up by default.
        #[arg(long)]
        id: Option<String>,
    },
    /// The savepoints of a job.
    List {
        /// The job.
        job: String,
    },
    /// One savepoint.
    Describe {
        /// Its full name: projects/P/jobs/J/savepoints/ID.
        name: String,
    },
    /// Delete a savepoint with its files.
    Delete {
        /// Its full name: projects/P/jobs/J/savepoints/ID.
        name: String,
    },
}

/// `tidegate checkpoint`
#[derive(Debug, Subcommand)]
pub(crate) enum CheckpointCommand {
    /// The checkpoints that the last run of a job keeps.
    List {
        /// The job.
        job: String,
    },
}

/// `tidegate cluster`
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Coordinators and workers.
    Status,
    /// Add a coordinator that runs and is in no cluster yet.
    AddCoordinator {
        /// Its number; one that was never used.
        id: u64,
        /// Where the others reach it.
        address: String,
    },
    /// Take a coordinator out of the cluster; its number is never used again.
    RemoveCoordinator {
        /// Its number.
        id: u64,
    },
    /// Move everything off a worker and give it nothing new.
    DrainWorker {
        /// Its name.
        name: String,
    },
    /// Take a drain back.
    UndrainWorker {
        /// Its name.
        name: String,
    },
}
