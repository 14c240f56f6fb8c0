//! Every fault by its name does what its sentence says, as far as a client can see.

use std::{collections::BTreeSet, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinSet,
};

use super::{
    client::{End, Proof, SILENCE, Stop, Terminal},
    fault::Fault,
    persona::Persona,
    server::{DeviceOptions, FakeDevice},
};

const LOG: &str = "*Nov 21 10:00:00.123: %";
const SHORT: &str = "show clock";
const CLOCK: &str = "10:00:00.000 UTC Sat Nov 21 2026";

async fn device(fault: Fault) -> FakeDevice {
    let options = DeviceOptions { faults: vec![fault], ..DeviceOptions::default() };
    FakeDevice::spawn(Persona::embedded("cisco_ios").unwrap(), options).await.unwrap()
}

/// The first bytes that a port says.
async fn first_bytes(device: &FakeDevice, most: usize) -> Vec<u8> {
    let mut socket = tokio::net::TcpStream::connect(device.addr()).await.unwrap();
    let _ = socket.write_all(b"SSH-2.0-Test\r\n").await;
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while bytes.len() < most {
        match tokio::time::timeout(SILENCE, socket.read(&mut buffer)).await {
            Ok(Ok(read)) if read > 0 => bytes.extend_from_slice(&buffer[..read]),
            _ => break,
        }
    }
    bytes
}

/// Devices that let nobody as far as a shell: where it ends, and how.
const BEFORE_THE_SHELL: [(Fault, Stop); 30] = [
    // This client says "demo" to every question.
    (Fault::AuthAcknowledge, Stop::Auth(End::Refused)),
    (Fault::AuthDenied, Stop::Auth(End::Refused)),
    (Fault::AuthPartial, Stop::Auth(End::Refused)),
    (Fault::AuthSilent, Stop::Auth(End::Silent)),
    (Fault::AuthToken, Stop::Auth(End::Refused)),
    (Fault::ChannelRefused, Stop::Channel(End::Refused)),
    (Fault::CloseAfterAuth, Stop::Channel(End::Closed)),
    (Fault::CloseAfterBanner, Stop::Handshake(End::Closed)),
    (Fault::CloseAfterPty, Stop::Pty(End::Closed)),
    (Fault::CloseAfterShell, Stop::Shell(End::Closed)),
    (Fault::CloseAtAccept, Stop::Handshake(End::Closed)),
    (Fault::CloseAtChannel, Stop::Channel(End::Closed)),
    (Fault::CloseInAuth, Stop::Auth(End::Closed)),
    (Fault::CloseInKex, Stop::Handshake(End::Closed)),
    (Fault::Drip, Stop::Handshake(End::Silent)),
    (Fault::GarbageInKex, Stop::Handshake(End::Closed)),
    (Fault::HugePacket, Stop::Handshake(End::Closed)),
    (Fault::IgnoreFlood, Stop::Handshake(End::Silent)),
    (Fault::IgnoreFloodAfterLogin, Stop::Channel(End::Silent)),
    (Fault::NoCommonCipher, Stop::Handshake(End::Closed)),
    (Fault::NoCommonHostKey, Stop::Handshake(End::Closed)),
    (Fault::NoCommonKeyExchange, Stop::Handshake(End::Closed)),
    (Fault::NoCommonMac, Stop::Handshake(End::Closed)),
    (Fault::NotSsh, Stop::Handshake(End::Closed)),
    (Fault::PasswordChange, Stop::Auth(End::Refused)),
    (Fault::PasswordExpired, Stop::Auth(End::Silent)),
    (Fault::PtyRefused, Stop::Pty(End::Refused)),
    (Fault::ShellRefused, Stop::Shell(End::Refused)),
    (Fault::SilentPort, Stop::Handshake(End::Silent)),
    // This client takes the line for one of those that may stand before the version.
    (Fault::WrongVersion, Stop::Handshake(End::Silent)),
];

/// Where the client library's own answer varies: what the port says is looked at instead.
const LOOKED_AT_CLOSER: [Fault; 3] =
    [Fault::CloseBeforeAuth, Fault::FloodBeforeBanner, Fault::NoCommonCompression];

