//! CRC-32 of the pack's parts, without a table: a kilobyte less on the device, for a file of a few kilobytes.

use crc::{CRC_32_ISO_HDLC, NoTable};

const ALGORITHM: crc::Crc<u32, NoTable> = crc::Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

/// A CRC-32 (ISO-HDLC, as in zip and Ethernet) over bytes that come in pieces.
pub struct Crc(crc::Digest<'static, u32, NoTable>);

impl Crc {
    /// Over no bytes yet.
    pub fn new() -> Self {
        static CRC: crc::Crc<u32, NoTable> = ALGORITHM;
        Crc(CRC.digest())
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of all bytes so far.
    pub fn finish(self) -> u32 {
        self.0.finalize()
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
