//! Devices over real SSH: logins, counts, keys, and many at a time.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use russh::keys::{Algorithm, PrivateKey, key::safe_rng};

use super::{
    client::{End, Proof, Stop, Terminal, connect, log_in},
    fault::Fault,
    fleet::Fleet,
    persona::Persona,
    server::{AuthKind, DeviceOptions, FakeDevice},
};

async fn device(persona: &str, options: DeviceOptions) -> FakeDevice {
    FakeDevice::spawn(Persona::embedded(persona).unwrap(), options).await.unwrap()
}

/// Other tasks get their turns until it is so.
async fn until(done: impl Fn() -> bool) {
    for _ in 0..2000 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not so after ten seconds");
}

#[tokio::test]
async fn a_session_from_its_login_to_its_logout_is_shown_and_counted() {
    let device = device("cisco_ios", DeviceOptions::default()).await;
    let mut terminal = Terminal::open(&device).await;
    let greeting = terminal.until("edge1#").await;
    assert!(greeting.contains("Authorised access only"), "{greeting}");
    assert_eq!(terminal.run("terminal length 0", "edge1#").await, "terminal length 0\r\nedge1#");
    let shown = terminal.run("sh ip int br | i Vlan10", "edge1#").await;
    assert!(shown.starts_with("sh ip int br | i Vlan10\r\nVlan10 "), "{shown}");
    assert_eq!(shown.lines().count(), 3, "{shown}");
    assert_eq!((device.open_sessions(), device.clean_logouts()), (1, 0));
    terminal.send("exit\n").await;
    terminal.rest().await;
    assert_eq!(terminal.ended, Some(End::Closed));
    terminal.leave().await;
    until(|| device.open_sessions() == 0).await;
    let lines = ["terminal length 0", "sh ip int br | i Vlan10", "exit"];
    assert_eq!(device.received_lines(), lines);
    assert_eq!(
        device.received(),
        [lines.join("\n").into_bytes().into_iter().chain([b'\n']).collect::<Vec<_>>()]
    );
    assert_eq!((device.logins(), device.login_attempts(), device.clean_logouts()), (1, 1, 1));
    assert_eq!((device.sessions_seen(), device.most_open_sessions()), (1, 1));
}

#[tokio::test]
async fn a_device_that_is_far_away_shows_the_same_and_takes_its_time() {
    let round_trip = Duration::from_millis(20);
    let far = device("cisco_ios", DeviceOptions { round_trip, ..DeviceOptions::default() }).await;
    let begun = std::time::Instant::now();
    let mut terminal = Terminal::open(&far).await;
    terminal.until("edge1#").await;
    // Versions, keys, login, channel and terminal are at least five questions with an answer each.
    assert!(begun.elapsed() >= 5 * round_trip, "{:?}", begun.elapsed());
    let asked = std::time::Instant::now();
    let shown = terminal.run("terminal length 0", "edge1#").await;
    assert_eq!(shown, "terminal length 0\r\nedge1#");
    assert!(asked.elapsed() >= round_trip, "{:?}", asked.elapsed());
    terminal.send("exit\n").await;
    terminal.rest().await;
    assert_eq!(terminal.ended, Some(End::Closed));
    terminal.leave().await;
    until(|| far.open_sessions() == 0).await;
}

