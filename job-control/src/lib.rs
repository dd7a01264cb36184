//! Attempts, checkpoints, restarts, savepoints as a pure state machine over a metadata store
