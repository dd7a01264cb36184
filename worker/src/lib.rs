//! Task lifecycle: builds the tasks of a deployment, connects and runs them, reports on them
