//! Lines on their way to a file or to standard error, written by a thread of their own.
//!
//! Whoever writes a line never waits for the disk or for whoever reads the pipe: when too many lines wait, new ones
//! are dropped and counted. Who needs to know that a line was kept asks for it.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use tokio::sync::oneshot;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait.
const MOST_WAITING: usize = 16 * 1024;
/// Bytes that may wait.
const MOST_BYTES: usize = 32 << 20;
/// How long the end of the program waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The way in; clones lead to the same place.
#[derive(Clone)]
pub struct Lines {
    queue: SyncSender<Message>,
    bytes_waiting: Arc<AtomicUsize>,
    on_drop: Arc<dyn Fn() + Send + Sync>,
}

enum Message {
    Line(Vec<u8>),
    /// A line, and who wants to know whether it was kept.
    Confirmed(Vec<u8>, oneshot::Sender<io::Result<()>>),
    /// All lines before this have been written when this is answered.
    Flush(SyncSender<()>),
}

impl Lines {
    /// Starts the thread that writes to `sink`; `on_drop` is called for each line that is lost.
    ///
    /// # Errors
    /// No thread could be made.
    pub fn start(
        name: &str,
        sink: impl Write + Send + 'static,
        on_drop: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (queue, waiting) = sync_channel(MOST_WAITING);
        let on_drop: Arc<dyn Fn() + Send + Sync> = Arc::new(on_drop);
        let bytes_waiting = Arc::new(AtomicUsize::new(0));
        let (lost, bytes) = (Arc::clone(&on_drop), Arc::clone(&bytes_waiting));
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || write_all(&waiting, sink, &bytes, &*lost))?;
        Ok(Self { queue, bytes_waiting, on_drop })
    }

    /// Takes a line, or several, line ends included; if too many wait they are dropped and counted.
    pub fn send(&self, line: Vec<u8>) {
        if !self.enqueue(line.len(), Message::Line(line)) {
            (self.on_drop)();
        }
    }

    /// Takes a line and says when it has been written.
    ///
    /// # Errors
    /// It was not written: too many wait, or the disk refuses.
    pub async fn keep(&self, line: Vec<u8>) -> io::Result<()> {
        let (confirm, confirmed) = oneshot::channel();
        if !self.enqueue(line.len(), Message::Confirmed(line, confirm)) {
            return Err(io::Error::other("too many lines wait"));
        }
        confirmed.await.unwrap_or_else(|_gone| Err(io::Error::other("the writer has ended")))
    }

    /// True if there was room.
    fn enqueue(&self, bytes: usize, message: Message) -> bool {
        let before = self.bytes_waiting.fetch_add(bytes, Ordering::Relaxed);
        let taken =
            before.saturating_add(bytes) <= MOST_BYTES && self.queue.try_send(message).is_ok();
        if !taken {
            self.bytes_waiting.fetch_sub(bytes, Ordering::Relaxed);
        }
        taken
    }

    /// Waits, but not for ever, until everything that was taken has been written.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.queue.try_send(Message::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(LAST_LINES);
        }
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.send(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn write_all(
    waiting: &Receiver<Message>,
    mut sink: impl Write,
    bytes_waiting: &AtomicUsize,
    on_drop: &dyn Fn(),
) {
    while let Ok(message) = waiting.recv() {
        match message {
            Message::Line(line) => {
                bytes_waiting.fetch_sub(line.len(), Ordering::Relaxed);
                if sink.write_all(&line).is_err() {
                    on_drop();
                }
            }
            Message::Confirmed(line, confirm) => {
                bytes_waiting.fetch_sub(line.len(), Ordering::Relaxed);
                let written = sink.write_all(&line).and_then(|()| sink.flush());
                // Whoever asked may have gone.
                let _ = confirm.send(written);
            }
            Message::Flush(done) => {
                let _ = sink.flush();
                let _ = done.send(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc::channel};

    use super::*;

    /// Takes nothing until it is let go.
    struct Stuck(Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            self.1.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stuck_reader_holds_nobody_up_and_what_is_lost_is_counted() {
        let (go, stuck) = channel();
        let (kept, lost) = (Arc::default(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&lost);
        let sink = Stuck(stuck, Arc::clone(&kept));
        let on_drop = move || {
            count.fetch_add(1, Ordering::Relaxed);
        };
        let lines = Lines::start("test", sink, on_drop);
        let lines = lines.unwrap();
        let sent = MOST_WAITING + 1000;
        for _ in 0..sent {
            lines.send(b"x".to_vec());
        }
        let lost_first = lost.load(Ordering::Relaxed);
        // One line may already have been taken out of the queue.
        assert!((999..=1000).contains(&lost_first), "{lost_first}");
        drop(go);
        // The queue may still be full; a flush that finds no room comes back at once.
        while kept.lock().unwrap().len() < sent - lost_first {
            lines.flush();
        }
        lines.send(vec![b'x'; MOST_BYTES + 1]);
        assert_eq!(lost.load(Ordering::Relaxed), lost_first + 1);
    }

    #[tokio::test]
    async fn who_asks_is_told_that_a_line_was_not_kept() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let lines = Lines::start("test", Full, || {}).unwrap();
        let error = lines.keep(b"x\n".to_vec()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        let lines = Lines::start("test", Vec::new(), || {}).unwrap();
        assert!(lines.keep(b"x\n".to_vec()).await.is_ok());
    }
}
