//! What an error of a library was caused by.

use std::error::Error;
use std::io;

/// An error and its causes, the first cause last.
pub(crate) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause: &&'a (dyn Error + 'static)| {
        let cause: &'a (dyn Error + 'static) = *cause;
        // The source of an I/O error is that of what it holds, which would be passed over.
        let held = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        held.map(|held| held as &(dyn Error + 'static)).or_else(|| cause.source())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_io_error_holds_is_among_its_causes() {
        let number = "x".parse::<i64>().unwrap_err();
        let error = io::Error::other(io::Error::other(number));
        let texts: Vec<_> = causes(&error).map(ToString::to_string).collect();
        assert_eq!(texts, vec!["invalid digit found in string"; 3]);
        assert!(causes(&error).any(|cause| cause.is::<std::num::ParseIntError>()));
    }
}
