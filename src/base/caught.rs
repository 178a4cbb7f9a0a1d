//! Code of others that may panic on what a server or a file says: its panic is an answer, not a fault of ours.
//!
//! Refuses: to be put around code of our own, whose panics are to be heard.

use std::cell::Cell;
use std::panic::AssertUnwindSafe;

thread_local! {
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Runs what may panic; nothing if it did.
pub fn caught<T>(run: impl FnOnce() -> T) -> Option<T> {
    let before = EXPECTED.replace(true);
    let done = std::panic::catch_unwind(AssertUnwindSafe(run));
    EXPECTED.set(before);
    done.ok()
}

/// Whether a panic of this thread is an answer: then nothing is to be said of it.
pub fn is_expected() -> bool {
    EXPECTED.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_nothing() {
        assert_eq!(caught(|| 7), Some(7));
        assert_eq!(caught(|| -> u8 { panic!("expected: {}", is_expected()) }), None);
        assert!(!is_expected());
    }
}
