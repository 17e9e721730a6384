//! BTF as kernels and compilers of every age write it, and as nobody should.

mod ages;
mod hostile;
