//! Records and files that Flink wrote.
