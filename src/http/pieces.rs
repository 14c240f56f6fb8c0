//! A JSON answer as a body in pieces.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    vec,
};

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    body::{BodySize, MessageBody},
    http::header::{self, HeaderValue},
    web::Bytes,
};
use serde::Serialize;

use crate::wire::pieces::Pieces;

/// Answers with this as JSON.
pub(super) struct InPieces<T>(pub(super) T);

impl<T: Serialize> Responder for InPieces<T> {
    type Body = Body;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse<Body> {
        let mut pieces = Pieces::default();
        // Our own types always serialise, and pieces take everything.
        let _ = serde_json::to_writer(&mut pieces, &self.0);
        answer(pieces)
    }
}

/// Answers with JSON that was written.
pub(super) fn answer(pieces: Pieces) -> HttpResponse<Body> {
    let json = HeaderValue::from_static("application/json");
    let answer = HttpResponse::Ok().insert_header((header::CONTENT_TYPE, json)).finish();
    answer.set_body(Body::from(pieces))
}

/// The body; each piece is freed when it was sent.
pub(super) struct Body {
    left: vec::IntoIter<Vec<u8>>,
    n_bytes: u64,
}

impl From<Pieces> for Body {
    fn from(pieces: Pieces) -> Self {
        let pieces = pieces.all();
        let n_bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
        Self { left: pieces.into_iter(), n_bytes }
    }
}

impl MessageBody for Body {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.n_bytes)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(self.left.next().map(|piece| Ok(piece.into())))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use actix_web::body::to_bytes;

    use super::*;
    use crate::wire::pieces::PIECE_BYTES;

    #[actix_web::test]
    async fn what_is_written_comes_out_whole_and_in_order() {
        for n_bytes in [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 5 * PIECE_BYTES + 7] {
            let written: Vec<u8> = (0..=255).cycle().take(n_bytes).collect();
            for cut in [1000, PIECE_BYTES, 10 * PIECE_BYTES] {
                let mut pieces = Pieces::default();
                for part in written.chunks(cut) {
                    pieces.write_all(part).unwrap();
                }
                let body = Body::from(pieces);
                assert_eq!(body.size(), BodySize::Sized(n_bytes as u64));
                assert_eq!(to_bytes(body).await.unwrap(), written, "{n_bytes} by {cut}");
            }
        }
    }
}
