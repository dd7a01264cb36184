//! The memory that a job's state may take on a worker, and who has how much of it.
//!
//! Operators report what they hold after each batch. Past the budget the larger ones move state to
//! local disk (see [`crate::spill`]); which of them, each decides by itself from the shared sum.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The budget that the operators of a job share.
#[derive(Debug)]
pub struct MemoryBudget {
    limit: usize,
    used: AtomicUsize,
    holders: AtomicUsize,
}

impl MemoryBudget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0), holders: AtomicUsize::new(0) })
    }

    /// A budget that is never exceeded.
    pub fn unlimited() -> Arc<Self> {
        Self::new(usize::MAX)
    }

    /// The bytes that may be held.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// A part of the budget for one operator.
    pub fn share(self: &Arc<Self>) -> MemoryShare {
        self.holders.fetch_add(1, Ordering::Relaxed);
        MemoryShare { budget: self.clone(), mine: 0 }
    }
}

/// What one operator holds of the budget; gives it back when dropped.
#[derive(Debug)]
pub struct MemoryShare {
    budget: Arc<MemoryBudget>,
    mine: usize,
}

impl MemoryShare {
    /// Reports the bytes that the operator holds. True if the budget is exceeded and this operator holds
    /// at least an equal part of it: then it should spill. As long as the budget is exceeded, this
    /// is true for at least one.
    pub fn report(&mut self, bytes: usize) -> bool {
        let before = std::mem::replace(&mut self.mine, bytes);
        let used = match bytes.checked_sub(before) {
            Some(more) => self.budget.used.fetch_add(more, Ordering::Relaxed) + more,
            None => {
                let less = before - bytes;
                self.budget.used.fetch_sub(less, Ordering::Relaxed) - less
            }
        };
        used > self.budget.limit && bytes >= self.equal_part()
    }

    /// What every operator could hold if all held the same.
    pub fn equal_part(&self) -> usize {
        self.budget.limit / self.budget.holders.load(Ordering::Relaxed).max(1)
    }
}

impl Drop for MemoryShare {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.mine, Ordering::Relaxed);
        self.budget.holders.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_holds_most_is_told_to_spill() {
        let budget = MemoryBudget::new(100);
        let (mut large, mut small) = (budget.share(), budget.share());
        assert!(!small.report(30) && !large.report(70));
        assert!(!small.report(40), "it holds less than half of the budget");
        assert!(large.report(70));
        assert!(!large.report(10));
        let used = || budget.used.load(Ordering::Relaxed);
        assert_eq!(used(), 50);
        drop(large);
        assert_eq!((used(), small.equal_part()), (40, 100));
    }
}
