//! Slices: the non-overlapping pieces of time that overlapping windows share.
//!
//! A slice is named by its exclusive end. Tumbling windows are their own slices; a hopping window
//! of size s and slide d is cut into slices of the greatest length that divides both (of length d, if
//! s is a multiple of it); where d > s some slices are in no window. A cumulating window is a run of
//! slices of length `step` from a common start. Semantics: Flink's slicing window assigners. Milliseconds;
//! arithmetic saturates at the ends of time.

use tidegate_plan::window::WindowShape;
use tidegate_types::{Error, Result};

/// Slice arithmetic of a window shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slices {
    /// Length of a slice.
    length: i64,
    /// Length of the longest window.
    size: i64,
    /// Distance of the ends of windows.
    step: i64,
    offset: i64,
    cumulative: bool,
}

impl Slices {
    /// The slices of a shape.
    ///
    /// # Errors
    /// `INTERNAL` for sessions, which have none, and for lengths the planner should have refused.
    pub fn new(shape: &WindowShape) -> Result<Self> {
        let (step, size, offset, cumulative) = match *shape {
            WindowShape::Tumble { size, offset } => (size, size, offset, false),
            WindowShape::Hop { size, slide, offset } => (slide, size, offset, false),
            WindowShape::Cumulate { max_size, step, offset } => (step, max_size, offset, true),
            WindowShape::Session { .. } => return Err(Error::internal("sessions have no slices")),
        };
        if step <= 0 || size <= 0 || (cumulative && size % step != 0) {
            return Err(Error::internal(format!("window of {size} ms with steps of {step} ms")));
        }
        Ok(Self { length: greatest_divisor(size, step), size, step, offset, cumulative })
    }

    /// End of the slice that holds a time.
    #[inline]
    pub fn slice_end(&self, time: i64) -> i64 {
        floor(time, self.offset, self.length).saturating_add(self.length)
    }

    /// Start of a slice.
    pub fn slice_start(&self, slice_end: i64) -> i64 {
        slice_end.saturating_sub(self.length)
    }

    /// Whether any window contains a slice.
    #[inline]
    pub fn is_covered(&self, slice_end: i64) -> bool {
        self.step <= self.size || self.last_window(slice_end) >= slice_end
    }

    /// Most windows that contain one slice.
    pub fn most_windows(&self) -> usize {
        usize::try_from(self.size.saturating_sub(1) / self.step).unwrap_or(usize::MAX) + 1
    }

    /// Ends of the windows that contain a slice, ascending.
    pub fn windows_of(&self, slice_end: i64) -> impl Iterator<Item = i64> + use<> {
        let (step, last) = (self.step, self.last_window(slice_end));
        // Whole steps back from the last window to the slice.
        let count = match last.saturating_sub(slice_end) {
            back if back < 0 => 0,
            back => back / step + 1,
        };
        (0..count).rev().map(move |i| last.saturating_sub(i.saturating_mul(step)))
    }

    /// End of the last window that contains a slice: from then on the slice is not needed. Before the
    /// slice's own end if none does.
    #[inline]
    pub fn last_window(&self, slice_end: i64) -> i64 {
        if self.cumulative {
            self.block_start(slice_end).saturating_add(self.size)
        } else if self.step == self.length {
            slice_end.saturating_add(self.size - self.length)
        } else {
            let start = floor(self.slice_start(slice_end), self.offset, self.step);
            start.saturating_add(self.size)
        }
    }

    /// Start of the window with this end.
    #[inline]
    pub fn window_start(&self, window_end: i64) -> i64 {
        if self.cumulative {
            self.block_start(window_end)
        } else {
            window_end.saturating_sub(self.size)
        }
    }

    /// Ends of the slices of a window lie in `window_start < end ≤ window_end`.
    pub fn first_slice(&self, window_end: i64) -> i64 {
        self.window_start(window_end).saturating_add(self.length)
    }

    /// Whether a slice belongs to one window only, so that firing may consume it.
    pub fn is_tumbling(&self) -> bool {
        self.length == self.size
    }

    fn block_start(&self, end: i64) -> i64 {
        floor(end.saturating_sub(1), self.offset, self.size)
    }
}

fn greatest_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { greatest_divisor(b, a % b) }
}

/// Largest `offset + k × length` that is ≤ `time`.
#[inline]
fn floor(time: i64, offset: i64, length: i64) -> i64 {
    time.saturating_sub(time.wrapping_sub(offset).rem_euclid(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slices(shape: WindowShape) -> Slices {
        Slices::new(&shape).unwrap()
    }

    #[test]
    fn tumbling_windows_are_their_slices_also_before_the_epoch() {
        let tumble = slices(WindowShape::Tumble { size: 10, offset: 3 });
        assert_eq!([-8, -7, 2, 3, 12].map(|t| tumble.slice_end(t)), [-7, 3, 3, 13, 13]);
        assert_eq!(tumble.window_start(13), 3);
        assert_eq!(tumble.windows_of(13).collect::<Vec<_>>(), [13]);
    }

    #[test]
    fn hopping_windows_share_slices() {
        let hop = slices(WindowShape::Hop { size: 10, slide: 5, offset: 0 });
        assert_eq!(hop.slice_end(7), 10);
        assert_eq!(hop.windows_of(10).collect::<Vec<_>>(), [10, 15]);
        assert_eq!((hop.window_start(15), hop.first_slice(15), hop.last_window(10)), (5, 10, 15));
    }

    #[test]
    fn cumulating_windows_grow_within_their_block() {
        let cumulate = slices(WindowShape::Cumulate { max_size: 30, step: 10, offset: 0 });
        assert_eq!(cumulate.windows_of(20).collect::<Vec<_>>(), [20, 30]);
        assert_eq!([10, 20, 30, 40].map(|end| cumulate.window_start(end)), [0, 0, 0, 30]);
        assert_eq!(cumulate.last_window(40), 60);
        assert_eq!(cumulate.first_slice(30), 10);
    }

    /// Every time lies in the windows that a naive enumeration finds.
    #[test]
    fn agrees_with_enumeration() {
        let uneven = [(10, 4, 0), (7, 3, 2), (9, 6, -1), (4, 10, 3), (5, 15, 0), (3, 7, 1)];
        let even = [(12, 4, 0), (12, 4, 3), (6, 1, -2), (5, 5, 1)];
        for (size, slide, offset) in even.into_iter().chain(uneven) {
            let hop = slices(WindowShape::Hop { size, slide, offset });
            for time in -40..40 {
                let windows: Vec<i64> = hop.windows_of(hop.slice_end(time)).collect();
                let naive: Vec<i64> = (-100..100)
                    .filter(|end| (end - size - offset).rem_euclid(slide) == 0)
                    .filter(|end| end - size <= time && time < *end)
                    .collect();
                assert_eq!(windows, naive, "time {time} size {size} slide {slide} offset {offset}");
                assert_eq!(hop.is_covered(hop.slice_end(time)), !naive.is_empty());
                for window in windows {
                    let slices = (hop.first_slice(window)..=window).step_by(hop.length as usize);
                    assert!(slices.into_iter().any(|slice| slice == hop.slice_end(time)));
                }
            }
        }
    }
}
