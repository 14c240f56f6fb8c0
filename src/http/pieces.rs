//! A JSON answer, kept in pieces: a large one is not moved about while it grows, and is freed while it is sent.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    mem::{replace, take},
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    body::{BodySize, MessageBody},
    http::header::{self, HeaderValue},
    web::Bytes,
};
use serde::Serialize;

/// Bytes of a piece: the system's allocator keeps what is no larger at hand.
const PIECE_BYTES: usize = 64 * 1024;

/// Answers with this as JSON.
pub(super) struct InPieces<T>(pub(super) T);

impl<T: Serialize> Responder for InPieces<T> {
    type Body = Pieces;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse<Pieces> {
        let mut pieces = Pieces::default();
        // Our own types always serialise, and pieces take everything.
        let _ = serde_json::to_writer(&mut pieces, &self.0);
        pieces.into_response()
    }
}

impl Pieces {
    /// Answers with them as JSON.
    pub(super) fn into_response(self) -> HttpResponse<Self> {
        let json = HeaderValue::from_static("application/json");
        let answer = HttpResponse::Ok().insert_header((header::CONTENT_TYPE, json)).finish();
        answer.set_body(self)
    }
}

impl From<Vec<Vec<u8>>> for Pieces {
    fn from(pieces: Vec<Vec<u8>>) -> Self {
        let n_bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
        let full = pieces.into_iter().map(Bytes::from).collect();
        Self { full, last: Vec::new(), n_bytes }
    }
}

/// The body.
#[derive(Default)]
pub(super) struct Pieces {
    full: VecDeque<Bytes>,
    last: Vec<u8>,
    n_bytes: u64,
}

impl io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PIECE_BYTES - self.last.len();
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.last.extend_from_slice(taken);
        if taken.len() == room {
            let full = replace(&mut self.last, Vec::with_capacity(PIECE_BYTES));
            self.full.push_back(full.into());
        }
        self.n_bytes += taken.len() as u64;
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.n_bytes)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let next = self.full.pop_front().or_else(|| {
            let last = take(&mut self.last);
            (!last.is_empty()).then(|| last.into())
        });
        Poll::Ready(next.map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use actix_web::body::to_bytes;

    use super::*;

    #[actix_web::test]
    async fn what_is_written_comes_out_whole_and_in_order() {
        for n_bytes in [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 5 * PIECE_BYTES + 7] {
            let written: Vec<u8> = (0..=255).cycle().take(n_bytes).collect();
            for cut in [1000, PIECE_BYTES, 10 * PIECE_BYTES] {
                let mut pieces = Pieces::default();
                for part in written.chunks(cut) {
                    pieces.write_all(part).unwrap();
                }
                assert_eq!(pieces.size(), BodySize::Sized(n_bytes as u64));
                assert_eq!(to_bytes(pieces).await.unwrap(), written, "{n_bytes} by {cut}");
            }
        }
    }
}
