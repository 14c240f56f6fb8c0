//! Lines on their way to a file or to standard error, written by a thread of their own, many at a time.
//!
//! Whoever writes a line never waits for the disk or for whoever reads the pipe: when too many lines wait, new ones
//! are dropped and counted. Who needs to know that a line was kept asks for it.

use std::{
    io::{self, Write},
    mem::{replace, take},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};
use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait.
const MOST_WAITING: usize = 16 * 1024;
/// Bytes that may wait.
const MOST_BYTES: usize = 32 << 20;
/// Room that is kept for the next lines.
const MOST_ROOM_KEPT: usize = 256 << 10;
/// How long a first line waits for others: waking the writer for each would cost more than the line.
const GATHER: Duration = Duration::from_millis(5);
/// How long somebody waits for the word that his line was written.
const CONFIRM: Duration = Duration::from_secs(5);
/// How long the end of the program waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The way in; clones lead to the same place.
#[derive(Clone)]
pub struct Lines(Arc<WayIn>);

/// Ends the writer's thread when it goes.
struct WayIn(Arc<Shared>);

struct Shared {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    on_drop: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Waiting {
    batch: Batch,
    /// Lines and bytes that were taken and are not written yet, also those that are being written.
    lines: usize,
    bytes: usize,
    writer_sleeps: bool,
    is_over: bool,
}

/// What is written at once.
#[derive(Default)]
struct Batch {
    text: Vec<u8>,
    lines: usize,
    /// Who wants to know whether a line of it was kept.
    confirm: Vec<oneshot::Sender<io::Result<()>>>,
    /// Who wants to know that it was written.
    flushed: Vec<SyncSender<()>>,
}

impl Batch {
    /// Somebody waits for it.
    fn is_urgent(&self) -> bool {
        !self.confirm.is_empty() || !self.flushed.is_empty()
    }

    fn is_empty(&self) -> bool {
        self.lines == 0 && !self.is_urgent()
    }
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
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            wake: Condvar::new(),
            on_drop: Box::new(on_drop),
        });
        let way_in = WayIn(Arc::clone(&shared));
        thread::Builder::new().name(name.to_owned()).spawn(move || shared.write_all(sink))?;
        Ok(Self(Arc::new(way_in)))
    }

    /// Takes a line, or several, line ends included; if too many wait they are dropped and counted.
    pub fn send(&self, line: &[u8]) {
        if !self.enqueue(line, None) {
            (self.0.0.on_drop)();
        }
    }

    /// Takes a line and says when it has been written.
    ///
    /// # Errors
    /// It was not written: too many wait, the disk refuses, or nothing is said for 5 s.
    pub async fn keep(&self, line: &[u8]) -> io::Result<()> {
        self.keep_within(line, CONFIRM).await
    }

    async fn keep_within(&self, line: &[u8], limit: Duration) -> io::Result<()> {
        let (confirm, confirmed) = oneshot::channel();
        if !self.enqueue(line, Some(confirm)) {
            return Err(io::Error::other("too many lines wait"));
        }
        match timeout(limit, confirmed).await {
            Ok(Ok(kept)) => kept,
            Ok(Err(_gone)) => Err(io::Error::other("the writer has ended")),
            Err(_late) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// True if there was room.
    fn enqueue(&self, line: &[u8], confirm: Option<oneshot::Sender<io::Result<()>>>) -> bool {
        let shared = &*self.0.0;
        let mut waiting = shared.lock();
        if waiting.lines >= MOST_WAITING || waiting.bytes.saturating_add(line.len()) > MOST_BYTES {
            return false;
        }
        waiting.lines += 1;
        waiting.bytes += line.len();
        waiting.batch.lines += 1;
        waiting.batch.text.extend_from_slice(line);
        waiting.batch.confirm.extend(confirm);
        shared.wake(waiting);
        true
    }

    /// Waits, but not for ever, until everything that was taken has been written.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        let mut waiting = self.0.0.lock();
        waiting.batch.flushed.push(done);
        self.0.0.wake(waiting);
        let _ = wait.recv_timeout(LAST_LINES);
    }
}

impl Drop for WayIn {
    fn drop(&mut self) {
        let mut waiting = self.0.lock();
        waiting.is_over = true;
        self.0.wake.notify_one();
    }
}

impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.send(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the writer if it would not look by itself soon enough.
    fn wake(&self, mut waiting: MutexGuard<'_, Waiting>) {
        if take(&mut waiting.writer_sleeps) || waiting.batch.is_urgent() {
            drop(waiting);
            self.wake.notify_one();
        }
    }

    /// The writer's thread.
    fn write_all(&self, mut sink: impl Write) {
        let mut room = Vec::new();
        while let Some(mut batch) = self.next(take(&mut room)) {
            let written = sink.write_all(&batch.text);
            if written.is_err() {
                (0..batch.lines).for_each(|_| (self.on_drop)());
            }
            let mut waiting = self.lock();
            waiting.lines -= batch.lines;
            waiting.bytes -= batch.text.len();
            drop(waiting);
            room = take(&mut batch.text);
            if !batch.is_urgent() {
                continue;
            }
            let kept = written.and_then(|()| sink.flush());
            // Whoever asked may have gone.
            for confirm in batch.confirm {
                let _ = confirm.send(kept.as_ref().copied().map_err(|error| error.kind().into()));
            }
            for done in batch.flushed {
                let _ = done.send(());
            }
        }
    }

    /// What there is to write; `None` when nothing can come any more. What comes meanwhile gathers in `room`.
    fn next(&self, mut room: Vec<u8>) -> Option<Batch> {
        room.clear();
        // After a rush the room is given back.
        room.shrink_to(MOST_ROOM_KEPT);
        let mut waiting = self.lock();
        while waiting.batch.is_empty() {
            if waiting.is_over {
                return None;
            }
            waiting.writer_sleeps = true;
            waiting = self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.writer_sleeps = false;
        let may_gather = |waiting: &mut Waiting| !waiting.batch.is_urgent() && !waiting.is_over;
        let (mut waiting, _) = self
            .wake
            .wait_timeout_while(waiting, GATHER, may_gather)
            .unwrap_or_else(PoisonError::into_inner);
        Some(replace(&mut waiting.batch, Batch { text: room, ..Batch::default() }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, channel},
    };

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
        let lines = Lines::start("test", sink, on_drop).unwrap();
        let sent = MOST_WAITING + 1000;
        for _ in 0..sent {
            lines.send(b"x");
        }
        assert_eq!(lost.load(Ordering::Relaxed), 1000);
        drop(go);
        lines.flush();
        assert_eq!(kept.lock().unwrap().len(), MOST_WAITING);
        lines.send(&vec![b'x'; MOST_BYTES + 1]);
        assert_eq!(lost.load(Ordering::Relaxed), 1001);
    }

    #[tokio::test]
    async fn who_asks_is_not_kept_waiting_by_a_disk_that_says_nothing() {
        let (go, stuck) = channel();
        let lines = Lines::start("test", Stuck(stuck, Arc::default()), || {}).unwrap();
        let limit = Duration::from_millis(20);
        let error = lines.keep_within(b"x\n", limit).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(go);
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
        let error = lines.keep(b"x\n").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        let lines = Lines::start("test", Vec::new(), || {}).unwrap();
        assert!(lines.keep(b"x\n").await.is_ok());
    }
}
