//! Failpoints: named moments at which a test may kill the process, and named defects that a test may
//! switch on to see that it notices them. Nothing of it is in a binary without the feature
//! `failpoints`.
//!
//! The environment variable `FAILPOINTS` says what happens, in the syntax of the crate `fail`:
//! `name=actions;name=actions`, actions one after the other with `->`, each
//! `[percent%][count*]kind`, where a kind is `off` (nothing), `return` (the process dies by SIGKILL,
//! or the defect is there), `stop` (the process stops by SIGSTOP, until somebody lets it go on) or `sleep(milliseconds)`.
//! `inside-transaction=3*off->return` kills at the fourth time. Percent without a count lasts for ever.
//!
//! `FAILPOINTS_FILE` names a file with the same contents. It is read again when it changes, so that a process that runs
//! can be armed; what was counted begins anew then.

/// The defects that can be switched on, each with the guard that it removes. The soak (`cargo xtask soak --mutation`) and
/// the simulation (`cargo xtask simulate --without`) put them back one at a time, and must notice.
#[cfg(feature = "failpoints")]
pub const DEFECTS: [(&str, &str); 12] = [
    ("skip-append-sync", "entries of the log are synced before they are acknowledged"),
    ("skip-attempt-check", "older runs are shut out: records, manifests, names of producers"),
    ("skip-conditional-put", "manifests and records are created, never written over"),
    ("skip-marker-check", "a restore looks at the markers before it writes staged output"),
    ("skip-producer-fencing", "a start takes over the names under which older runs commit"),
    ("skip-read-quorum", "a majority confirms the leader before it answers a linearizable read"),
    ("skip-resignation", "a leader that starts again is elected anew"),
    ("skip-save-before-complete", "sinks are told of a checkpoint after its record is saved"),
    ("skip-settlement", "a restore settles the staged output that the manifest names"),
    ("skip-term-check", "what a leader decides by itself counts in its own term only"),
    ("skip-upload-wait", "staged output is stored before its checkpoint is acknowledged"),
    ("skip-vote-persistence", "a vote is stored before it is given"),
];

/// Called at the moment `name`: kills the process if that is asked for.
#[inline]
pub fn hit(name: &str) {
    #[cfg(feature = "failpoints")]
    if active::fires(name) {
        active::kill();
    }
    #[cfg(not(feature = "failpoints"))]
    let _ = name;
}

/// Whether the defect `name` is switched on at this moment.
#[inline]
pub fn defect(name: &str) -> bool {
    #[cfg(feature = "failpoints")]
    {
        // One that nobody knows of would be tested by nobody.
        debug_assert!(DEFECTS.iter().any(|(known, _)| *known == name), "defect {name}");
        active::fires(name)
    }
    #[cfg(not(feature = "failpoints"))]
    {
        let _ = name;
        false
    }
}

#[cfg(feature = "failpoints")]
mod active {
    use std::collections::HashMap;
    use std::hash::{BuildHasher, Hasher, RandomState};
    use std::path::PathBuf;
    use std::sync::{Mutex, OnceLock, PoisonError};
    use std::time::Duration;

