//! Types that `corelet btf convert` makes of a kernel's DWARF, held against those that pahole makes of the same.

pub mod compare;
