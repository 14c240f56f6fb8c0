//! The SSH messages of a simulated device: who is let in, how, and what is refused on the way to a terminal.

use std::{
    borrow::Cow,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use russh::{
    Channel, ChannelId, ChannelOpenFailure, MethodKind, MethodSet, Pty,
    server::{self, Auth, ChannelOpenHandle, Msg, Session},
};
use tokio::{io::copy_bidirectional, net::TcpStream, sync::mpsc, time::sleep};

use super::{
    fault::Fault,
    server::{AuthKind, Shared},
    terminal::{BEFORE_BREAK, Typed, run_terminal},
    wire::Control,
};

const DEBUG_MESSAGES: usize = 1000;
const PASSWORD: &str = "Password: ";
const ACKNOWLEDGE: &str = "Do you accept and acknowledge the statement above ? (yes/no) : ";

/// One connection's side of SSH.
pub(super) struct Login {
    shared: Arc<Shared>,
    control: Arc<Control>,
    terminal: Option<mpsc::UnboundedSender<Typed>>,
    /// Where the bytes of its terminal are logged.
    log: Option<usize>,
    user: String,
    size: (u32, u32),
    /// Rounds of questions that were answered.
    rounds: usize,
    /// What is wanted behind the first proof, where two are.
    wanted: Option<MethodKind>,
}

type Answer<T> = Result<T, russh::Error>;

impl Login {
    pub(super) fn new(shared: Arc<Shared>, control: Arc<Control>) -> Self {
        Self {
            shared,
            control,
            terminal: None,
            log: None,
            user: String::new(),
            size: (0, 0),
            rounds: 0,
            wanted: None,
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.shared.options.faults.contains(&fault)
    }

    fn gives_up_at(&self, fault: Fault) -> Answer<()> {
        if self.has(fault) { Err(russh::Error::Disconnect) } else { Ok(()) }
    }

    fn kind(&self) -> AuthKind {
        let questions = [
            Fault::AuthAcknowledge,
            Fault::AuthThreeSteps,
            Fault::AuthToken,
            Fault::KeyboardInteractiveOnly,
            Fault::PasswordChange,
        ];
        if questions.into_iter().any(|fault| self.has(fault)) {
            AuthKind::KeyboardInteractive
        } else {
            self.shared.options.auth
        }
    }

    /// `other` is what may be wanted besides.
    async fn verdict(&mut self, good: bool, user: &str, other: MethodKind) -> Answer<Auth> {
        self.shared.login_attempts.fetch_add(1, Ordering::Relaxed);
        self.gives_up_at(Fault::CloseInAuth)?;
        if self.has(Fault::AuthSlow) {
            sleep(Duration::from_secs(3)).await;
        }
        if self.has(Fault::AuthSilent) {
            // The answer is swallowed, and the end of the connection is still seen.
            self.control.mute();
            return Ok(Auth::reject());
        }
        if !good || self.has(Fault::AuthDenied) {
            return Ok(Auth::reject());
        }
        if self.has(Fault::AuthPartial) && self.wanted.is_none_or(|wanted| wanted == other) {
            self.wanted = Some(other);
            let methods = Some(MethodSet::from([other].as_slice()));
            return Ok(Auth::Reject { proceed_with_methods: methods, partial_success: true });
        }
        self.shared.logins.fetch_add(1, Ordering::Relaxed);
        user.clone_into(&mut self.user);
        Ok(Auth::Accept)
    }

    /// Questions whose answers are hidden, but for that of [`ACKNOWLEDGE`].
    fn questions(instructions: &'static str, prompts: &[&'static str]) -> Auth {
        let prompt = |text: &&'static str| (Cow::Borrowed(*text), *text == ACKNOWLEDGE);
        Auth::Partial {
            name: Cow::Borrowed(""),
            instructions: Cow::Borrowed(instructions),
            prompts: prompts.iter().map(prompt).collect(),
        }
    }
}

impl server::Handler for Login {
    type Error = russh::Error;

    async fn authentication_banner(&mut self) -> Answer<Option<String>> {
        let banner = &self.shared.persona.auth_banner;
        Ok((!banner.is_empty()).then(|| banner.replace('\n', "\r\n")))
    }

    async fn auth_none(&mut self, user: &str) -> Answer<Auth> {
        self.shared.log_auth("none", user);
        let wanted = self.wanted;
        let kinds: &[MethodKind] = match self.kind() {
            _ if let Some(wanted) = &wanted => std::slice::from_ref(wanted),
            AuthKind::None => return self.verdict(true, user, MethodKind::PublicKey).await,
            AuthKind::Both => &[MethodKind::Password, MethodKind::KeyboardInteractive],
            AuthKind::KeyboardInteractive => &[MethodKind::KeyboardInteractive],
            AuthKind::Password => &[MethodKind::Password],
            AuthKind::PublicKey => &[MethodKind::PublicKey],
        };
        let methods = Some(MethodSet::from(kinds));
        Ok(Auth::Reject { proceed_with_methods: methods, partial_success: false })
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Answer<Auth> {
        self.shared.log_auth("password", user);
        let options = &self.shared.options;
        let offered = matches!(self.kind(), AuthKind::Password | AuthKind::Both)
            || self.wanted == Some(MethodKind::Password);
        let good = offered && user == options.username && password == options.password;
        self.verdict(good, user, MethodKind::PublicKey).await
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        response: Option<server::Response<'a>>,
    ) -> Answer<Auth> {
        self.shared.log_auth("keyboard-interactive", user);
        let Some(mut answers) = response else {
            self.rounds = 0;
            let wants_more = self.has(Fault::AuthAcknowledge);
            let prompts: &[_] = if wants_more { &[ACKNOWLEDGE, PASSWORD] } else { &[PASSWORD] };
            return Ok(Self::questions("", prompts));
        };
        self.rounds += 1;
        if self.rounds > 1 {
            // Nobody has the token, and nobody may choose a password here.
            let good = self.has(Fault::AuthThreeSteps);
            return self.verdict(good, user, MethodKind::PublicKey).await;
        }
        let options = &self.shared.options;
        let offered = matches!(self.kind(), AuthKind::KeyboardInteractive | AuthKind::Both);
        let acknowledged = !self.has(Fault::AuthAcknowledge)
            || answers.next().is_some_and(|answer| answer == "yes".as_bytes());
        let answered = acknowledged
            && answers.next().is_some_and(|answer| answer == options.password.as_bytes());
        let good = offered && user == options.username && answered;
        if good && self.has(Fault::AuthThreeSteps) {
            return Ok(Self::questions("Your password expires in 9 days.", &[]));
        }
        if good && self.has(Fault::AuthToken) {
            return Ok(Self::questions("", &["Token code: "]));
        }
        if good && self.has(Fault::PasswordChange) {
            let prompts = ["New password: ", "Retype new password: "];
            return Ok(Self::questions("Your password has expired.", &prompts));
        }
        self.verdict(good, user, MethodKind::PublicKey).await
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: server::VerifiedPublicKey<'_>,
    ) -> Answer<Auth> {
        self.shared.log_auth("publickey", user);
        let options = &self.shared.options;
        let shown = key.public_key.to_openssh().unwrap_or_default();
        let same = |line: &String| line.split(' ').nth(1) == shown.split(' ').nth(1);
        let good = user == options.username && options.authorized_keys.iter().any(same);
        self.verdict(good, user, MethodKind::Password).await
    }

    async fn auth_succeeded(&mut self, _session: &mut Session) -> Answer<()> {
        if self.has(Fault::CloseAfterAuth) {
            let control = Arc::clone(&self.control);
            // The client hears that it was let in.
            tokio::spawn(async move {
                sleep(BEFORE_BREAK).await;
                control.cut();
            });
        }
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Answer<()> {
        self.gives_up_at(Fault::CloseAtChannel)?;
        if self.has(Fault::CloseAfterAuth) {
            // Too late: the connection is about to go.
            self.control.mute();
            return Ok(());
        }
        // A handle that is dropped is a refusal.
        if !self.has(Fault::ChannelRefused) {
            reply.accept().await;
        }
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Answer<()> {
        let Some(target) = self.shared.look_up(host, port) else {
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        };
        match TcpStream::connect(target).await {
            Ok(mut socket) => {
                reply.accept().await;
                tokio::spawn(async move {
                    // An end of either side is the end of both.
                    let _ = copy_bidirectional(&mut channel.into_stream(), &mut socket).await;
                });
            }
            Err(_unreachable) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
        }
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        columns: u32,
        rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Answer<()> {
        self.gives_up_at(Fault::CloseAfterPty)?;
        if self.has(Fault::PtyRefused) {
            return session.channel_failure(channel);
        }
        self.size = (columns, rows);
        session.channel_success(channel)
    }

    async fn window_change_request(
        &mut self,
        _channel: ChannelId,
        columns: u32,
        rows: u32,
        _width: u32,
        _height: u32,
        _session: &mut Session,
    ) -> Answer<()> {
        if let Some(terminal) = &self.terminal {
            // A terminal that has ended takes nothing more.
            let _ = terminal.send(Typed::Size(columns, rows));
        }
        Ok(())
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        _value: &str,
        session: &mut Session,
    ) -> Answer<()> {
        session.channel_failure(channel)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _data: &[u8],
        session: &mut Session,
    ) -> Answer<()> {
        session.channel_failure(channel)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        session: &mut Session,
    ) -> Answer<()> {
        session.channel_failure(channel)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Answer<()> {
        self.gives_up_at(Fault::CloseAfterShell)?;
        if self.has(Fault::ShellRefused) {
            return session.channel_failure(channel);
        }
        session.channel_success(channel)?;
        if self.has(Fault::DebugBurst) {
            for number in 0..DEBUG_MESSAGES {
                session.debug(false, &format!("debug message {number}"), "")?;
            }
        }
        let (typed, keys) = mpsc::unbounded_channel();
        self.terminal = Some(typed);
        self.log = Some(self.shared.open_log());
        let shared = Arc::clone(&self.shared);
        let cli = shared.cli(&self.user, self.size);
        tokio::spawn(run_terminal(
            shared,
            Arc::clone(&self.control),
            cli,
            keys,
            session.handle(),
            channel,
        ));
        Ok(())
    }

    async fn data(
        &mut self,
        _channel: ChannelId,
        data: &[u8],
        _session: &mut Session,
    ) -> Answer<()> {
        if let Some(log) = self.log {
            self.shared.log(log, data);
        }
        if let Some(terminal) = &self.terminal {
            // A terminal that has ended takes nothing more.
            let _ = terminal.send(Typed::Keys(data.to_vec()));
        }
        Ok(())
    }
}
