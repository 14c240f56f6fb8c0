//! One session with one device, on a thread that may block: connect, log in, run the lines, log out.
//!
//! Bytes come through a [`transport::Transport`], so that everything above libssh2 also runs on recordings.
//! Not here: who may run when (`executor`) and what may be run (`command`).

pub mod acquaintance;
mod brake;
pub mod dialogue;
pub mod error;
pub mod gate;
mod key_form;
pub mod libssh2;
pub mod lifeline;
mod log_lines;
pub mod offer;
pub mod pump;
mod route;
pub mod session;
pub mod socket;
pub mod transport;
