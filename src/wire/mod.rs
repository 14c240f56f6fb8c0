//! The JSON of requests and answers: the contract with the callers, the same for every door.
//!
//! Not here: HTTP itself (`http`). What these types mean is decided below, in `request`, `plan` and `outcome`.

pub mod errors;
pub mod escape;
pub mod field;
pub mod json;
pub mod jump;
mod login;
pub mod parse;
pub mod pieces;
pub mod request;
pub mod response;
pub mod stream;
pub mod whole;