    /// What happens at a moment.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) enum Kind {
        Off,
        Return,
        Stop,
        Sleep(u64),
    }

    /// A kind with how often it happens.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(super) struct Step {
        pub(super) percent: u64,
        pub(super) left: Option<u64>,
        pub(super) kind: Kind,
    }

    /// What is armed, and what the file said when it was read last.
    #[derive(Default)]
    struct Armed {
        steps: HashMap<String, Vec<Step>>,
        read: String,
    }

    static ARMED: OnceLock<Mutex<Armed>> = OnceLock::new();

    // A test that believes it kills and does not would prove nothing.
    fn armed() -> &'static Mutex<Armed> {
        ARMED.get_or_init(|| {
            let text = std::env::var("FAILPOINTS").unwrap_or_default();
            match parse(&text) {
                Ok(steps) => Mutex::new(Armed { steps, read: String::new() }),
                Err(error) => panic!("environment variable FAILPOINTS: {error}"),
            }
        })
    }

    impl Armed {
        fn look(&mut self) {
            static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
            let file = FILE.get_or_init(|| std::env::var_os("FAILPOINTS_FILE").map(PathBuf::from));
            let Some(file) = file else { return };
            let text = match std::fs::read_to_string(file) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
                Ok(text) => text,
                Err(error) => panic!("failpoints in {}: {error}", file.display()),
            };
            if text != self.read {
                match parse(&text) {
                    Ok(steps) => self.steps = steps,
                    Err(error) => panic!("failpoints in {}: {error}", file.display()),
                }
                self.read = text;
            }
        }
    }

    pub(super) fn parse(text: &str) -> Result<HashMap<String, Vec<Step>>, String> {
        let mut all = HashMap::new();
        for point in text.split(';').map(str::trim).filter(|point| !point.is_empty()) {
            let (name, actions) =
                point.split_once('=').ok_or_else(|| format!("'{point}' is not name=actions"))?;
            let parsed: Result<Vec<_>, _> = actions.split("->").map(|a| step(a.trim())).collect();
            all.insert(name.trim().to_owned(), parsed?);
        }
        Ok(all)
    }

    fn step(text: &str) -> Result<Step, String> {
        let number = |digits: &str| {
            digits.trim().parse::<u64>().map_err(|_| format!("'{digits}' in '{text}' is no number"))
        };
        let (percent, rest) = match text.split_once('%') {
            Some((percent, rest)) => (number(percent)?, rest),
            None => (100, text),
        };
        let (left, kind) = match rest.split_once('*') {
            Some((count, kind)) => (Some(number(count)?), kind),
            None => (None, rest),
        };
        let kind = match kind.trim() {
            "off" => Kind::Off,
            "return" | "return()" => Kind::Return,
            "stop" => Kind::Stop,
            other => {
                let ms = other.strip_prefix("sleep(").and_then(|rest| rest.strip_suffix(')'));
                Kind::Sleep(number(ms.ok_or_else(|| format!("'{other}' is no action"))?)?)
            }
        };
        Ok(Step { percent, left, kind })
    }

    /// What the steps of a point say this time; `dice` decides about percentages.
    pub(super) fn next(steps: &mut [Step], dice: u64) -> Kind {
        let Some(step) = steps.iter_mut().find(|step| step.left != Some(0)) else {
            return Kind::Off;
        };
        if step.percent < 100 && dice % 100 >= step.percent {
            return Kind::Off;
        }
        step.left = step.left.map(|left| left - 1);
        step.kind
    }

    #[allow(clippy::disallowed_methods, reason = "the point of the action is to hold the thread")]
    pub(super) fn fires(name: &str) -> bool {
        let dice = RandomState::new().build_hasher().finish();
        let kind = {
            let mut armed = armed().lock().unwrap_or_else(PoisonError::into_inner);
            armed.look();
            armed.steps.get_mut(name).map_or(Kind::Off, |steps| next(steps, dice))
        };
        match kind {
            Kind::Sleep(ms) => std::thread::sleep(Duration::from_millis(ms)),
            Kind::Stop => signal_self(rustix::process::Signal::STOP),
            Kind::Off | Kind::Return => {}
        }
        kind == Kind::Return
    }

    pub(super) fn kill() -> ! {
        signal_self(rustix::process::Signal::KILL);
        std::process::abort()
    }

    fn signal_self(signal: rustix::process::Signal) {
        // It fails for no signal that a process may send to itself.
        let _ = rustix::process::kill_process(rustix::process::getpid(), signal);
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn actions_follow_each_other() {
            let mut all = parse("a=3*off->return; b = 50%2*return ;c=sleep(10)").unwrap();
            let steps = all.get_mut("a").unwrap();
            let kinds: Vec<_> = (0..5).map(|_| next(steps, 0)).collect();
            assert_eq!(kinds, [Kind::Off, Kind::Off, Kind::Off, Kind::Return, Kind::Return]);
            let steps = all.get_mut("b").unwrap();
            assert_eq!(next(steps, 70), Kind::Off);
            assert_eq!(next(steps, 10), Kind::Return);
            assert_eq!(next(steps, 49), Kind::Return);
            assert_eq!(next(steps, 10), Kind::Off, "used up");
            assert_eq!(next(all.get_mut("c").unwrap(), 1), Kind::Sleep(10));
            let mut all = parse("a=1*off->1*stop->off").unwrap();
            let steps = all.get_mut("a").unwrap();
            let kinds: Vec<_> = (0..3).map(|_| next(steps, 0)).collect();
            assert_eq!(kinds, [Kind::Off, Kind::Stop, Kind::Off]);
        }

        #[test]
        fn nonsense_is_refused() {
            for text in ["a", "a=explode", "a=x*return", "a=sleep(soon)"] {
                assert!(parse(text).is_err(), "{text}");
            }
        }
    }
}
