//! Values that are their bytes in the machine's own order.

/// A value of as many bytes as its `Bytes`, as C and BPF programs lay it out. Structures of your own implement it member by member;
/// there is no padding that it leaves undefined.
pub trait Plain: Sized {
    /// An array of its bytes.
    type Bytes: AsRef<[u8]> + AsMut<[u8]>;
    /// As many zeros.
    const ZERO: Self::Bytes;
    /// The value of these bytes.
    fn from_bytes(bytes: Self::Bytes) -> Self;
    /// Its bytes.
    fn to_bytes(&self) -> Self::Bytes;
}

macro_rules! integers {
    ($($t:ty)*) => {$(
        impl Plain for $t {
            type Bytes = [u8; size_of::<$t>()];
            const ZERO: Self::Bytes = [0; size_of::<$t>()];
            fn from_bytes(bytes: Self::Bytes) -> Self {
                <$t>::from_ne_bytes(bytes)
            }
            fn to_bytes(&self) -> Self::Bytes {
                self.to_ne_bytes()
            }
        }
    )*};
}
integers!(u8 i8 u16 i16 u32 i32 u64 i64 u128 i128 f32 f64);

/// Text and what has no shape.
impl<const N: usize> Plain for [u8; N] {
    type Bytes = [u8; N];
    const ZERO: Self::Bytes = [0; N];
    fn from_bytes(bytes: Self::Bytes) -> Self {
        bytes
    }
    fn to_bytes(&self) -> Self::Bytes {
        *self
    }
}

/// `bool` of C: one byte, of which 0 is false.
impl Plain for bool {
    type Bytes = [u8; 1];
    const ZERO: Self::Bytes = [0];
    fn from_bytes([byte]: Self::Bytes) -> Self {
        byte != 0
    }
    fn to_bytes(&self) -> Self::Bytes {
        [u8::from(*self)]
    }
}
