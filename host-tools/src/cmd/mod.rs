//! The commands: each reads its arguments, calls the library, prints.

pub mod boot;
pub mod extract;
pub mod extract_objects;
pub mod image;
mod inputs;
pub mod min;
pub mod relocate;
