//! What code takes from its surroundings without asking: random numbers and the time of the operating system.
//!
//! Hash maps, `select!` and random ids draw from the first, libraries look at the second. Both are functions of the C
//! library, which a binary may replace by its own: a simulated process has a sequence that its seed determines, and the
//! time of the simulation. Until [`simulate`] is called they do what they always do.

#![allow(unsafe_code, reason = "functions of the C library are replaced")]

use std::ffi::{c_int, c_uint, c_void};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::rand::GetRandomFlags;
use rustix::time::ClockId;

/// 2026-01-01T00:00:00Z: when every simulation begins.
pub(crate) const BEGIN_MS: i64 = 1_767_225_600_000;

static SIMULATED: AtomicBool = AtomicBool::new(false);
static RANDOM: AtomicU64 = AtomicU64::new(0);
static NANOS: AtomicU64 = AtomicU64::new(0);

/// From now on this process gets its randomness from the seed, and its time from [`set_time`].
pub(crate) fn simulate(seed: u64) {
    RANDOM.store(super::random::mix(seed), Ordering::SeqCst);
    SIMULATED.store(true, Ordering::SeqCst);
}

/// Sets the time since the beginning.
pub(crate) fn set_time(now: Duration) {
    NANOS.store(now.as_nanos() as u64, Ordering::SeqCst);
}

/// In place of the C library's: random bytes, `-1` if there are none.
///
/// # Safety
/// `buffer` must have room for `length` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, length: usize, flags: c_uint) -> isize {
    // SAFETY: the caller says that there is room.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
    if !SIMULATED.load(Ordering::Relaxed) {
        let flags = GetRandomFlags::from_bits_truncate(flags);
        return rustix::rand::getrandom(bytes, flags).map_or(-1, |some| some as isize);
    }
    for chunk in bytes.chunks_mut(8) {
        let number = super::random::mix(RANDOM.fetch_add(super::random::STEP, Ordering::Relaxed));
        chunk.copy_from_slice(&number.to_le_bytes()[..chunk.len()]);
    }
    length as isize
}

/// Time as the C library has it.
#[repr(C)]
struct Timespec {
    seconds: i64,
    nanos: i64,
}

/// In place of the C library's: the time of a clock.
///
/// # Safety
/// `time` must point to a `timespec`.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: c_int, time: *mut Timespec) -> c_int {
    let (seconds, nanos) = if SIMULATED.load(Ordering::Relaxed) {
        let nanos = NANOS.load(Ordering::Relaxed);
        // The monotonic clock begins with the process, more or less; an hour keeps differences above 0.
        let begin = if clock == ClockId::Realtime as c_int { BEGIN_MS / 1_000 } else { 3_600 };
        (begin + (nanos / 1_000_000_000) as i64, (nanos % 1_000_000_000) as i64)
    } else {
        let id = if clock == ClockId::Realtime as c_int {
            ClockId::Realtime
        } else {
            ClockId::Monotonic
        };
        let now = rustix::time::clock_gettime(id);
        (now.tv_sec, now.tv_nsec)
    };
    // SAFETY: the caller says that it points to one.
    unsafe { time.write(Timespec { seconds, nanos }) };
    0
}
