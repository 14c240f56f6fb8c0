//! Logging in once, by what the device lists and the credentials can serve.

use std::sync::{Arc, LazyLock};

use regex::Regex;
use rustix::net::Shutdown;
use ssh2::KeyboardInteractivePrompt;

use super::{Fault, connection::Connection};
use crate::{
    certificate::Certificate,
    deadline::Deadline,
    device::{Credentials, PrivateKey},
    secret::Secret,
    ssh::{
        acquaintance::{Methods, Paused, Shown},
        key_form,
        socket::Socket,
    },
};

/// No algorithm that both the peer and a key know.
const NO_SIGNATURE: i32 = -17;
/// libssh2's word for a key that it cannot use.
const KEY_UNUSABLE: i32 = -16;

/// How a login ended that did not fail on the wire.
#[derive(Debug)]
pub enum Login {
    /// Logged in.
    Done,
    /// The device said no to this method.
    Rejected(&'static str),
    /// The device lists none of the methods that the credentials could serve.
    NotOffered(String),
    /// The device wants a new password.
    PasswordExpired,
    /// The key could not be read.
    KeyUnusable(String),
    /// What the device would have to be shown may not be sent now.
    NotSent(Paused),
}

/// How to log in, with what of the credentials.
#[derive(Clone, Copy, Debug)]
enum Method<'c> {
    PublicKey(&'c PrivateKey),
    Password(&'c Secret),
    KeyboardInteractive(&'c Secret),
}

impl<'c> Method<'c> {
    /// The best that both sides know.
    fn choose(credentials: &'c Credentials, listed: Methods) -> Option<Self> {
        match (&credentials.private_key, &credentials.password) {
            (Some(key), _) if listed.public_key => Some(Self::PublicKey(key)),
            (_, Some(password)) if listed.password => Some(Self::Password(password)),
            (_, Some(password)) if listed.keyboard_interactive => {
                Some(Self::KeyboardInteractive(password))
            }
            _ => None,
        }
    }

    fn shown(self) -> Shown {
        match self {
            Self::PublicKey(_) => Shown::Keys,
            Self::Password(_) | Self::KeyboardInteractive(_) => Shown::Password,
        }
    }

    fn is(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

impl Connection {
    /// Logs in once, by the first method that the device lists and the credentials can serve. It is not asked for its
    /// list if it is `known` from an earlier login and serves; should the device refuse, it is asked then, and only a
    /// method that it does not list any more makes way for another. So it is with a key that has a password beside it, and the
    /// other way round: the device may want both. The list is the one that it began with.
    ///
    /// # Errors
    /// The connection broke or the device did not answer in time.
    pub fn login(
        &mut self,
        credentials: &Credentials,
        known: Option<Methods>,
        may_send: impl Fn(Shown) -> Result<(), Paused>,
        until: Deadline,
    ) -> Result<(Login, Option<Methods>), Fault> {
        let mut refused = None;
        if let Some(method) = known.and_then(|known| Method::choose(credentials, known)) {
            match self.try_method(method, credentials, &may_send, until)? {
                Login::Rejected(name) => refused = Some((method, name)),
                login => return Ok((login, known)),
            }
        }
        // What is listed behind a refusal may be what is wanted besides: a next login would begin with it.
        let was_refused = refused.is_some();
        let has_both = credentials.private_key.is_some() && credentials.password.is_some();
        let user = credentials.username.as_str();
        let mut listed = None;
        loop {
            let offered =
                self.drive(until, |session| session.auth_methods(user).map(str::to_owned))?;
            if self.session.authenticated() {
                return Ok((Login::Done, None));
            }
            let methods = Methods::listed(&offered);
            let is_first = listed.is_none();
            let began_with = *listed.get_or_insert(methods);
            let end = |login| {
                let is_rest = was_refused && matches!(login, Login::Done);
                Ok((login, Some(began_with).filter(|_| !is_rest)))
            };
            let Some(method) = Method::choose(credentials, methods) else {
                return end(Login::NotOffered(offered));
            };
            if let Some((before, name)) = refused {
                // Behind a list of today the same password is not tried in another way.
                let is_same = before.is(method) || !is_first && before.shown() == method.shown();
                if is_same {
                    return end(Login::Rejected(name));
                }
            }
            match self.try_method(method, credentials, &may_send, until)? {
                Login::Rejected(name) if has_both && is_first => refused = Some((method, name)),
                login => return end(login),
            }
        }
    }

    fn try_method(
        &mut self,
        method: Method<'_>,
        credentials: &Credentials,
        may_send: impl Fn(Shown) -> Result<(), Paused>,
        until: Deadline,
    ) -> Result<Login, Fault> {
        match may_send(method.shown()) {
            Ok(()) => self.login_by(method, credentials, until),
            Err(paused) => Ok(Login::NotSent(paused)),
        }
    }

    fn login_by(
        &mut self,
        method: Method<'_>,
        credentials: &Credentials,
        until: Deadline,
    ) -> Result<Login, Fault> {
        self.sent = Some(method.shown());
        let user = credentials.username.as_str();
        let (name, result) = match method {
            Method::PublicKey(key) => {
                let name = if key.certificate.is_some() { "certificate" } else { "private key" };
                (name, self.login_with_keys(user, key, &credentials.more_keys, until))
            }
            Method::Password(password) => (
                "password",
                self.drive(until, |session| session.userauth_password(user, password.expose())),
            ),
            Method::KeyboardInteractive(password) => {
                let hang_up = Arc::clone(&self.path.socket);
                let mut answers = Answers::new(user, password.expose(), hang_up);
                let result = self.drive(until, |session| {
                    session.userauth_keyboard_interactive(user, &mut answers)
                });
                match answers.left_open {
                    Some(LeftOpen::NewPassword) => return Ok(Login::PasswordExpired),
                    Some(LeftOpen::Other) => {
                        return Ok(Login::Rejected("keyboard-interactive password"));
                    }
                    None => ("keyboard-interactive password", result),
                }
            }
        };
        match result {
            Ok(()) if self.session.authenticated() => Ok(Login::Done),
            // A device that wants a second proof after the first has not let anybody in.
            Ok(()) | Err(Fault::Failed { code: -18 | -19, .. }) => Ok(Login::Rejected(name)),
            Err(Fault::Failed { code: -15, .. }) => Ok(Login::PasswordExpired),
            Err(Fault::Failed { code: -16 | -48 | -51, reason }) => Ok(Login::KeyUnusable(reason)),
            Err(Fault::Failed { code: NO_SIGNATURE, .. }) => Ok(Login::KeyUnusable(
                "the device takes no signature that it can make; an Ed25519 or ECDSA key may do"
                    .to_owned(),
            )),
            Err(fault) => Err(fault),
        }
    }

    /// What the peer was shown last, if anything.
    #[must_use]
    pub fn sent(&self) -> Option<Shown> {
        self.sent
    }

    /// Tries keys in turn until one is let in.
    fn login_with_keys(
        &mut self,
        user: &str,
        first: &PrivateKey,
        more: &[PrivateKey],
        until: Deadline,
    ) -> Result<(), Fault> {
        let mut result = self.login_with_key(user, first, until);
        for key in more {
            // Refused, or none that can be used.
            let Err(Fault::Failed { code: -16 | NO_SIGNATURE | -18 | -19 | -48 | -51, .. }) =
                result
            else {
                break;
            };
            result = self.login_with_key(user, key, until);
        }
        result
    }

    fn login_with_key(
        &mut self,
        user: &str,
        key: &PrivateKey,
        until: Deadline,
    ) -> Result<(), Fault> {
        if let Some(reason) = key_form::not_to_be_tried(key) {
            return Err(Fault::Failed { code: KEY_UNUSABLE, reason: reason.to_owned() });
        }
        let passphrase = key.passphrase.as_ref().map(Secret::expose);
        let certificate = key.certificate.as_ref().map(Certificate::line);
        self.drive(until, |session| {
            session.userauth_pubkey_memory(user, certificate, key.text.expose(), passphrase)
        })
    }
}

/// Answers a device's questions in keyboard-interactive authentication: the first hidden one, or the one for a password, with
/// the password, one for the name before that with the name, and one whether the banner is accepted with yes.
///
/// Any other wants something else: a token, or a new password, which would change the device. It gets no answer;
/// libssh2 would send an empty one, so the connection is ended instead.
struct Answers<'a> {
    user: &'a str,
    password: Option<&'a str>,
    hang_up: Socket,
    has_accepted: bool,
    left_open: Option<LeftOpen>,
}

/// A question that got no answer.
enum LeftOpen {
    NewPassword,
    Other,
}

impl<'a> Answers<'a> {
    fn new(user: &'a str, password: &'a str, hang_up: Socket) -> Self {
        Self { user, password: Some(password), hang_up, has_accepted: false, left_open: None }
    }

    fn leave_open(&mut self, question: LeftOpen) -> Vec<String> {
        self.left_open = Some(question);
        // An error means that the device was faster.
        let _ = rustix::net::shutdown(&self.hang_up, Shutdown::Both);
        Vec::new()
    }
}

impl KeyboardInteractivePrompt for Answers<'_> {
    fn prompt(
        &mut self,
        _user: &str,
        instructions: &str,
        prompts: &[ssh2::Prompt<'_>],
    ) -> Vec<String> {
        if prompts.iter().any(|prompt| NEW_PASSWORD.is_match(&prompt.text)) {
            return self.leave_open(LeftOpen::NewPassword);
        }
        let mut answers = Vec::new();
        for prompt in prompts {
            let accepts = ACCEPTS.is_match(&prompt.text);
            let wants_password = !accepts && (!prompt.echo || PASSWORD.is_match(&prompt.text));
            if wants_password && let Some(password) = self.password.take() {
                answers.push(password.to_owned());
            } else if prompt.echo && self.password.is_some() && NAME.is_match(&prompt.text) {
                answers.push(self.user.to_owned());
            } else if NEW_PASSWORD.is_match(instructions) || EXPIRED.is_match(instructions) {
                return self.leave_open(LeftOpen::NewPassword);
            } else if accepts && !std::mem::replace(&mut self.has_accepted, true) {
                answers.push("yes".to_owned());
            } else {
                return self.leave_open(LeftOpen::Other);
            }
        }
        answers
    }
}

/// A question for a password: the word stands at its end or before names (`Password for ops@newyork-rtr1:`).
static PASSWORD: LazyLock<Regex> = LazyLock::new(|| expression(r"(?i)\bpassword\b"));
/// A question for the user's name.
static NAME: LazyLock<Regex> =
    LazyLock::new(|| expression(r"(?i)\b(?:user ?-?name|user|login|account)\b[^\n]*[:>?]\s*$"));
/// A question whether a banner is accepted, which must be answered before the password is asked for. Others may want to
/// end somebody's session, or a new password.
static ACCEPTS: LazyLock<Regex> = LazyLock::new(|| {
    expression(
        r"(?i)^[^\n]*\b(?:accept|acknowledge|agree)\b[^\n]*\b(?:statement|banner|terms|notice|conditions|policy)\b[^\n]*\(yes/no\)\s*[:?]?\s*$",
    )
});
/// Words that a password is changed with. `new` in the name of a host is none of them.
static NEW_PASSWORD: LazyLock<Regex> = LazyLock::new(|| {
    expression(
        r"(?i)(?:^|\s)(?:new\s+(?:\w+\s+)?pass|(?:re-?type|re-?enter|repeat|confirm|verify)\s|must\s+(?:\w+\s+)?change|change\s+(?:\w+\s+)?password)",
    )
});
/// What is said of a password that must be changed.
static EXPIRED: LazyLock<Regex> = LazyLock::new(|| expression(r"(?i)\bexpired\b"));

fn expression(text: &str) -> Regex {
    Regex::new(text).expect("the expression is a constant that a test compiles")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_for_names_passwords_and_new_passwords_are_told_apart() {
        for text in [
            "Password: ",
            "Password for ops@newyork-rtr1:",
            "newton@10.0.0.1's password: ",
            "(ops@renewal-gw) Password: ",
            "Password for ops@exchange-sw1: ",
            "ops@expired's Password:",
        ] {
            assert!(PASSWORD.is_match(text) && !NEW_PASSWORD.is_match(text), "{text}");
            assert!(!NAME.is_match(text), "{text}");
        }
        for text in [
            "New password: ",
            "Enter new UNIX password:",
            "New Password for ops:",
            "Retype new password:",
            "Re-enter password: ",
            "Confirm password:",
            "You must change your password now",
        ] {
            assert!(NEW_PASSWORD.is_match(text), "{text}");
        }
        for (text, is_name) in [
            ("Username: ", true),
            ("login: ", true),
            ("User Name:", true),
            ("Passcode or option (1-1): ", false),
            ("Your user token, or 1 for a call: press", false),
        ] {
            assert_eq!(NAME.is_match(text), is_name, "{text}");
        }
        assert!(EXPIRED.is_match("Your password has expired."));
        let accepts = "Do you accept and acknowledge the statement above ? (yes/no) : ";
        assert!(
            ACCEPTS.is_match(accepts) && !PASSWORD.is_match(accepts) && !NAME.is_match(accepts)
        );
        for text in [
            "Do you want to unlock the account? (yes/no)",
            "Session limit reached. Do you agree to disconnect alice? (yes/no) ",
            "Do you agree to set another one now? (yes/no) ",
            "Do you accept that your password is logged? (yes/no) ",
        ] {
            assert!(!ACCEPTS.is_match(text), "{text}");
        }
    }
}
