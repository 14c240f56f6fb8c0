//! Compiled templates, a bounded number of them: the one that was not used for longest goes first.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::textfsm::Template;

/// Which reading of the own folder (`None`: the library), and the file's name.
type Key = (Option<u64>, String);

#[derive(Debug)]
pub(super) struct Cache {
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    templates: HashMap<Key, (Arc<Template>, u64)>,
    /// Counts uses; the highest is the latest.
    uses: u64,
}

impl Cache {
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), state: Mutex::default() }
    }

    /// The template of that key, made if it is not there.
    pub(super) fn fetch(
        &self,
        key: Key,
        make: impl FnOnce() -> Result<Template, String>,
    ) -> Result<Arc<Template>, String> {
        let mut state = self.lock();
        state.uses += 1;
        let now = state.uses;
        if let Some((template, used)) = state.templates.get_mut(&key) {
            *used = now;
            return Ok(Arc::clone(template));
        }
        drop(state);
        // Two threads may make the same: the second is used and the first forgotten, which harms nobody.
        let template = Arc::new(make()?);
        let mut state = self.lock();
        if state.templates.len() >= self.most
            && let Some(oldest) = state
                .templates
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(key, _)| key.clone())
        {
            state.templates.remove(&oldest);
        }
        state.templates.insert(key, (Arc::clone(&template), now));
        Ok(template)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_used_template_goes_first() {
        let cache = Cache::new(2);
        let made = std::cell::Cell::new(0);
        let fetch = |name: &str| {
            cache
                .fetch((None, name.to_owned()), || {
                    made.set(made.get() + 1);
                    Template::parse("Value A (.)\n\nStart\n ^${A}\n").map_err(|e| e.to_string())
                })
                .unwrap()
        };
        fetch("a");
        fetch("b");
        fetch("a");
        fetch("c");
        fetch("a");
        assert_eq!(made.get(), 3, "a is still there");
        fetch("b");
        assert_eq!(made.get(), 4, "b had to go");
    }
}
