//! Named tasks and their shutdown, configuration, clock, telemetry