#[tokio::test]
async fn each_way_to_log_in_works_where_it_is_offered_and_nowhere_else() {
    let mine = Arc::new(PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap());
    let other = Arc::new(PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap());
    let refused = Err(Stop::Auth(End::Refused));
    let cases = [
        (AuthKind::Password, Proof::Password("demo"), Ok(())),
        (AuthKind::Password, Proof::Password("wrong"), refused),
        (AuthKind::Password, Proof::Questions("demo"), refused),
        (AuthKind::KeyboardInteractive, Proof::Questions("demo"), Ok(())),
        (AuthKind::KeyboardInteractive, Proof::Questions("wrong"), refused),
        (AuthKind::KeyboardInteractive, Proof::Password("demo"), refused),
        (AuthKind::Both, Proof::Password("demo"), Ok(())),
        (AuthKind::Both, Proof::Questions("demo"), Ok(())),
        (AuthKind::PublicKey, Proof::Key(Arc::clone(&mine)), Ok(())),
        (AuthKind::PublicKey, Proof::Key(other), refused),
        (AuthKind::PublicKey, Proof::Password("demo"), refused),
        (AuthKind::None, Proof::None, Ok(())),
        (AuthKind::Password, Proof::None, refused),
    ];
    for (at, (auth, proof, want)) in cases.into_iter().enumerate() {
        let authorized_keys = vec![mine.public_key().to_openssh().unwrap()];
        let options = DeviceOptions { authorized_keys, auth, ..DeviceOptions::default() };
        let device = device("cisco_ios", options).await;
        let wait = Duration::from_secs(20);
        let mut session = connect(device.addr(), wait).await.unwrap();
        assert_eq!(log_in(&mut session, &proof, wait).await, want, "{at} {auth:?}");
        assert_eq!(device.logins(), usize::from(want.is_ok()), "{at} {auth:?}");
    }
}

#[tokio::test]
async fn where_ssh_asks_nothing_the_terminal_does() {
    let options = DeviceOptions { auth: AuthKind::None, ..DeviceOptions::default() };
    let device = device("cisco_wlc", options).await;
    let mut terminal = Terminal::try_open(&device, &Proof::None).await.ok().unwrap();
    terminal.until("User: ").await;
    terminal.run("demo", "Password:").await;
    let again = terminal.run("wrong", "User: ").await;
    assert!(!again.contains("wrong"), "{again}");
    terminal.run("demo", "Password:").await;
    let shown = terminal.run("demo", ">").await;
    assert!(shown.ends_with("(wlc1) >"), "{shown}");
}

#[tokio::test]
async fn enable_asks_for_its_own_password_and_shows_nothing_of_it() {
    let enable_password = Some("s3cret".to_owned());
    let device =
        device("cisco_ios", DeviceOptions { enable_password, ..DeviceOptions::default() }).await;
    let mut terminal = Terminal::open(&device).await;
    terminal.until("edge1>").await;
    let shown = terminal.run("show running-config", "edge1>").await;
    assert!(shown.contains("% Invalid input"), "{shown}");
    terminal.run("enable", "Password: ").await;
    let shown = terminal.run("wrong", "edge1>").await;
    assert!(shown.contains("% Access denied") && !shown.contains("wrong"), "{shown}");
    terminal.run("en", "Password: ").await;
    assert_eq!(terminal.run("s3cret", "edge1#").await, "\r\nedge1#");
    assert_eq!(terminal.run("show clock", "edge1#").await.lines().count(), 3);
}

#[tokio::test]
async fn a_seed_gives_the_same_host_key_again() {
    let seeded = |host_key_seed| DeviceOptions { host_key_seed, ..DeviceOptions::default() };
    let one = device("cisco_ios", seeded(Some(1))).await;
    let again = device("cisco_nxos", seeded(Some(1))).await;
    let other = device("cisco_ios", seeded(Some(2))).await;
    let random = device("cisco_ios", seeded(None)).await;
    assert!(one.fingerprint().starts_with("SHA256:"));
    assert_eq!(one.fingerprint(), again.fingerprint());
    assert_ne!(one.fingerprint(), other.fingerprint());
    assert_ne!(one.fingerprint(), random.fingerprint());
}

#[tokio::test]
async fn one_terminal_too_many_is_told_so_and_a_freed_one_is_given_again() {
    let options = DeviceOptions { max_sessions: Some(2), ..DeviceOptions::default() };
    let device = device("cisco_nxos", options).await;
    let mut first = Terminal::open(&device).await;
    first.until("spine1# ").await;
    let mut second = Terminal::open(&device).await;
    second.until("spine1# ").await;
    let mut third = Terminal::open(&device).await;
    assert!(third.rest().await.contains("CLI session limit"));
    assert_eq!(third.ended, Some(End::Closed));
    third.leave().await;
    first.leave().await;
    until(|| device.open_sessions() == 1).await;
    let mut fourth = Terminal::open(&device).await;
    fourth.until("spine1# ").await;
}

