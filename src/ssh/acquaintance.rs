//! What sessions showed of a device and a user there, for the sessions that come after.
//!
//! The methods of login need not be asked for again, lines are typed ahead to devices that have echoed before, and
//! credentials that a device has refused are not sent to it again and again, which would lock the account. In memory
//! only and bounded; no secret is kept: credentials are told apart by a hash whose key is of this process alone.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ring::{
    hmac::{Context, HMAC_SHA256, Key, Tag},
    rand::SystemRandom,
};

use crate::{
    credential::{Credentials, PrivateKey},
    device::PeerAddr,
    secret::Secret,
};

/// Devices and users that are remembered at the least; twice as many at the most, of some 300 bytes each.
const MOST_YOUNG: usize = 8192;
/// All refusals of a user at a device, whatever the credentials, against those of one.
const ANY_CREDENTIALS: usize = 2;

/// Refusals that are remembered of one user at one device.
const MOST_REFUSALS: usize = 256;

/// When credentials that were refused are not sent any more.
#[derive(Clone, Copy, Debug)]
pub struct RefusalLimits {
    /// Refusals of the same credentials by one device; 0 for no limit.
    pub most: usize,
    /// For so long; each refusal is forgotten after it.
    pub pause: Duration,
}

/// How a server lets people in, as far as it concerns us.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Methods {
    /// `publickey`
    pub public_key: bool,
    /// `password`
    pub password: bool,
    /// `keyboard-interactive`
    pub keyboard_interactive: bool,
}

/// Login is not tried, because the device would refuse it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Paused {
    /// How often it was refused.
    pub refused: usize,
    /// When it may be tried again.
    pub again_in: Duration,
}

/// What is known of a device and a user.
#[derive(Clone, Debug, Default)]
struct Known {
    /// The fingerprint of the key that the device showed.
    host_key: String,
    methods: Option<Methods>,
    /// It echoed what was typed; `false` if it dropped what was typed ahead.
    reads_ahead: Option<bool>,
    let_in: Option<Tag>,
    refusals: Vec<Refusal>,
}

#[derive(Clone, Debug)]
struct Refusal {
    tag: Tag,
    at: Instant,
    of: Shown,
}

/// What of somebody's credentials a device is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shown {
    /// Private keys, which cannot be guessed.
    Keys,
    /// The password.
    Password,
}

/// A user at a device or jump host.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Who {
    /// The last host on the way: behind two of them the same address may be two devices.
    via: Option<PeerAddr>,
    peer: PeerAddr,
    user: String,
}

/// The devices and users of late. One for the whole process.
#[derive(Debug)]
pub struct Acquaintances {
    limits: RefusalLimits,
    /// `None` if the system gave no random numbers: then refusals are not counted.
    key: Option<Key>,
    known: Mutex<Generations>,
}

/// What was used since the young were last full, and what before that.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Who, Known>,
    old: HashMap<Who, Known>,
}

impl Who {
    /// `user` at `peer`, behind `via` if there is a host on the way.
    #[must_use]
    pub fn new(via: Option<&PeerAddr>, peer: &PeerAddr, user: &str) -> Self {
        // To many a directory behind a device the letters' case makes no other user.
        Self { via: via.map(PeerAddr::key), peer: peer.key(), user: user.to_lowercase() }
    }
}

impl Who {
    /// The same user when he asks for more rights.
    #[must_use]
    pub fn enabled(&self) -> Self {
        Self { user: format!("{}\0enable", self.user), ..self.clone() }
    }
}

impl Methods {
    /// From a server's list, names between commas.
    #[must_use]
    pub fn listed(list: &str) -> Self {
        let has = |method| list.split(',').any(|one| one == method);
        Self {
            public_key: has("publickey"),
            password: has("password"),
            keyboard_interactive: has("keyboard-interactive"),
        }
    }
}

impl Acquaintances {
    /// Knows nobody yet.
    #[must_use]
    pub fn new(limits: RefusalLimits) -> Self {
        let key = Key::generate(HMAC_SHA256, &SystemRandom::new()).ok();
        Self { limits, key, known: Mutex::default() }
    }

