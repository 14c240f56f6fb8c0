//! The hosts on the way to a device, as a request writes them down.

use std::sync::Arc;

use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    field::{Faults, Found, Object, Place, list},
    json::Json,
    login,
    request::{RequestRules, read_host, read_pin, read_port, read_profile},
};
use crate::{
    host_key::HostKeyCheck,
    jump::{Hop, MOST_HOPS},
    profile::SshProfile,
};

/// A host on the way to a device: one that the service knows by name, or one with all that it needs.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub enum JumpRequest {
    /// The name of a jump host of the service's settings.
    #[schema(example = "bastion-1")]
    Named(String),
    /// A host of the request's own.
    Own(JumpHostRequest),
}

/// A host on the way to a device: logged in to with SSH, it connects to the next one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the body; `read` below reads it, to report every fault")]
pub struct JumpHostRequest {
    /// Address (IPv4, or IPv6 without brackets) or DNS name.
    #[schema(min_length = 1, max_length = 255, example = "192.0.2.10")]
    hostname: String,
    /// TCP port of its SSH server.
    #[serde(default)]
    #[schema(default = 22, minimum = 1, maximum = 65535)]
    port: u16,
    /// Name of a credential set that the service's operator keeps, instead of user name and secrets.
    #[schema(nullable, max_length = 64)]
    credential: Option<String>,
    /// Login name there.
    #[schema(min_length = 1, max_length = 255, example = "hop")]
    username: Option<String>,
    /// Login password there; may be left out if a private key is given.
    #[schema(max_length = 1024, format = Password)]
    password: Option<String>,
    /// Private key in OpenSSH or PEM form.
    #[schema(format = Password, nullable)]
    private_key: Option<String>,
    /// What the private key is encrypted with.
    #[schema(format = Password, nullable)]
    private_key_passphrase: Option<String>,
    /// OpenSSH certificate of the private key.
    #[schema(nullable, max_length = 65536)]
    certificate: Option<String>,
    /// SSH algorithms to offer there.
    ssh_profile: Option<SshProfile>,
    /// The SSH key it must show, as with devices.
    #[schema(nullable, max_length = 4096)]
    host_key: Option<String>,
}

/// Reads the hosts on the way; `None` if anything is wrong with them.
pub(super) fn read(
    found: Found<'_>,
    rules: &RequestRules<'_>,
    faults: &mut Faults,
) -> Option<Vec<Hop>> {
    let (hops, place) = list(found, faults)?;
    if hops.len() > MOST_HOPS {
        faults.value(&place, format_args!("At most {MOST_HOPS} jump hosts are gone through"));
        return None;
    }
    let hops = hops.into_iter().enumerate();
    // Every fault of every hop, and only then whether there was one.
    let hops: Vec<_> =
        hops.map(|(index, hop)| read_hop(hop, place.item(index), rules, faults)).collect();
    let hops: Vec<Hop> = hops.into_iter().collect::<Option<_>>()?;
    let mut is_well = true;
    for (index, hop) in hops.iter().enumerate() {
        let (before, place) = (hops.get(..index).unwrap_or_default(), place.item(index));
        if !hop.is_own {
            is_well &= login::check_way(&hop.login, before, &place, faults);
        } else if before.iter().any(|hop| !hop.is_own) {
            // Its password would go wherever the host before it leads.
            faults.value(
                &place,
                "A jump host of the service's settings stands before those that the request brings",
            );
            is_well = false;
        }
    }
    is_well.then_some(hops)
}

fn read_hop(
    value: Json<'_>,
    place: Place,
    rules: &RequestRules<'_>,
    faults: &mut Faults,
) -> Option<Hop> {
    if let Json::Text(name) = value {
        let known = rules.ssh.jumps.named(&name).cloned();
        if known.is_none() {
            faults.value(&place, "The service's settings have no jump host of this name");
        }
        return known;
    }
    let mut object = Object::read(value, place, faults)?;
    let host = object.required("hostname", faults).and_then(|found| read_host(found, faults));
    let port = object.optional("port").map_or(Some(22), |found| read_port(found, faults));
    let first = login::first(&mut object, None, faults);
    let login = login::rest(first, &mut object, false, rules, faults);
    let profile = object.optional("ssh_profile").map(|found| read_profile(found, faults).ok_or(()));
    let profile = profile.transpose();
    let pin = object.optional("host_key").map(|found| read_pin(found, faults).ok_or(()));
    let pin = pin.transpose();
    object.finish(faults);
    let (profile, pin, login) = (profile.ok()?, pin.ok()?, login?);
    Some(Hop {
        host: host?,
        port: port?,
        profile: profile.unwrap_or(rules.ssh.profile),
        is_own: false,
        host_key: HostKeyCheck {
            pin,
            proof: login.set().map(|set| set.proof).unwrap_or_default(),
            rules: Arc::clone(&rules.ssh.host_keys),
            alias: None,
        },
        login,
        connect_timeout: None,
        resolves_there: false,
    })
}
