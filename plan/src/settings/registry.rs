//! The registry: every setting with its kind, default and help.

/// What values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    /// An integer within bounds, both inclusive.
    Integer(i64, i64),
    /// A decimal number ≥ 0.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A duration such as `10 s`.
    Duration,
    /// A memory size such as `64 mb`.
    MemorySize,
    /// One of these words, in any case.
    OneOf(&'static [&'static str]),
    /// An IANA time zone, or an offset such as `+08:00`.
    TimeZone,
    /// Any text.
    Text,
}

/// A setting.
#[derive(Debug, Clone, Copy)]
pub struct SettingSpec {
    /// Key, as in Flink where Flink has it.
    pub key: &'static str,
    /// Accepted values.
    pub kind: SettingKind,
    /// Default, as text; empty if there is none.
    pub default: &'static str,
    /// One sentence for help and docs.
    pub help: &'static str,
}

const fn spec(
    key: &'static str,
    kind: SettingKind,
    default: &'static str,
    help: &'static str,
) -> SettingSpec {
    SettingSpec { key, kind, default, help }
}

use SettingKind as K;

/// Help of settings that Flink jobs often make and that change nothing here.
const COMPATIBLE: &str = "Accepted for compatibility; changes nothing.";

/// Every setting, sorted by key.
pub const SETTINGS: &[SettingSpec] = &[
    spec(
        "execution.batch-size",
        K::Integer(1, 65_536),
        "8192",
        "Most rows in a batch between operators.",
    ),
    spec(
        "execution.checkpointing.dir",
        K::Text,
        "",
        "Where checkpoints are kept: a directory or URL (file:, s3:).",
    ),
    spec(
        "execution.checkpointing.externalized-checkpoint-retention",
        K::OneOf(&[
            "retain_on_cancellation",
            "delete_on_cancellation",
            "no_externalized_checkpoints",
        ]),
        "retain_on_cancellation",
        COMPATIBLE,
    ),
    spec("execution.checkpointing.incremental", K::Boolean, "true", COMPATIBLE),
    spec(
        "execution.checkpointing.interval",
        K::Duration,
        "",
        "Time between checkpoints; none are taken if unset.",
    ),
    spec(
        "execution.checkpointing.min-pause",
        K::Duration,
        "0 ms",
        "Least time between the end of a checkpoint and the start of the next.",
    ),
    spec(
        "execution.checkpointing.mode",
        K::OneOf(&["exactly_once", "at_least_once"]),
        "exactly_once",
        "Accepted for compatibility: barriers are always aligned; sinks decide what is delivered.",
    ),
    spec(
        "execution.checkpointing.num-retained",
        K::Integer(1, 1_000),
        "1",
        "Completed checkpoints that are kept.",
    ),
    spec(
        "execution.checkpointing.savepoint-dir",
        K::Text,
        "",
        "Where savepoints are written; `savepoints` in the checkpoint directory if unset.",
    ),
    spec(
        "execution.checkpointing.timeout",
        K::Duration,
        "10 min",
        "A checkpoint that takes longer is given up.",
    ),
    spec(
        "execution.checkpointing.tolerable-failed-checkpoints",
        K::Integer(0, 1_000_000),
        "0",
        "Consecutive failed checkpoints after which the job fails.",
    ),
    spec(
        "execution.micro-batch.interval",
        K::Duration,
        "1 s",
        "In micro-batch mode: longest time that rows wait in a source.",
    ),
    spec(
        "execution.micro-batch.size",
        K::Integer(1, 10_000_000),
        "65536",
        "In micro-batch mode: rows that a source collects before it emits them.",
    ),
    spec(
        "execution.mode",
        K::OneOf(&["continuous", "micro-batch"]),
        "continuous",
        "continuous: what has arrived goes on within milliseconds; micro-batch: sources wait for size or interval.",
    ),
    spec(
        "execution.runtime-mode",
        K::OneOf(&["streaming"]),
        "streaming",
        "Only streaming; bounded inputs end by themselves.",
    ),
    spec(
        "execution.state-recovery.ignore-unclaimed-state",
        K::Boolean,
        "false",
        "Whether a restore may drop state of operators that the job no longer has.",
    ),
    spec(
        "io.tmp.dirs",
        K::Text,
        "",
        "Folder for state that does not fit into memory; the system's temporary folder if unset.",
    ),
    spec(
        "parallelism.default",
        K::Integer(1, 4_096),
        "",
        "Subtasks per operator; the number of cores if unset.",
    ),
    spec(
        "pipeline.auto-watermark-interval",
        K::Duration,
        "200 ms",
        "Accepted for compatibility: watermarks are computed per batch and emitted when they move.",
    ),
    spec(
        "pipeline.max-parallelism",
        K::Integer(1, 32_768),
        "128",
        "Number of key groups, the upper bound of the parallelism of keyed operators; fixed for the life of a job's state.",
    ),
    spec("pipeline.name", K::Text, "", "Name of the job."),
    spec("pipeline.object-reuse", K::Boolean, "true", COMPATIBLE),
    spec("pipeline.operator-chaining.enabled", K::Boolean, "true", COMPATIBLE),
    spec(
        "restart-strategy.exponential-delay.attempts-before-reset-backoff",
        K::Integer(1, i64::MAX),
        "",
        "Restarts after which the job fails; without limit if unset.",
    ),
    spec(
        "restart-strategy.exponential-delay.backoff-multiplier",
        K::Number,
        "1.5",
        "Factor between two delays.",
    ),
    spec("restart-strategy.exponential-delay.initial-backoff", K::Duration, "1 s", "First delay."),
    spec(
        "restart-strategy.exponential-delay.jitter-factor",
        K::Number,
        "0.1",
        "Share of the delay by which it is randomly changed.",
    ),
    spec("restart-strategy.exponential-delay.max-backoff", K::Duration, "1 min", "Longest delay."),
    spec(
        "restart-strategy.exponential-delay.reset-backoff-threshold",
        K::Duration,
        "1 h",
        "Time without failure after which the delay starts anew.",
    ),
    spec("restart-strategy.failure-rate.delay", K::Duration, "1 s", "Delay before each restart."),
    spec(
        "restart-strategy.failure-rate.failure-rate-interval",
        K::Duration,
        "1 min",
        "Interval in which failures are counted.",
    ),
    spec(
        "restart-strategy.failure-rate.max-failures-per-interval",
        K::Integer(1, 1_000_000),
        "1",
        "Failures within the interval after which the job fails.",
    ),
    spec(
        "restart-strategy.fixed-delay.attempts",
        K::Integer(0, i64::MAX),
        "1",
        "Restarts before the job fails.",
    ),
    spec("restart-strategy.fixed-delay.delay", K::Duration, "1 s", "Delay before each restart."),
    spec(
        "restart-strategy.type",
        K::OneOf(&[
            "none",
            "off",
            "disable",
            "fixed-delay",
            "fixeddelay",
            "failure-rate",
            "failurerate",
            "exponential-delay",
            "exponentialdelay",
        ]),
        "",
        "What happens after a failure: exponential-delay where checkpoints are taken, none where they are not, if unset.",
    ),
    spec(
        "scheduler.worker-labels",
        K::Text,
        "",
        "In a cluster: labels that workers must have to run the job, as key:value,key:value.",
    ),
    spec(
        "sql-client.execution.result-mode",
        K::OneOf(&["table", "changelog", "tableau"]),
        "table",
        "Accepted for compatibility; `--format` decides how results are printed.",
    ),
    spec("state.backend.incremental", K::Boolean, "true", COMPATIBLE),
    spec("state.backend.type", K::Text, "", COMPATIBLE),
    spec("state.checkpoints.dir", K::Text, "", "Older name of execution.checkpointing.dir."),
    spec(
        "state.checkpoints.num-retained",
        K::Integer(1, 1_000),
        "1",
        "Older name of execution.checkpointing.num-retained.",
    ),
    spec(
        "table.dml-sync",
        K::Boolean,
        "false",
        "Whether each INSERT waits for the one before it to end.",
    ),
    spec(
        "table.exec.async-lookup.buffer-capacity",
        K::Integer(1, 100_000),
        "100",
        "Lookups of a join with an outside table that are under way at once, per subtask.",
    ),
    spec(
        "table.exec.async-lookup.output-mode",
        K::OneOf(&["ordered", "allow_unordered"]),
        "ordered",
        "Whether results of lookups keep the order of their rows.",
    ),
    spec(
        "table.exec.async-lookup.timeout",
        K::Duration,
        "3 min",
        "Time after which a lookup fails the job.",
    ),
    spec(
        "table.exec.emit.allow-lateness",
        K::Duration,
        "",
        "How long after its end a group window takes late rows, if late firing is on; without it 'table.exec.state.ttl'.",
    ),
    spec(
        "table.exec.emit.early-fire.delay",
        K::Duration,
        "",
        "Time from a row to the result with it, before the window's end; 0 is at once.",
    ),
    spec(
        "table.exec.emit.early-fire.enabled",
        K::Boolean,
        "false",
        "Whether group windows (TUMBLE, HOP) send results before their end, which are then updated.",
    ),
    spec(
        "table.exec.emit.late-fire.delay",
        K::Duration,
        "",
        "Time from a late row to the result with it; 0 is at once.",
    ),
    spec(
        "table.exec.emit.late-fire.enabled",
        K::Boolean,
        "false",
        "Whether group windows (TUMBLE, HOP) take late rows and update their results with them.",
    ),
    spec(
        "table.exec.late-rows.table",
        K::Text,
        "",
        "Table into which the rows are inserted that windows of event time drop as late: its columns are filled by name.",
    ),
    spec(
        "table.exec.mini-batch.allow-latency",
        K::Duration,
        "0 ms",
        "Longest time for which updating aggregates hold changes back to combine them.",
    ),
    spec(
        "table.exec.mini-batch.enabled",
        K::Boolean,
        "false",
        "Whether updating aggregates combine the changes of several batches.",
    ),
    spec(
        "table.exec.mini-batch.size",
        K::Integer(-1, i64::MAX),
        "-1",
        "Rows after which held-back changes are sent; -1 sets no bound of its own.",
    ),
    spec("table.exec.sink.keyed-shuffle", K::OneOf(&["auto", "none", "force"]), "auto", COMPATIBLE),
    spec(
        "table.exec.sink.not-null-enforcer",
        K::OneOf(&["error", "drop"]),
        "error",
        "What happens to rows with NULL in a NOT NULL column of a sink: they fail the job, or are left out.",
    ),
    spec(
        "table.exec.sink.require-on-conflict",
        K::Boolean,
        "false",
        "Whether an INSERT whose changes are by another key than the table's PRIMARY KEY must say ON CONFLICT.",
    ),
    spec(
        "table.exec.sink.upsert-materialize",
        K::OneOf(&["auto", "none", "force"]),
        "auto",
        "Whether changes are brought into the order of a sink's primary key where another key made them.",
    ),
    spec(
        "table.exec.source.cdc-events-duplicate",
        K::Boolean,
        "false",
        "Whether changes from outside may come twice: tables with a PRIMARY KEY are then normalised by it.",
    ),
    spec(
        "table.exec.source.idle-timeout",
        K::Duration,
        "0 ms",
        "Time after which a source split without rows no longer holds back the watermark; 0 is never.",
    ),
    spec(
        "table.exec.state.ttl",
        K::Duration,
        "0 ms",
        "Time after its last use for which operators without a window keep state; 0 is for ever.",
    ),
    spec(
        "table.local-time-zone",
        K::TimeZone,
        "default",
        "The session's time zone; `default` is the machine's TZ, else UTC.",
    ),
    spec(
        "table.optimizer.agg-phase-strategy",
        K::OneOf(&["auto", "two_phase", "one_phase"]),
        "auto",
        "Whether aggregates run a local phase before the exchange.",
    ),
    spec(
        "table.optimizer.distinct-agg.split.bucket-num",
        K::Integer(1, 1_000_000),
        "1024",
        "How many parts the values of a group are split into: see distinct-agg.split.enabled.",
    ),
    spec(
        "table.optimizer.distinct-agg.split.enabled",
        K::Boolean,
        "false",
        "Whether DISTINCT aggregates are computed in two steps, of parts of a group's values and then of the group: for \
         few, large groups.",
    ),
    spec("table.optimizer.incremental-agg-enabled", K::Boolean, "true", COMPATIBLE),
    spec(
        "table.optimizer.join-time-eviction",
        K::Boolean,
        "true",
        "Whether joins forget rows that no row of the other side can join any more unless it is late.",
    ),
    spec(
        "table.optimizer.multi-join.enabled",
        K::Boolean,
        "true",
        "Whether chains of inner joins by one key become one operator, which keeps the inputs only.",
    ),
    spec(
        "table.optimizer.non-deterministic-update.strategy",
        K::OneOf(&["ignore", "try_resolve"]),
        "ignore",
        COMPATIBLE,
    ),
    spec("table.optimizer.reuse-sub-plan-enabled", K::Boolean, "true", COMPATIBLE),
    spec(
        "table.plan.force-recompile",
        K::Boolean,
        "false",
        "Whether COMPILE PLAN replaces a plan file that is there already.",
    ),
    spec(
        "taskmanager.memory.managed.size",
        K::MemorySize,
        "",
        "Memory that a job's state may take before it goes to local disk; half of the machine's if unset.",
    ),
];

/// The specification of a key.
pub fn lookup(key: &str) -> Option<&'static SettingSpec> {
    SETTINGS.iter().find(|spec| spec.key == key)
}