    /// What the device listed for this user when he was last let in, unless it shows another host key now.
    #[must_use]
    pub fn methods(&self, who: &Who, host_key: &str) -> Option<Methods> {
        self.lock().find(who).filter(|known| known.host_key == host_key)?.methods
    }

    /// True if the device echoed in the last session, and dropped nothing that was typed ahead.
    #[must_use]
    pub fn reads_ahead(&self, who: &Who) -> Option<bool> {
        self.lock().find(who)?.reads_ahead
    }

    /// Remembers whether the device echoed, unless something is known already.
    pub fn has_echoed(&self, who: &Who, echoed: bool) {
        self.lock().of(who).reads_ahead.get_or_insert(echoed);
    }

    /// Remembers that the device did not take what was typed ahead.
    pub fn has_lost_lines(&self, who: &Who) {
        self.lock().of(who).reads_ahead = Some(false);
    }

    /// Remembers how the user was let in: `methods` if the device has listed any.
    pub fn let_in(&self, who: &Who, host_key: &str, methods: Option<Methods>) {
        let mut generations = self.lock();
        let known = generations.of(who);
        if known.host_key != host_key {
            host_key.clone_into(&mut known.host_key);
            known.reads_ahead = None;
        }
        known.methods = methods;
    }

    /// Remembers that the user was let in by this, and no more that it was refused.
    pub fn believed(&self, who: &Who, credentials: &Credentials, by: Shown) {
        let Some(tag) = self.tag(credentials, by) else { return };
        let mut generations = self.lock();
        let known = generations.of(who);
        known.refusals.retain(|refusal| !refusal.is_of(&tag));
        known.let_in = Some(tag);
    }

    /// Asks, as often as is wanted, whether these credentials were the last that the user was let in by, and have not been
    /// refused since.
    pub fn is_believed(&self, who: &Who, credentials: &Credentials) -> impl Fn() -> bool {
        let tags =
            Shown::of(credentials).map(|shown| shown.and_then(|of| self.tag(credentials, of)));
        move || {
            self.lock().find(who).is_some_and(|known| {
                // Who wants both is shown the password last.
                let mut tags = tags.iter().flatten();
                let let_in = known.let_in.as_ref().map(AsRef::<[u8]>::as_ref);
                let is_let_in = |tag: &Tag| let_in == Some(tag.as_ref());
                let is_refused =
                    |tag: &Tag| known.refusals.iter().any(|refusal| refusal.is_of(tag));
                tags.clone().any(is_let_in) && !tags.any(is_refused)
            })
        }
    }

    /// Forgets how the user was let in: it did not go so this time.
    pub fn forget_methods(&self, who: &Who) {
        if let Some(known) = self.lock().find(who) {
            known.methods = None;
        }
    }

    /// Remembers that the device refused this of the credentials.
    pub fn refused(&self, who: &Who, credentials: &Credentials, of: Shown, now: Instant) {
        let Some(tag) = self.tag(credentials, of).filter(|_| self.limits.most > 0) else { return };
        let mut generations = self.lock();
        let known = generations.of(who);
        known.methods = None;
        known.forget_before(now, self.limits.pause);
        if known.refusals.len() >= MOST_REFUSALS {
            // Of keys, which cannot be guessed: passwords are not sent any more before there are so many.
            let of_keys = known.refusals.iter().position(|one| one.of == Shown::Keys);
            known.refusals.remove(of_keys.unwrap_or_default());
        }
        known.refusals.push(Refusal { tag, at: now, of });
    }

    /// Whether anything of these credentials may be sent.
    ///
    /// # Errors
    /// [`Paused`]: the device has refused them, or others of this user, too often of late.
    pub fn check(&self, who: &Who, credentials: &Credentials, now: Instant) -> Result<(), Paused> {
        // Keys go first, to whoever takes them; one who has refused some does.
        let [keys, password] = Shown::of(credentials);
        let first = keys.or(password);
        first.map_or(Ok(()), |shown| self.check_shown(who, credentials, shown, now))
    }

