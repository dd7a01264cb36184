//! Multi-process tests: the real binary on real services, judged by DataFusion in batch, by real
//! Flink, and by small recomputations of their own. Run them through `cargo xtask test`.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `TIDEGATE_BIN` | the binary to test | the one in cargo's target folder |
//! | `TIDEGATE_TEST_SEED` | first seed of the random cases | 1 |
//! | `TIDEGATE_TEST_CASES` | how many random cases | 240 of windows, 300 of changing tables |
//! | `TIDEGATE_TEST_MINUTES` | no random case is begun after so many | no limit |
//! | `TIDEGATE_TEST_JOBS` | runs about changing tables at a time | 1 |
//! | `TIDEGATE_TEST_QUESTION` | the one question of a run about changing tables that is asked | all |
//! | `TIDEGATE_TEST_RECORDS` | records through Kafka | 200000; the full measure is 2000000 |
//! | `TIDEGATE_TEST_KILLS` | kills per test | 10 |
//! | `TIDEGATE_TEST_KEEP` | set: folders of successful cases are kept too | |

mod bad_input;
mod checkpoints_s3;
mod cli;
mod clicks;
mod cluster;
mod consistency;
mod corrupt_state;
mod discovery;
mod edited_jobs;
mod files_exactly_once;
mod governed;
mod kafka_at_least_once;
mod kafka_bounded;
mod kafka_by_key;
mod kafka_exactly_once;
mod late_rows;
mod lateral_functions;
mod lookup_files;
mod lookup_jdbc;
mod memory_budgets;
mod recorded_formats;
mod recorded_statements;
mod recorded_tables;
mod security;
mod spilled_windows;
mod tables_differential;
mod telemetry;
mod windows_differential;
mod zoned_windows;

/// A number from the environment.
fn number(name: &str, default: u64) -> anyhow::Result<u64> {
    match std::env::var(name) {
        Ok(text) => {
            text.trim().parse().map_err(|_| anyhow::anyhow!("{name}='{text}' is no number"))
        }
        Err(_) => Ok(default),
    }
}
