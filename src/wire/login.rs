//! Who logs in to a device or a jump host, as a request writes it down: secrets of its own, or the name of a set.

use std::borrow::Cow;

use super::{
    field::{Faults, Found, Object, Place, text},
    json::Json,
    request::{RequestRules, read_secret, read_username},
};
use crate::{
    certificate::Certificate,
    device::{Credentials, Login, PrivateKey},
    jump::Hop,
    secret::Secret,
    ssh_policy::OwnLogin,
};

/// The field that names a set.
const CREDENTIAL: &str = "credential";
/// The field that may be empty.
const ENABLE: &str = "enable_password";
/// Longest password, in characters.
const WORD_CHARS: usize = 1024;
/// Longest private key, in characters.
const KEY_CHARS: usize = 32 * 1024;

/// What is there but wrong has been reported, and is not "not given".
struct Wrong;

type Given = Result<Option<Secret>, Wrong>;

/// The fields that come first; others stand between them and the rest.
pub(super) struct First {
    username: Option<String>,
    password: Given,
    /// The operator's keys, where the request brings nothing.
    own_keys: Option<(PrivateKey, Vec<PrivateKey>)>,
}

/// Reads user name and password; they are needed where no set and no key stands for them.
///
/// What the request gives goes; only where it gives nothing does the operator's `own` login.
pub(super) fn first(object: &mut Object<'_>, own: Option<OwnLogin>, faults: &mut Faults) -> First {
    if object.has(CREDENTIAL) {
        refuse(object, "username", faults);
        refuse(object, "password", faults);
        return First { username: None, password: Ok(None), own_keys: None };
    }
    let own = own.filter(|_| !object.has("private_key") && !object.has("password"));
    let (own_user, own_keys) = match own {
        Some(OwnLogin { user, key, more_keys }) => (user, Some((key, more_keys))),
        None => (None, None),
    };
    let username = match own_user {
        Some(user) => own_username(user, object.optional("username"), faults),
        None => object.required("username", faults).and_then(|found| read_username(found, faults)),
    };
    let password = if object.has("private_key") || own_keys.is_some() {
        object.optional("password")
    } else {
        object.required("password", faults)
    };
    First { username, password: given(password, "Password", WORD_CHARS, faults), own_keys }
}

/// The user that the operator's key is for: a caller chooses no other one for it.
fn own_username(user: String, found: Option<Found<'_>>, faults: &mut Faults) -> Option<String> {
    let Some(found) = found else { return Some(user) };
    let place = found.1;
    let named = read_username(found, faults)?;
    if named != user {
        faults
            .value(&place, "The service's key for this device is another user's: give `password`");
        return None;
    }
    Some(user)
}

/// Reads the rest; `with_enable` where there is something to enable.
pub(super) fn rest(
    First { username, password, own_keys }: First,
    object: &mut Object<'_>,
    with_enable: bool,
    rules: &RequestRules<'_>,
    faults: &mut Faults,
) -> Option<Login> {
    let is_set = object.has(CREDENTIAL);
    // An empty one is none, as the predecessor took it.
    let no_enable = !with_enable || object.take_empty(ENABLE);
    let mut secret = |name, what, most| {
        if is_set {
            refuse(object, name, faults);
            return Ok(None);
        }
        given(object.optional(name), what, most, faults)
    };
    let enable = if no_enable { Ok(None) } else { secret(ENABLE, "Enable password", WORD_CHARS) };
    let key = secret("private_key", "Private key", KEY_CHARS);
    let passphrase = secret("private_key_passphrase", "Passphrase", WORD_CHARS);
    let certificate = if is_set {
        refuse(object, "certificate", faults);
        Ok(None)
    } else {
        read_certificate(object, matches!(key, Ok(None)), faults)
    };
    if let Some(found) = object.optional(CREDENTIAL) {
        return read_set(found, rules, faults);
    }
    let (password, enable_password) = (password.ok()?, enable.ok()?);
    let (key, passphrase) = (key.ok()?, passphrase.ok()?);
    let certificate = certificate.ok()?;
    let (own_key, more_keys) = own_keys.unzip();
    let private_key = key.map(|text| PrivateKey { text, passphrase, certificate }).or(own_key);
    let more_keys = more_keys.unwrap_or_default();
    let username = username?;
    Some(Login::Given(Box::new(Credentials {
        username,
        password,
        private_key,
        more_keys,
        enable_password,
    })))
}

/// Notes a fault if a set would be sent through hosts that the request brings: they could lead to anywhere.
///
/// `place` is that of the object that names the set; true if all is well.
pub(super) fn check_way(login: &Login, before: &[Hop], place: &Place, faults: &mut Faults) -> bool {
    let is_well = login.set().is_none() || before.iter().all(|hop| hop.is_own);
    if !is_well {
        faults.value(
            &place.field(CREDENTIAL),
            "A credential set is not sent through jump hosts that the request brings; go through those of the service's settings, by name",
        );
    }
    is_well
}

fn read_certificate(
    object: &mut Object<'_>,
    has_no_key: bool,
    faults: &mut Faults,
) -> Result<Option<Certificate>, Wrong> {
    let Some(found) = object.optional("certificate") else { return Ok(None) };
    let place = found.1;
    let text = text(found, faults).ok_or(Wrong)?;
    if has_no_key {
        faults.value(&place, "A certificate goes with its `private_key`");
        return Err(Wrong);
    }
    let read = Certificate::parse(&text).map_err(|error| faults.value(&place, error));
    read.map(Some).map_err(|()| Wrong)
}

/// One sentence for a set that is not there and for one that is not for this caller: names cannot be probed.
fn read_set(found: Found<'_>, rules: &RequestRules<'_>, faults: &mut Faults) -> Option<Login> {
    let place = found.1;
    let name = text(found, faults)?;
    let set = rules.ssh.credentials.named(&name, rules.asking).cloned();
    if set.is_none() {
        faults.value(
            &place,
            "There is no credential set of this name for this caller; the service's operator says which there are",
        );
    }
    set.map(Login::Set)
}

/// Notes a fault if the field is there.
fn refuse(object: &mut Object<'_>, name: &'static str, faults: &mut Faults) {
    if let Some((value, place)) = object.optional(name) {
        faults.value(
            &place,
            format_args!("A credential set brings its own; leave out `{name}` or `{CREDENTIAL}`"),
        );
        // One that is borrowed is the body's own, and there is no copy to wipe.
        if let Json::Text(Cow::Owned(text)) = value {
            drop(Secret::new(text));
        }
    }
}

fn given(found: Option<Found<'_>>, what: &str, most: usize, faults: &mut Faults) -> Given {
    found.map(|found| read_secret(found, what, most, faults).ok_or(Wrong)).transpose()
}
