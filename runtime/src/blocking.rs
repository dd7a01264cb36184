//! Work that takes long, on threads that run nothing else.
//!
//! A simulation has one thread that does everything in a known order: with the feature `simulation` a thread can say
//! that it is such a one, and the work is done at once there.

use tidegate_types::Error;

#[cfg(feature = "simulation")]
thread_local! {
    static SIMULATED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// From now on this thread does everything itself.
#[cfg(feature = "simulation")]
pub fn simulate_this_thread() {
    SIMULATED.set(true);
}

/// Whether this thread does everything itself.
#[inline]
pub fn is_simulated() -> bool {
    #[cfg(feature = "simulation")]
    return SIMULATED.get();
    #[cfg(not(feature = "simulation"))]
    false
}

/// Does work that takes long on a thread that runs nothing else; `what` is for messages.
///
/// # Errors
/// `INTERNAL` if the work panicked, or the process ends.
pub async fn beside<T: Send + 'static>(
    what: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    if is_simulated() {
        return Ok(work());
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::internal(format!("{what}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_done_elsewhere_comes_back_and_panics_are_named() {
        assert_eq!(beside("sum", || 1 + 2).await.unwrap(), 3);
        let error = beside::<()>("sum", || panic!("no")).await.unwrap_err();
        assert!(error.to_string().starts_with("sum: "), "{error}");
    }
}
