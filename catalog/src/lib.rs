//! The domain of the platform as a deterministic state machine: what there is, the commands that change it, and what
//! applying them answers. No clock, no randomness, no I/O, no unordered iteration: time and ids arrive inside commands.
