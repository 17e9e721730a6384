//! Types that `corelet btf convert` makes of a kernel's DWARF, held against those that pahole makes of the same, against the
//! kernel's own, and against what a kernel takes.

pub mod accepted;
pub mod compare;
pub mod differences;
pub mod layouts;
pub mod peer;
pub mod relocated;