#[tokio::test]
async fn a_device_takes_its_sessions_with_it() {
    let device = device("cisco_ios", DeviceOptions::default()).await;
    let mut terminal = Terminal::open(&device).await;
    terminal.until("edge1#").await;
    let addr = device.addr();
    drop(device);
    terminal.rest().await;
    assert_eq!(terminal.ended, Some(End::Closed));
    until(|| std::net::TcpStream::connect(addr).is_err()).await;
}

#[tokio::test]
async fn bytes_come_in_the_pieces_that_were_asked_for_and_are_the_same_bytes() {
    let mut screens = Vec::new();
    for write_chunk in [1, 7, 32 * 1024] {
        let options = DeviceOptions { write_chunk, ..DeviceOptions::default() };
        let device = device("juniper_junos", options).await;
        let mut terminal = Terminal::open(&device).await;
        terminal.until("demo@mx1> ").await;
        terminal.run("show configuration | no-more", "demo@mx1> ").await;
        screens.push(terminal.screen.clone());
    }
    assert_eq!(screens[0], screens[1]);
    assert_eq!(screens[1], screens[2]);
}

#[tokio::test]
async fn a_hundred_mebibytes_come_whole_and_do_not_pile_up() {
    let options = DeviceOptions { faults: vec![Fault::HugeOutput], ..DeviceOptions::default() };
    let device = device("cisco_ios", options).await;
    let mut terminal = Terminal::open(&device).await;
    terminal.until("edge1#").await;
    terminal.run("terminal length 0", "edge1#").await;
    terminal.send("show version\n").await;
    // Every line feed of the text has a carriage return before it on the screen.
    let mebibytes = (100 << 20) + (100 << 20) / 64;
    terminal.at_least(mebibytes).await;
    assert!(terminal.screen.len() >= mebibytes);
}

#[tokio::test]
async fn two_hundred_sessions_run_at_once_on_one_device() {
    let device = Arc::new(device("cisco_ios", DeviceOptions::default()).await);
    let sessions: Vec<_> = (0..200)
        .map(|_| {
            let device = Arc::clone(&device);
            tokio::spawn(async move {
                let mut terminal = Terminal::open(&device).await;
                terminal.until("edge1#").await;
                let shown = terminal.run("show version", "edge1#").await;
                (terminal, shown)
            })
        })
        .collect();
    let mut shown = Vec::new();
    let mut open = Vec::new();
    for session in sessions {
        let (terminal, text) = session.await.unwrap();
        open.push(terminal);
        shown.push(text);
    }
    assert_eq!(device.open_sessions(), 200);
    assert!(shown.iter().all(|text| *text == shown[0]));
    for mut terminal in open {
        terminal.send("exit\n").await;
        terminal.leave().await;
    }
    until(|| device.open_sessions() == 0).await;
    assert_eq!(device.sessions_seen(), 200);
}

#[tokio::test]
async fn old_algorithms_are_the_only_ones_of_an_old_device() {
    let options = DeviceOptions { old_algorithms: true, ..DeviceOptions::default() };
    let device = device("cisco_ios", options).await;
    assert!(matches!(
        connect(device.addr(), Duration::from_secs(20)).await,
        Err(Stop::Handshake(End::Closed))
    ));
}

#[tokio::test]
async fn every_device_of_the_fleet_has_a_port_of_its_own_and_shows_its_prompt() {
    let fleet = Fleet::spawn_demo([127, 0, 0, 1].into(), 0).await.unwrap();
    let ports: BTreeSet<u16> = fleet.devices().iter().map(|member| member.addr.port()).collect();
    assert_eq!(ports.len(), fleet.devices().len());
    assert!(ports.len() >= 7);
    for member in fleet.devices() {
        let mut terminal = Terminal::open_at(member.addr).await;
        let shown = terminal.rest().await;
        assert!(shown.contains(&member.name), "{}: {shown:?}", member.name);
    }
}
