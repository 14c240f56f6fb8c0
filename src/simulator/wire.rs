//! The connection under SSH: a socket that can be cut, muted, reset or half closed at any byte.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

/// The pause behind every byte of a connection that drips.
const DRIP: Duration = Duration::from_millis(500);

/// What shall happen to a connection; held by those who decide it.
#[derive(Default)]
pub(super) struct Control {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    end: Option<End>,
    half_closed: bool,
    muted: bool,
    wakers: Vec<Waker>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum End {
    Cut,
    Reset,
}

impl Control {
    /// Ends the connection; what was written may still arrive.
    pub(super) fn cut(&self) {
        self.change(|state| state.end = Some(End::Cut));
    }

    /// Closes this side only, and says no more.
    pub(super) fn half_close(&self) {
        self.change(|state| state.half_closed = true);
    }

    /// Swallows everything that is written from now on.
    pub(super) fn mute(&self) {
        self.change(|state| state.muted = true);
    }

    /// Ends the connection with a reset.
    pub(super) fn reset(&self) {
        self.change(|state| state.end = Some(End::Reset));
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let wakers = {
            let mut state = self.lock();
            change(&mut state);
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a connection runs over.
pub(super) enum Link {
    /// The client's socket.
    Near(TcpStream),
    /// The end of a long line that leads there.
    Far(DuplexStream),
}

/// A connection under control.
pub(super) struct Wire {
    stream: Link,
    control: Arc<Control>,
    /// The write at which the connection breaks; the first is number 1.
    break_at_write: Option<usize>,
    writes: usize,
    dripping: Option<Pin<Box<Sleep>>>,
    shut: bool,
}

impl Wire {
    pub(super) fn new(stream: Link, control: Arc<Control>) -> Self {
        Self { stream, control, break_at_write: None, writes: 0, dripping: None, shut: false }
    }

    /// Breaks at this write.
    pub(super) fn breaking_at(mut self, write: Option<usize>) -> Self {
        self.break_at_write = write;
        self
    }

    /// Lets one byte through now and then.
    pub(super) fn dripping(mut self, drips: bool) -> Self {
        self.dripping = drips.then(|| Box::pin(sleep(Duration::ZERO)));
        self
    }

    /// What is to be done, noted so that a change wakes the task.
    fn order(&self, cx: &Context<'_>) -> (bool, bool, bool) {
        let mut state = self.control.lock();
        if !state.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.wakers.push(cx.waker().clone());
        }
        (state.end.is_some(), state.half_closed, state.muted)
    }

    fn shut_once(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.shut {
            // A client that is gone needs no end.
            let _ = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
            self.shut = true;
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (cut, half_closed, _) = self.order(cx);
        if cut {
            return Poll::Ready(Ok(()));
        }
        if half_closed {
            ready!(self.shut_once(cx));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let (cut, half_closed, muted) = self.order(cx);
        if cut || self.break_at_write.is_some_and(|last| self.writes + 1 >= last) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if half_closed {
            ready!(self.shut_once(cx));
            return Poll::Ready(Ok(bytes.len()));
        }
        if muted {
            return Poll::Ready(Ok(bytes.len()));
        }
        let mut bytes = bytes;
        if let Some(timer) = &mut self.dripping {
            ready!(timer.as_mut().poll(cx));
            bytes = bytes.get(..1).unwrap_or(bytes);
            timer.as_mut().reset(tokio::time::Instant::now() + DRIP);
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        self.writes += 1;
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if let Link::Near(stream) = &self.stream
            && self.control.lock().end == Some(End::Reset)
        {
            // Without it the client sees an end like any other.
            let _ = stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Link {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Near(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Far(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Near(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Far(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Near(stream) => Pin::new(stream).poll_flush(cx),
            Self::Far(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Near(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Far(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
