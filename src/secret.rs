//! A text that must not be seen: it cannot be printed or serialised, and its memory is wiped when it goes.
//!
//! Not here: where secrets come from (`wire`, `secret_store`) and where they are spent (`ssh`).

use std::fmt;

use zeroize::Zeroizing;

/// A password, key or passphrase. `Debug` prints `<secret>`; there is no `Display` and no `Serialize`.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over without copying it.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself. Every caller is a place where a secret is spent, and nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// A word that stands in a file, without the line end that editors put behind it: no password ends with one.
#[must_use]
pub fn without_line_end(text: &str) -> &str {
    text.trim_end_matches(['\r', '\n'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_itself() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret:?}"), "<secret>");
        assert_eq!(secret.expose(), "hunter2");
    }
}