fn proof(fault: Fault) -> Proof {
    match fault {
        Fault::AuthAcknowledge
        | Fault::AuthThreeSteps
        | Fault::AuthToken
        | Fault::KeyboardInteractiveOnly
        | Fault::PasswordChange => Proof::Questions("demo"),
        _ => Proof::Password("demo"),
    }
}

#[tokio::test]
async fn faults_before_the_shell_stop_a_client_where_they_say() {
    let mut cases = JoinSet::new();
    for (fault, want) in BEFORE_THE_SHELL {
        cases.spawn(async move {
            let device = device(fault).await;
            (fault.name(), Terminal::try_open(&device, &proof(fault)).await.err(), Some(want))
        });
    }
    let wrong: Vec<_> =
        cases.join_all().await.into_iter().filter(|(_, got, want)| got != want).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[tokio::test]
async fn what_a_port_says_first_is_what_its_fault_says() {
    let flood = first_bytes(&device(Fault::FloodBeforeBanner).await, 20_000).await;
    assert!(flood.len() >= 20_000 && !flood.windows(4).any(|four| four == b"SSH-"));
    let lines = first_bytes(&device(Fault::LinesBeforeVersion).await, 100).await;
    let text = String::from_utf8_lossy(&lines);
    assert!(text.starts_with("This system") && text.contains("\r\nSSH-2.0-"), "{text}");
    let flood = first_bytes(&device(Fault::IgnoreFlood).await, 50_000).await;
    assert!(flood.starts_with(b"SSH-2.0-") && flood.len() >= 50_000);
    let offers = [
        (Fault::NoCommonCipher, "arcfour"),
        (Fault::NoCommonCompression, "lzma@example.net"),
        (Fault::NoCommonHostKey, "ssh-dss"),
        (Fault::NoCommonMac, "hmac-md5-96"),
        (Fault::NoCommonKeyExchange, "diffie-hellman-group1-sha1"),
    ];
    for (fault, name) in offers {
        let offer = first_bytes(&device(fault).await, 1 << 16).await;
        assert!(String::from_utf8_lossy(&offer).contains(name), "{fault:?}");
    }
    let drops = first_bytes(&device(Fault::Drip).await, 3).await;
    assert!(b"SSH-2.0-".starts_with(&drops), "{drops:?}");
    assert!(
        Terminal::try_open(&device(Fault::CloseBeforeAuth).await, &Proof::Password("demo"))
            .await
            .is_err()
    );
}

/// Sessions that end or freeze on the way to the first prompt, and what was on the screen.
#[tokio::test]
async fn faults_on_the_way_to_the_prompt_show_what_they_say() {
    let cases = [
        (Fault::CloseAfterPrompt, End::Closed, "edge1#"),
        (Fault::CloseBeforePrompt, End::Closed, "Authorised access"),
        (Fault::CloseInMotd, End::Closed, "Authorised"),
        (Fault::LoginDialog, End::Silent, "[Y/N]"),
        (Fault::NoPrompt, End::Silent, ""),
        (Fault::SessionLimit, End::Closed, "session limit"),
        (Fault::PromptArt, End::Silent, "##########"),
        (Fault::AnsiPrompt, End::Silent, "\x1b[1;32medge1#\x1b[0m"),
        (Fault::NulBytes, End::Silent, "\0\0edge1#"),
        (Fault::SyslogAtPrompt, End::Silent, LOG),
        (Fault::CrCrLf, End::Silent, "\r\r\n"),
        (Fault::AuthThreeSteps, End::Silent, "edge1#"),
        (Fault::AuthSlow, End::Silent, "edge1#"),
        (Fault::KeyboardInteractiveOnly, End::Silent, "edge1#"),
        (Fault::LinesBeforeVersion, End::Silent, "edge1#"),
        (Fault::DebugBurst, End::Silent, "edge1#"),
        (Fault::SlowPrompt, End::Silent, "edge1#"),
    ];
    let mut running = JoinSet::new();
    for (fault, end, words) in cases {
        running.spawn(async move {
            let device = device(fault).await;
            let wait = Duration::from_secs(20);
            let opened = Terminal::open_with(&device, &proof(fault), (80, 24), wait).await;
            let mut terminal = opened.unwrap();
            if fault == Fault::SlowPrompt {
                terminal.until("edge1#").await;
            }
            terminal.rest().await;
            let screen = String::from_utf8_lossy(&terminal.screen).into_owned();
            let name = fault.name();
            assert_eq!(terminal.ended, Some(end), "{name}: {screen:?}");
            assert!(screen.contains(words), "{name}: {screen:?}");
            assert_eq!(screen.contains("edge1#"), ends_at_a_prompt(fault), "{name}: {screen:?}");
        });
    }
    running.join_all().await;
}

fn ends_at_a_prompt(fault: Fault) -> bool {
    !matches!(
        fault,
        Fault::CloseBeforePrompt
            | Fault::CloseInMotd
            | Fault::LoginDialog
            | Fault::NoPrompt
            | Fault::SessionLimit
    )
}

/// What stands on the screen behind `show clock`, from its echo on: contained words, and how it ends.
#[tokio::test]
async fn faults_of_a_command_show_what_they_say() {
    let pieces = "show ip interface brief | include Gigabi";
    let cases = [
        (Fault::ChangingPrompt, SHORT, CLOCK, "edge1-b#"),
        (Fault::CommandAuthorization, SHORT, "Command authorization failed.", "edge1#"),
        (Fault::ConfigPrompt, SHORT, CLOCK, "edge1(config)#"),
        (Fault::ConfirmQuestion, SHORT, CLOCK, "[confirm]"),
        (Fault::EchoTwice, SHORT, "show clock\r\nshow clock\r\n", "edge1#"),
        (Fault::FakeEcho, "show ip arp", "edge1#show ip arp\r\n", "edge1#"),
        (Fault::FakePrompt, "show ip arp", "edge1#\r\n", "edge1#"),
        (Fault::FakePromptPause, "show ip arp", "edge1#\r\n", "edge1#"),
        (Fault::FrozenCommand, SHORT, CLOCK, "\r\n"),
        (Fault::InvalidUtf8, SHORT, "bad \u{fffd}\u{fffd} bytes", "edge1#"),
        (Fault::LfOnly, SHORT, CLOCK, "2026\nedge1#"),
        (Fault::NoEcho, SHORT, CLOCK, "edge1#"),
        (Fault::OneBytePackets, SHORT, CLOCK, "edge1#"),
        (Fault::PasswordQuestion, SHORT, CLOCK, "Password: "),
        (Fault::RedrawnEcho, SHORT, "\r\x1b[Kedge1#show clock", "edge1#"),
        (Fault::ShellPrompt, SHORT, CLOCK, "bash-4.4$ "),
        (Fault::SlowOutput, "show ip arp", "Vlan10", "edge1#"),
        (Fault::SyslogBehindEcho, SHORT, LOG, "edge1#"),
        (Fault::SyslogEatsPrompt, SHORT, LOG, "\r\n"),
        (Fault::SyslogInOutput, "show ip arp", LOG, "edge1#"),
        (Fault::UnprintedPrompt, SHORT, CLOCK, "\r\n"),
        (Fault::WrappedEcho, "show ip interface brief | include GigabitEthernet", pieces, "edge1#"),
        (Fault::YesNoQuestion, SHORT, CLOCK, "(y/n) "),
        (
            Fault::ScrolledEcho,
            "show ip interface brief | include aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "\x08$",
            "edge1#",
        ),
        (
            Fault::WidthRefused,
            "show ip interface brief | include aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "aaaa\r\naaaa",
            "edge1#",
        ),
    ];
    let mut running = JoinSet::new();
    for (fault, line, words, end) in cases {
        running.spawn(async move {
            let device = device(fault).await;
            let mut terminal = Terminal::open(&device).await;
            terminal.until("edge1#").await;
            terminal.send("terminal length 0\nterminal width 511\n").await;
            terminal.rest().await;
            terminal.send(&format!("{line}\n")).await;
            let (shown, name) = (terminal.rest().await, fault.name());
            assert!(shown.contains(words), "{name}: {shown:?}");
            assert!(shown.ends_with(end), "{name}: {shown:?}");
            assert_eq!(terminal.ended, Some(End::Silent), "{name}");
            assert!(fault != Fault::NoEcho || !shown.contains(line), "{shown:?}");
        });
    }
    running.join_all().await;
}

#[tokio::test]
async fn faults_that_break_an_output_off_leave_its_first_half() {
    for fault in [Fault::CloseInOutput, Fault::HalfCloseInOutput, Fault::ResetInOutput] {
        let device = device(fault).await;
        let mut terminal = Terminal::open(&device).await;
        terminal.until("edge1#").await;
        terminal.send("show ip interface brief\n").await;
        let shown = terminal.rest().await;
        assert!(shown.contains("Interface  "), "{}: {shown:?}", fault.name());
        assert!(!shown.ends_with("edge1#"), "{}: {shown:?}", fault.name());
        assert_eq!(terminal.ended, Some(End::Closed), "{}", fault.name());
    }
}

#[tokio::test]
async fn outputs_without_end_go_on_until_the_client_leaves() {
    for (fault, bytes) in [(Fault::EndlessOutput, 3 << 20), (Fault::HugeOutput, 3 << 20)] {
        let device = device(fault).await;
        let mut terminal = Terminal::open(&device).await;
        terminal.until("edge1#").await;
        terminal.send("terminal length 0\nshow version\n").await;
        terminal.at_least(bytes).await;
        assert!(terminal.screen.len() >= bytes, "{}", fault.name());
        drop(terminal);
        gone(&device, fault).await;
    }
}

#[tokio::test]
async fn faults_of_the_pager_show_what_they_say() {
    let device1 = device(Fault::PagingOffRefused).await;
    let mut terminal = Terminal::open(&device1).await;
    terminal.until("edge1#").await;
    let refused = terminal.run("terminal length 0", "edge1#").await;
    assert!(refused.contains("% Invalid input"), "{refused}");
    terminal.run("show running-config", " --More-- ").await;
    terminal.run(" ", " --More-- ").await;
    let device2 = device(Fault::FrozenPager).await;
    let mut terminal = Terminal::open(&device2).await;
    terminal.until("edge1#").await;
    terminal.run("show running-config", " --More-- ").await;
    terminal.send("   q\n").await;
    assert_eq!(terminal.rest().await, "");
    let device3 = device(Fault::FrozenShell).await;
    let mut terminal = Terminal::open(&device3).await;
    terminal.until("edge1#").await;
    terminal.send("show clock\n").await;
    assert_eq!(terminal.rest().await, "");
}

#[tokio::test]
async fn faults_of_the_logout_show_what_they_say() {
    for (fault, end) in [
        (Fault::CloseAtLogout, End::Closed),
        (Fault::IgnoreClose, End::Refused),
        (Fault::IgnoreLogout, End::Silent),
    ] {
        let device = device(fault).await;
        let mut terminal = Terminal::open(&device).await;
        terminal.until("edge1#").await;
        terminal.send("exit\n").await;
        terminal.rest().await;
        assert_eq!(terminal.ended, Some(end), "{}", fault.name());
        drop(terminal);
        gone(&device, fault).await;
    }
}

#[tokio::test]
async fn a_logout_that_is_wanted_twice_leaves_a_level_first() {
    let device = device(Fault::LogoutTwice).await;
    let mut terminal = Terminal::open(&device).await;
    terminal.until("edge1#").await;
    assert_eq!(terminal.run("exit", "edge1#").await, "exit\r\nedge1#");
    terminal.send("exit\n").await;
    terminal.rest().await;
    assert_eq!((terminal.ended, device.clean_logouts()), (Some(End::Closed), 1));
}

#[tokio::test]
async fn what_is_typed_ahead_is_lost_or_late() {
    for fault in [Fault::DroppedTypeAhead, Fault::LateTypeAhead] {
        let device = device(fault).await;
        let mut terminal = Terminal::open(&device).await;
        terminal.until("edge1#").await;
        terminal.send("terminal length 0\nshow clock\n").await;
        terminal.until_shown("terminal length 0\r\nedge1#").await;
        terminal.send("show version\n").await;
        terminal.until("Configuration register is 0xF\r\nedge1#").await;
        let screen = String::from_utf8_lossy(&terminal.screen).into_owned();
        assert_eq!(screen.contains(CLOCK), fault == Fault::LateTypeAhead, "{screen}");
    }
}

#[tokio::test]
async fn what_is_typed_ahead_is_echoed_into_the_output_and_again_at_the_prompt() {
    let faults = vec![Fault::EchoAtOnce, Fault::SlowOutput];
    let write_gap = Duration::from_millis(5);
    let options = DeviceOptions { faults, write_chunk: 20, write_gap, ..DeviceOptions::default() };
    let device = FakeDevice::spawn(Persona::embedded("cisco_ios").unwrap(), options).await.unwrap();
    let mut terminal = Terminal::open(&device).await;
    terminal.until("edge1#").await;
    terminal.send("show ip arp\n").await;
    terminal.until_shown("Protocol  Address").await;
    terminal.send("show clock\n").await;
    terminal.until("2026\r\nedge1#").await;
    let screen = String::from_utf8_lossy(&terminal.screen).into_owned();
    assert_eq!(screen.matches("show clock").count(), 2, "{screen}");
    assert!(screen.contains("edge1#show clock\r\n"), "{screen}");
}

#[tokio::test]
async fn keys_are_changed_in_the_middle_of_an_output_without_a_trace() {
    let device = device(Fault::RekeyInOutput).await;
    let mut terminal = Terminal::open(&device).await;
    terminal.until("edge1#").await;
    terminal.run("terminal length 0", "edge1#").await;
    let shown = terminal.run("show simulator lines 2000", "edge1#").await;
    assert_eq!(shown.lines().count(), 2002);
}

#[tokio::test]
async fn requests_without_end_bring_no_output_and_stop_with_the_client() {
    let device = device(Fault::RequestFlood).await;
    let mut terminal = Terminal::open(&device).await;
    terminal.until("edge1#").await;
    assert_eq!(terminal.run("show version", "\r\n").await, "show version\r\n");
    drop(terminal);
    gone(&device, Fault::RequestFlood).await;
}

#[tokio::test]
async fn stray_messages_let_single_bytes_through_and_stop_with_the_client() {
    let device = device(Fault::StrayMessages).await;
    let mut terminal = Terminal::open(&device).await;
    terminal.until("xxx").await;
    drop(terminal);
    gone(&device, Fault::StrayMessages).await;
}

#[tokio::test]
async fn no_fault_keeps_a_connection_whose_client_is_gone() {
    let mut running = JoinSet::new();
    for name in Fault::names() {
        let fault = Fault::by_name(name).unwrap();
        running.spawn(async move {
            let device = device(fault).await;
            if fault == Fault::IgnoreFlood {
                // The test's own client would read on after it gave up.
                first_bytes(&device, 50_000).await;
            } else if let Ok(mut terminal) = Terminal::try_open(&device, &proof(fault)).await {
                terminal.send("show version\nexit\n").await;
            }
            gone(&device, fault).await;
        });
    }
    running.join_all().await;
}

#[test]
fn every_fault_has_its_test() {
    let text = include_str!("fault_tests.rs");
    let named: BTreeSet<Fault> = Fault::names()
        .map(|name| Fault::by_name(name).unwrap())
        .filter(|fault| text.contains(&format!("Fault::{fault:?}")))
        .collect();
    let missing: Vec<_> =
        Fault::names().filter(|name| !named.contains(&Fault::by_name(name).unwrap())).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(Fault::names().count() >= 40);
    assert!(
        LOOKED_AT_CLOSER.iter().all(|fault| !BEFORE_THE_SHELL.iter().any(|(one, _)| one == fault))
    );
}

async fn gone(device: &FakeDevice, fault: Fault) {
    for _ in 0..2000 {
        if device.open_sessions() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{}: still open", fault.name());
}
