//! The map of the crates as rules: who may know whom. A dependency that is not here is an error, so
//! that a new arrow is a decision that a reviewer sees.

/// Stands for every crate in a list of users.
pub(crate) const EVERYONE: &str = "*";

/// One crate of the workspace (without the prefix `tidegate-`) and the ones that it may depend on.
pub(crate) struct Crate {
    pub(crate) name: &'static str,
    pub(crate) may_use: &'static [&'static str],
    /// More that its tests may use.
    pub(crate) tests_may_use: &'static [&'static str],
}

/// A crate from outside (or all whose names begin with `name`, if it ends in `*`), and its users.
pub(crate) struct Outside {
    pub(crate) name: &'static str,
    pub(crate) users: &'static [&'static str],
    /// More crates whose tests may use it.
    pub(crate) tests: &'static [&'static str],
    pub(crate) why: &'static str,
}

/// From the bottom up.
pub(crate) const CRATES: &[Crate] = &[
    Crate { name: "types", may_use: &[], tests_may_use: &[] },
    Crate { name: "json", may_use: &[], tests_may_use: &[] },
    Crate { name: "runtime", may_use: &["types"], tests_may_use: &[] },
    Crate { name: "plan", may_use: &["types"], tests_may_use: &[] },
    Crate { name: "functions", may_use: &["json", "plan", "types"], tests_may_use: &[] },
    Crate { name: "connector-spec", may_use: &["types"], tests_may_use: &[] },
    Crate { name: "storage", may_use: &["connector-spec", "types"], tests_may_use: &[] },
    Crate {
        name: "checkpoint",
        may_use: &["plan", "runtime", "storage", "types"],
        tests_may_use: &[],
    },
    Crate { name: "catalog", may_use: &["types"], tests_may_use: &[] },
    Crate { name: "proto", may_use: &["checkpoint", "types"], tests_may_use: &[] },
    Crate {
        name: "planner",
        may_use: &["connector-spec", "functions", "plan", "types"],
        tests_may_use: &[],
    },
    Crate {
        name: "benches",
        may_use: &["functions", "plan", "planner", "types"],
        tests_may_use: &[],
    },
    Crate {
        name: "engine",
        may_use: &["checkpoint", "functions", "plan", "runtime", "types"],
        tests_may_use: &[],
    },
    Crate {
        name: "connectors",
        may_use: &[
            "checkpoint",
            "connector-spec",
            "engine",
            "functions",
            "json",
            "plan",
            "runtime",
            "storage",
            "types",
        ],
        tests_may_use: &[],
    },
    Crate {
        name: "job-control",
        may_use: &["checkpoint", "plan", "runtime", "types"],
        tests_may_use: &[],
    },
    Crate { name: "security", may_use: &["types"], tests_may_use: &[] },
    Crate { name: "discovery", may_use: &["types"], tests_may_use: &[] },
    Crate {
        name: "worker",
        may_use: &[
            "checkpoint",
            "engine",
            "functions",
            "plan",
            "proto",
            "runtime",
            "security",
            "types",
        ],
        tests_may_use: &["connector-spec", "connectors", "job-control", "planner"],
    },
    Crate {
        name: "coordinator",
        may_use: &[
            "catalog",
            "checkpoint",
            "connector-spec",
            "job-control",
            "plan",
            "planner",
            "proto",
            "runtime",
            "security",
            "types",
        ],
        tests_may_use: &[],
    },
    Crate {
        name: "cli",
        may_use: &[
            "catalog",
            "checkpoint",
            "connector-spec",
            "connectors",
            "coordinator",
            "discovery",
            "engine",
            "functions",
            "job-control",
            "plan",
            "planner",
            "proto",
            "runtime",
            "security",
            "storage",
            "types",
            "worker",
        ],
        tests_may_use: &[],
    },
    Crate {
        name: "simulation",
        may_use: &[
            "catalog",
            "checkpoint",
            "coordinator",
            "engine",
            "job-control",
            "plan",
            "planner",
            "runtime",
            "storage",
            "types",
            "worker",
        ],
        tests_may_use: &[],
    },
    Crate { name: "integration-tests", may_use: &[EVERYONE], tests_may_use: &[] },
    Crate { name: "xtask", may_use: &[], tests_may_use: &[] },
];

