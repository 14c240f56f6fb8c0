//! A value that can be replaced while it is in use: who has taken it keeps what he took.
//!
//! For what SIGHUP reads again. Readers never wait for a reload: the new value is made before it is put in place.

use std::sync::{Arc, PoisonError, RwLock};

/// A value shared by many readers; clones share it too.
#[derive(Debug)]
pub struct Live<T>(Arc<RwLock<Arc<T>>>);

impl<T> Live<T> {
    /// Begins with `value`.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(value))))
    }

    /// The value as it is now.
    #[must_use]
    pub fn now(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another in its place.
    pub fn replace(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_taken_a_value_keeps_it_and_the_next_one_gets_the_new() {
        let live = Live::new(1);
        let (taken, other) = (live.now(), live.clone());
        other.replace(2);
        assert_eq!((*taken, *live.now()), (1, 2));
    }
}