    /// Whether this of the credentials may be sent.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn check_shown(
        &self,
        who: &Who,
        credentials: &Credentials,
        shown: Shown,
        now: Instant,
    ) -> Result<(), Paused> {
        let RefusalLimits { most, pause } = self.limits;
        let mut generations = self.lock();
        let Some(known) = generations.find(who) else { return Ok(()) };
        known.forget_before(now, pause);
        if known.refusals.is_empty() || most == 0 {
            return Ok(());
        }
        let Some(tag) = self.tag(credentials, shown) else { return Ok(()) };
        let of_this: Vec<_> = known.refusals.iter().filter(|one| one.is_of(&tag)).collect();
        let of_all: Vec<_> =
            known.refusals.iter().filter(|one| one.of == Shown::Password).collect();
        let may_guess = shown == Shown::Password
            && known.let_in.as_ref().is_none_or(|let_in| let_in.as_ref() != tag.as_ref());
        let counted = if of_this.len() >= most {
            of_this
        } else if may_guess && of_all.len() >= most * ANY_CREDENTIALS {
            of_all
        } else {
            return Ok(());
        };
        let first = counted.first().map_or(now, |one| one.at);
        let again_in = pause.saturating_sub(now.saturating_duration_since(first));
        Err(Paused { refused: counted.len(), again_in })
    }

    /// Tells what is shown apart; no secret can be had from it.
    fn tag(&self, credentials: &Credentials, of: Shown) -> Option<Tag> {
        let mut hash = Context::with_key(self.key.as_ref()?);
        let mut add = |part: Option<&str>| {
            let part = part.unwrap_or_default();
            hash.update(&part.len().to_be_bytes());
            hash.update(part.as_bytes());
        };
        match of {
            Shown::Password => add(credentials.password.as_ref().map(Secret::expose)),
            Shown::Keys => {
                for PrivateKey { text, passphrase, certificate } in
                    credentials.private_key.iter().chain(&credentials.more_keys)
                {
                    // Line ends behind it make no other key.
                    add(Some(text.expose().trim()));
                    add(passphrase.as_ref().map(Secret::expose));
                    add(certificate.as_ref().map(crate::certificate::Certificate::line));
                }
            }
        }
        Some(hash.sign())
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown {
    /// What credentials hold.
    fn of(credentials: &Credentials) -> [Option<Self>; 2] {
        [
            credentials.private_key.as_ref().map(|_| Self::Keys),
            credentials.password.as_ref().map(|_| Self::Password),
        ]
    }
}

impl Known {
    fn forget_before(&mut self, now: Instant, pause: Duration) {
        self.refusals.retain(|one| now.saturating_duration_since(one.at) < pause);
    }
}

impl Refusal {
    fn is_of(&self, tag: &Tag) -> bool {
        self.tag.as_ref() == tag.as_ref()
    }
}

impl Generations {
    fn find(&mut self, who: &Who) -> Option<&mut Known> {
        if let Some(known) = self.old.remove(who) {
            self.put(who.clone(), known);
        }
        self.young.get_mut(who)
    }

    fn of(&mut self, who: &Who) -> &mut Known {
        let known = self.old.remove(who);
        if known.is_some() || !self.young.contains_key(who) {
            self.put(who.clone(), known.unwrap_or_default());
        }
        self.young.entry(who.clone()).or_default()
    }

    fn put(&mut self, who: Who, known: Known) {
        if self.young.len() >= MOST_YOUNG {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(who, known);
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    const LIMITS: RefusalLimits = RefusalLimits { most: 2, pause: Duration::from_secs(300) };

    fn device(n: u16, user: &str) -> Who {
        Who::new(None, &SocketAddr::from(([192, 0, 2, 1], n)).into(), user)
    }

    fn user(name: &str, password: &str) -> Credentials {
        Credentials {
            username: name.to_owned(),
            password: Some(Secret::new(password.to_owned())),
            private_key: None,
            more_keys: Vec::new(),
            enable_password: None,
        }
    }

    fn with_key(name: &str, text: &str) -> Credentials {
        let key =
            PrivateKey { text: Secret::new(text.to_owned()), passphrase: None, certificate: None };
        Credentials { private_key: Some(key), password: None, ..user(name, "unused") }
    }

    #[test]
    fn credentials_that_were_refused_twice_wait_and_others_do_not() {
        let now = Instant::now();
        let known = Acquaintances::new(LIMITS);
        let (wrong, right) = (user("ops", "old"), user("ops", "new"));
        for _ in 0..2 {
            assert_eq!(known.check(&device(22, "ops"), &wrong, now), Ok(()));
            known.refused(&device(22, "ops"), &wrong, Shown::Password, now);
        }
        let paused = known.check(&device(22, "ops"), &wrong, now).unwrap_err();
        assert_eq!(paused.refused, 2);
        assert_eq!(paused.again_in, LIMITS.pause);
        assert_eq!(known.check(&device(22, "ops"), &right, now), Ok(()));
        assert_eq!(known.check(&device(23, "ops"), &wrong, now), Ok(()));
        let via = SocketAddr::from(([192, 0, 2, 9], 22)).into();
        let beyond = Who::new(Some(&via), &device(22, "ops").peer, "ops");
        assert_eq!(known.check(&beyond, &wrong, now), Ok(()));
        assert_eq!(known.check(&device(22, "other"), &user("other", "old"), now), Ok(()));
    }

    #[test]
    fn one_user_is_not_guessed_at_and_whoever_was_let_in_is_not_shut_out_by_it() {
        let now = Instant::now();
        let known = Acquaintances::new(LIMITS);
        let right = user("ops", "right");
        known.believed(&device(22, "ops"), &right, Shown::Password);
        for guess in 0..4 {
            let guess = user("ops", &guess.to_string());
            assert_eq!(known.check(&device(22, "ops"), &guess, now), Ok(()));
            known.refused(&device(22, "ops"), &guess, Shown::Password, now);
        }
        assert_eq!(known.check(&device(22, "ops"), &user("ops", "5"), now).unwrap_err().refused, 4);
        assert_eq!(known.check(&device(22, "ops"), &right, now), Ok(()));
        // Keys that were refused are no guesses, and none is kept from being tried by them.
        for n in 0..1000 {
            let key = with_key("ops", &n.to_string());
            assert_eq!(known.check(&device(23, "ops"), &key, now), Ok(()));
            known.refused(&device(23, "ops"), &key, Shown::Keys, now);
        }
        assert_eq!(known.check(&device(23, "ops"), &right, now), Ok(()));
        known.refused(&device(23, "ops"), &with_key("ops", "999"), Shown::Keys, now);
        assert!(known.check(&device(23, "ops"), &with_key("ops", "999"), now).is_err());
        // Nor do they make the device forget guesses.
        for n in 0..1000 {
            known.refused(&device(22, "ops"), &with_key("ops", &n.to_string()), Shown::Keys, now);
        }
        assert_eq!(known.check(&device(22, "ops"), &user("ops", "6"), now).unwrap_err().refused, 4);
    }

    /// A key beside a password is not what is guessed at, and a user is one in letters of either case.
    #[test]
    fn no_key_beside_it_and_no_spelling_of_the_name_lets_a_password_be_guessed() {
        let now = Instant::now();
        let known = Acquaintances::new(LIMITS);
        let guess = |n: usize, name: &str| Credentials {
            password: Some(Secret::new(n.to_string())),
            ..with_key(name, &format!("key{}", "\n".repeat(n)))
        };
        for n in 0..4 {
            let name = ["ops", "OPS"][n % 2];
            let (who, guess) = (device(22, name), guess(n, name));
            assert_eq!(known.check_shown(&who, &guess, Shown::Password, now), Ok(()));
            known.refused(&who, &guess, Shown::Password, now);
        }
        for name in ["ops", "Ops"] {
            let (who, guess) = (device(22, name), guess(9, name));
            assert!(known.check_shown(&who, &guess, Shown::Password, now).is_err());
            assert_eq!(known.check(&who, &guess, now), Ok(()), "the key may let him in");
        }
        for n in 0..2 {
            known.refused(&device(22, "ops"), &guess(n, "ops"), Shown::Keys, now);
        }
        assert!(known.check(&device(22, "ops"), &guess(7, "ops"), now).is_err(), "the same key");
    }

    #[test]
    fn a_refusal_is_forgotten_in_time_and_when_the_user_is_let_in() {
        let now = Instant::now();
        let known = Acquaintances::new(RefusalLimits { most: 1, ..LIMITS });
        let ops = user("ops", "x");
        known.refused(&device(22, "ops"), &ops, Shown::Password, now);
        let half = now + LIMITS.pause / 2;
        let paused = known.check(&device(22, "ops"), &ops, half).unwrap_err();
        assert_eq!(paused.again_in, LIMITS.pause / 2);
        assert_eq!(known.check(&device(22, "ops"), &ops, now + LIMITS.pause), Ok(()));
        let known = Acquaintances::new(LIMITS);
        known.refused(&device(22, "ops"), &ops, Shown::Password, now);
        known.believed(&device(22, "ops"), &ops, Shown::Password);
        known.refused(&device(22, "ops"), &ops, Shown::Password, now);
        assert_eq!(known.check(&device(22, "ops"), &ops, now), Ok(()));
        let off = Acquaintances::new(RefusalLimits { most: 0, ..LIMITS });
        off.refused(&device(22, "ops"), &ops, Shown::Password, now);
        assert_eq!(off.check(&device(22, "ops"), &ops, now), Ok(()));
    }

    #[test]
    fn methods_are_of_a_device_and_its_key_and_a_refusal_forgets_them() {
        let now = Instant::now();
        let known = Acquaintances::new(LIMITS);
        let ops = user("ops", "x");
        let methods = Methods::listed("publickey,keyboard-interactive");
        assert_eq!((methods.public_key, methods.password), (true, false));
        known.let_in(&device(22, "ops"), "SHA256:a", Some(methods));
        known.has_echoed(&device(22, "ops"), true);
        assert_eq!(known.methods(&device(22, "ops"), "SHA256:a"), Some(methods));
        assert_eq!(known.methods(&device(22, "ops"), "SHA256:b"), None);
        assert_eq!(known.methods(&device(22, "guest"), "SHA256:a"), None);
        assert_eq!(known.reads_ahead(&device(22, "ops")), Some(true));
        known.has_lost_lines(&device(22, "ops"));
        known.has_echoed(&device(22, "ops"), true);
        assert_eq!(known.reads_ahead(&device(22, "ops")), Some(false));
        known.refused(&device(22, "ops"), &ops, Shown::Password, now);
        assert_eq!(known.methods(&device(22, "ops"), "SHA256:a"), None);
        known.let_in(&device(22, "ops"), "SHA256:b", Some(methods));
        assert_eq!(known.reads_ahead(&device(22, "ops")), None, "another device");
    }

    #[test]
    fn no_more_are_remembered_than_may_be_and_those_in_use_stay() {
        let now = Instant::now();
        let known = Acquaintances::new(LIMITS);
        known.let_in(&device(1, "keep"), "SHA256:a", Some(Methods::default()));
        for n in 0..5 * MOST_YOUNG {
            let name = n.to_string();
            known.refused(&device(1, &name), &user(&name, "x"), Shown::Password, now);
            if n % 1000 == 0 {
                assert!(known.methods(&device(1, "keep"), "SHA256:a").is_some());
            }
        }
        let generations = known.lock();
        assert!(generations.young.len() <= MOST_YOUNG && generations.old.len() <= MOST_YOUNG);
        assert!(generations.young.len() + generations.old.len() > MOST_YOUNG);
    }
}
