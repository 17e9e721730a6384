//! The image builder's command as a library.

pub mod kernel;
pub mod output;
