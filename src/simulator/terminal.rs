//! Moves bytes between a command line and its channel, at the pace and in the pieces that the device has.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use russh::{ChannelId, Disconnect, server::Handle};
use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{sleep, timeout},
};

use super::{
    cli::{Act, Cli},
    fault::Fault,
    server::Shared,
    wire::Control,
};

/// How long a connection outlives the session that was on it.
const FAREWELL: Duration = Duration::from_millis(500);
/// How late a device may read what was typed ahead.
const LATE: Duration = Duration::from_secs(4);
/// Long enough for what was shown to be on its way when the connection breaks.
pub(super) const BEFORE_BREAK: Duration = Duration::from_millis(50);

/// What comes from the client.
pub(super) enum Typed {
    Keys(Vec<u8>),
    /// Columns and rows of its terminal.
    Size(u32, u32),
}

/// The client is gone.
struct Gone;

struct Screen {
    shared: Arc<Shared>,
    control: Arc<Control>,
    keys: UnboundedReceiver<Typed>,
    handle: Handle,
    channel: ChannelId,
    /// Typed while something was being shown, and echoed already by a device that does so.
    ahead: Vec<u8>,
}

/// Ends with the client, or with the device's hanging up.
pub(super) async fn run_terminal(
    shared: Arc<Shared>,
    control: Arc<Control>,
    mut cli: Cli,
    keys: UnboundedReceiver<Typed>,
    handle: Handle,
    channel: ChannelId,
) {
    let open = Arc::clone(&shared);
    let mut screen = Screen { shared, control, keys, handle, channel, ahead: Vec::new() };
    // An error is a client that went away.
    let _ = screen.run(&mut cli).await;
    open.open_terminals.fetch_sub(1, Ordering::Relaxed);
}

impl Screen {
    async fn run(&mut self, cli: &mut Cli) -> Result<(), Gone> {
        let latency = self.shared.options.latency;
        let mut acts = cli.start();
        loop {
            while !acts.is_empty() {
                if self.act_out(cli, acts).await? {
                    return Ok(());
                }
                acts = cli.more();
            }
            let typed = std::mem::take(&mut self.ahead);
            let typed = if typed.is_empty() {
                match self.keys.recv().await.ok_or(Gone)? {
                    Typed::Keys(keys) => keys,
                    Typed::Size(columns, rows) => {
                        cli.resize(columns, rows);
                        continue;
                    }
                }
            } else {
                if cli.has(Fault::LateTypeAhead) {
                    sleep(LATE).await;
                }
                typed
            };
            if !latency.is_zero() {
                sleep(latency).await;
            }
            acts = cli.feed(&self.read_now(cli, typed));
        }
    }

    /// What the device reads at once of what was typed.
    fn read_now(&mut self, cli: &Cli, mut typed: Vec<u8>) -> Vec<u8> {
        let reads_lines = cli.has(Fault::DroppedTypeAhead) || cli.has(Fault::LateTypeAhead);
        if let Some(end) = typed.iter().position(|b| *b == b'\n').filter(|_| reads_lines) {
            let behind = typed.split_off(end + 1);
            if cli.has(Fault::LateTypeAhead) {
                self.ahead = behind;
            }
        }
        typed
    }

    /// True if the session is over.
    async fn act_out(&mut self, cli: &Cli, acts: Vec<Act>) -> Result<bool, Gone> {
        let mut acts = acts.into_iter().peekable();
        while let Some(act) = acts.next() {
            match act {
                Act::Show(bytes) => {
                    self.show(cli, bytes).await?;
                    if acts.peek().is_some() && !cli.pause().is_zero() {
                        sleep(cli.pause()).await;
                    }
                }
                Act::HangUp => {
                    self.hang_up(cli).await;
                    return Ok(true);
                }
                Act::LogOut => {
                    self.shared.clean_logouts.fetch_add(1, Ordering::Relaxed);
                    self.log_out(cli).await;
                    return Ok(true);
                }
                Act::Freeze => {
                    if cli.has(Fault::RequestFlood) {
                        while self.handle.xon_xoff_request(self.channel, false).await.is_ok() {}
                    }
                    self.wait_for_client().await;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    async fn show(&mut self, cli: &Cli, bytes: Vec<u8>) -> Result<(), Gone> {
        let options = &self.shared.options;
        let one = cli.has(Fault::OneBytePackets);
        let chunk = if one { 1 } else { options.write_chunk.max(1) };
        let gap = options.write_gap;
        if bytes.len() <= chunk {
            return self.send(cli, bytes, gap).await;
        }
        for piece in bytes.chunks(chunk) {
            self.send(cli, piece.to_vec(), gap).await?;
        }
        Ok(())
    }

    async fn send(&mut self, cli: &Cli, bytes: Vec<u8>, gap: Duration) -> Result<(), Gone> {
        self.handle.data(self.channel, bytes).await.map_err(|_unsent| Gone)?;
        if !gap.is_zero() {
            sleep(gap).await;
        }
        if cli.has(Fault::EchoAtOnce) {
            // Such a terminal echoes itself, and the line editor does so again later.
            while let Ok(Typed::Keys(keys)) = self.keys.try_recv() {
                let echo = String::from_utf8_lossy(&keys).replace('\n', "\r\n").into_bytes();
                self.handle.data(self.channel, echo).await.map_err(|_unsent| Gone)?;
                self.ahead.extend_from_slice(&keys);
            }
        }
        Ok(())
    }

    async fn hang_up(&mut self, cli: &Cli) {
        if cli.has(Fault::ResetInOutput) {
            sleep(BEFORE_BREAK).await;
            self.control.reset();
        } else if cli.has(Fault::HalfCloseInOutput) {
            sleep(BEFORE_BREAK).await;
            self.control.half_close();
            self.wait_for_client().await;
        } else {
            self.close().await;
        }
    }

    async fn log_out(&mut self, cli: &Cli) {
        if cli.has(Fault::CloseAtLogout) {
            self.control.cut();
        } else if cli.has(Fault::IgnoreClose) {
            // A client that is gone hears nothing of it.
            let _ = self.handle.eof(self.channel).await;
            self.wait_for_client().await;
        } else {
            self.close().await;
        }
    }

    /// Errors here are a client that went first.
    async fn close(&mut self) {
        let _ = self.handle.eof(self.channel).await;
        let _ = self.handle.close(self.channel).await;
        // What was shown arrives before the connection goes.
        let _ = timeout(FAREWELL, self.wait_for_client()).await;
        let reason = Disconnect::ByApplication;
        let _ = self.handle.disconnect(reason, String::new(), String::new()).await;
    }

    async fn wait_for_client(&mut self) {
        while self.keys.recv().await.is_some() {}
    }
}
