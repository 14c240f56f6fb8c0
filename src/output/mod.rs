//! What becomes of the bytes a device prints: terminal controls are acted on and removed, and the
//! service's own filters are applied. Pure: bytes in, text out.

pub mod filter;
pub mod places;
pub mod terminal;
