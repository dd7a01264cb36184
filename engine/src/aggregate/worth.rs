//! Whether a local phase saves more than it costs: judged after each `GROUPS` groups.

/// Whether rows are worth combining beyond a batch.
#[derive(Default)]
pub(crate) struct Worth<const GROUPS: usize> {
    /// Rows and the groups that they made since it was last judged.
    rows: usize,
    groups: usize,
    /// Rows that still pass.
    passing: usize,
}

impl<const GROUPS: usize> Worth<GROUPS> {
    /// Whether rows pass for now.
    pub(crate) fn is_passing(&self) -> bool {
        self.passing > 0
    }

    /// Notes a batch; true if its groups are to be sent on at once.
    pub(crate) fn passes(&mut self, rows: usize, groups: usize) -> bool {
        if self.passing > 0 {
            self.passing = self.passing.saturating_sub(rows);
            return true;
        }
        self.rows += rows;
        self.groups += groups;
        if self.groups < GROUPS {
            return false;
        }
        // Three rows for two groups.
        let worth = self.rows * 2 >= self.groups * 3;
        *self = Self { passing: if worth { 0 } else { 64 * GROUPS }, ..Self::default() };
        !worth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: usize = 40;

    #[test]
    fn rows_pass_for_a_while_where_keys_hardly_repeat() {
        let mut worth = Worth::<GROUPS>::default();
        // Four rows a group: combined for ever.
        assert!((0..1_000).all(|_| !worth.passes(40, 10)));
        // A group for each row: it passes, is tried again, and passes again.
        let mut passed = 0;
        for _ in 0..1_000 {
            passed += usize::from(worth.passes(GROUPS / 4, GROUPS / 4));
        }
        assert!((980..1_000).contains(&passed), "{passed} of 1000");
        // Keys begin to repeat: it is noticed at the next try.
        let until = (0..1_000).position(|_| !worth.passes(40, 10)).unwrap();
        assert!(until <= (64 * GROUPS) / 40 + 1, "{until}");
        assert!((0..1_000).all(|_| !worth.passes(40, 10)));
    }
}
