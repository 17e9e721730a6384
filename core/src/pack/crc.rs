//! CRC-32 of the pack's parts, bit by bit: a kilobyte of table less on the device, for a file of a few kilobytes.

/// The polynomial 0x04c11db7 with its bits in reverse, as the bytes are taken: lowest bit first.
const POLYNOMIAL: u32 = 0xedb8_8320;

/// A CRC-32 (ISO-HDLC, as in zip and Ethernet) over bytes that come in pieces.
pub struct Crc(u32);

impl Crc {
    /// Over no bytes yet.
    pub fn new() -> Self {
        Crc(u32::MAX)
    }

    /// Takes the next bytes.
    #[inline(never)]
    pub fn update(&mut self, bytes: &[u8]) {
        for &b in bytes {
            self.0 ^= u32::from(b);
            for _ in 0..8 {
                let out = self.0 & 1 != 0;
                self.0 = self.0 >> 1 ^ if out { POLYNOMIAL } else { 0 };
            }
        }
    }

    /// The checksum of all bytes so far.
    pub fn finish(self) -> u32 {
        !self.0
    }
}

impl Default for Crc {
    fn default() -> Self {
        Crc::new()
    }
}

/// The checksum of `bytes`.
pub fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.finish()
}

#[cfg(test)]
mod tests {
    use super::crc32;

    #[test]
    fn the_check_value_of_the_catalogue() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }
}
