//! Whole pipelines on real input: what the tests of this package share.

pub mod matrix;
pub mod objects;
pub mod oracle;
pub mod tools;
