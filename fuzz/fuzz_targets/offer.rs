//! A peer's first bytes are read without a panic, and what is said of them is short and printable.
#![no_main]

use libfuzzer_sys::fuzz_target;
use showrunner::{
    profile::SshProfile,
    ssh::offer::{Reading, read, read_packet},
};

const HEAD: &[u8] = &[4, 20, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7];

/// A message as long as its packet says; with `lists` its lists are as long as they say, too.
fn packet(bytes: &[u8], lists: bool) -> Vec<u8> {
    let mut message = HEAD.to_vec();
    if lists {
        for list in bytes.split(|byte| *byte == 0xff) {
            message.extend(u32::try_from(list.len()).expect("inputs are short").to_be_bytes());
            message.extend(list);
        }
    } else {
        message.extend(bytes);
    }
    let length = u32::try_from(message.len()).expect("inputs are short");
    [&length.to_be_bytes(), message.as_slice()].concat()
}

fn say(reading: Reading) {
    let Reading::Done(offer) = reading else { return };
    for profile in [SshProfile::Modern, SshProfile::Legacy] {
        if let Some(said) = offer.explain(profile) {
            assert!(said.len() < 5000 && said.chars().all(|c| (' '..='~').contains(&c)));
        }
    }
}

fuzz_target!(|input: (u8, &[u8])| {
    let (shape, bytes) = input;
    match shape % 4 {
        0 => say(read(bytes)),
        1 => say(read_packet(bytes)),
        2 => say(read_packet(&packet(bytes, false))),
        _ => say(read(&[b"SSH-2.0-x\r\n", packet(bytes, true).as_slice()].concat())),
    }
});