/// Crates from outside that only some may use.
pub(crate) const OUTSIDE: &[Outside] = &[
    Outside {
        name: "tonic*",
        users: &["cli", "coordinator", "proto", "simulation", "worker"],
        tests: &["integration-tests"],
        why: "wire types stay at the edge",
    },
    Outside {
        name: "prost*",
        users: &["cli", "connectors", "coordinator", "proto", "worker"],
        tests: &["integration-tests"],
        why: "wire types stay at the edge; connectors read descriptions of messages of others",
    },
    Outside {
        name: "etcd-client",
        users: &["discovery"],
        tests: &["integration-tests"],
        why: "only what finds a cluster knows where addresses are kept",
    },
    Outside {
        name: "sled",
        users: &["coordinator"],
        tests: &[],
        why: "its flush does not sync: only what can be rebuilt may be in it",
    },
    Outside {
        name: "orc-rust",
        users: &["connectors"],
        tests: &[],
        why: "it has a version of prost to itself; no type of it leaves the connector of files",
    },
    Outside {
        name: "rdkafka*",
        users: &["connectors", "integration-tests"],
        tests: &[],
        why: "outside systems are the connectors' business",
    },
    Outside {
        name: "redis",
        users: &["connectors"],
        tests: &[],
        why: "outside systems are the connectors' business",
    },
    Outside {
        name: "suppaftp",
        users: &["connectors"],
        tests: &[],
        why: "outside systems are the connectors' business",
    },
    Outside {
        name: "thrift",
        users: &["connectors"],
        tests: &[],
        why: "outside systems are the connectors' business",
    },
    Outside {
        name: "datafusion",
        users: &["benches", "planner", "integration-tests"],
        tests: &[],
        why: "it is slow to build: use its parts where kernels are needed",
    },
    Outside {
        name: "datafusion-*",
        users: &["engine", "functions", "planner", "integration-tests"],
        tests: &[],
        why: "plans are ours; only kernels and accumulators are borrowed",
    },
    Outside {
        name: "datafusion-proto*",
        users: &[],
        tests: &[],
        why: "its encoding changes between versions",
    },
    Outside {
        name: "sqlparser",
        users: &["planner", "integration-tests"],
        tests: &[],
        why: "SQL ends at the planner",
    },
    Outside {
        name: "object_store",
        users: &[
            "checkpoint",
            "cli",
            "connectors",
            "engine",
            "simulation",
            "storage",
            "worker",
            "integration-tests",
        ],
        tests: &[],
        why: "the rest is pure or has no business with storage",
    },
    Outside {
        name: "axum",
        users: &["cli", "runtime"],
        tests: &["connectors", "integration-tests", "worker"],
        why: "servers are started in few places",
    },
    Outside {
        name: "reqwest",
        users: &["cli", "connectors"],
        tests: &["integration-tests"],
        why: "connections go out in few places",
    },
    Outside {
        name: "tokio",
        users: &[
            "checkpoint",
            "cli",
            "connectors",
            "coordinator",
            "discovery",
            "engine",
            "job-control",
            "runtime",
            "simulation",
            "storage",
            "worker",
            "xtask",
            "integration-tests",
        ],
        tests: &[EVERYONE],
        why: "the other crates are pure: no tasks, no I/O",
    },
    Outside {
        name: "anyhow",
        users: &["benches", "cli", "simulation", "xtask", "integration-tests"],
        tests: &[EVERYONE],
        why: "libraries have errors that a caller can match",
    },
];

/// Crates whose sources never name a socket.
pub(crate) const WITHOUT_NETWORK: &[&str] = &[
    "catalog",
    "checkpoint",
    "connector-spec",
    "engine",
    "functions",
    "job-control",
    "json",
    "plan",
    "planner",
    "security",
    "types",
];
