//! Resources: uploads that break off and go on elsewhere, what is refused, what is kept once, what is swept away.

mod files;
mod sweeping;
mod uploads;
