//! Whether a kernel takes types by `BPF_BTF_LOAD`, asked on a board.

use crate::kernel_relo::answers::Answer;
use anyhow::{Context, Result, ensure};

/// The most that a kernel takes: `BTF_MAX_SIZE`, kernel `include/uapi/linux/btf.h` (16 MiB) and `kernel/bpf/btf.c`.
const BTF_MAX_SIZE: usize = 16 << 20;
/// `bpf_cmd` of it.
const BTF_LOAD: u32 = 18;
/// Bytes of its attribute, and where the size of the types stands in it; their address is the first word.
const ATTR: usize = 28;
const SIZE_AT: usize = 16;
/// Kinds of steps of `tests/replay`.
const ADDRESS: u32 = 0;
const CALL_AND_SAY_WHY: u32 = 4;

/// The file that lets `tests/replay` load `btf`.
///
/// # Errors
/// More types than a kernel takes.
pub fn request(btf: &[u8]) -> Result<Vec<u8>> {
    ensure!(btf.len() <= BTF_MAX_SIZE, "{} bytes of types, a kernel takes {BTF_MAX_SIZE}", btf.len());
    let label = b"types\0\0\0";
    // the count, two steps of six words, and bytes up to a multiple of eight
    let head = (4usize + 2 * 24).next_multiple_of(8);
    let attr = head + label.len();
    let types = (attr + ATTR).next_multiple_of(8);
    let steps = [
        [ADDRESS, attr as u32, types as u32, 0, 0, 0],
        [CALL_AND_SAY_WHY, BTF_LOAD, attr as u32, ATTR as u32, 0, head as u32],
    ];
    let mut out = (steps.len() as u32).to_le_bytes().to_vec();
    out.extend(steps.iter().flatten().flat_map(|word| word.to_le_bytes()));
    out.resize(head, 0);
    out.extend(label);
    out.resize(types, 0);
    out[attr + SIZE_AT..][..4].copy_from_slice(&(btf.len() as u32).to_le_bytes());
    out.extend(btf);
    Ok(out)
}

/// The same types with the size of the first struct cut: what a kernel must refuse, so that its "yes" to the others counts.
pub fn damaged(btf: &corelet_core::btf::Btf<'_>, bytes: &[u8]) -> Result<Vec<u8>> {
    let first = btf.own_types().find(|t| t.kind() == corelet_core::btf::Kind::Struct && t.vlen() > 0);
    let first = first.context("no struct")?;
    // the record's bytes are in the blob once and as they are here
    let words = [first.name_off, 4 << 24 | u32::from(first.kflag()) << 31 | first.vlen(), first.size()];
    let record: Vec<u8> = words.iter().flat_map(|word| btf.endian().from_u32(*word)).collect();
    let at = bytes.windows(record.len()).position(|w| w == record).context("the struct is not there")?;
    let mut out = bytes.to_vec();
    out[at + 8..at + 12].copy_from_slice(&btf.endian().from_u32(0));
    Ok(out)
}

/// What the board said of one file: nothing where the kernel took the types, else its words.
pub fn refused(answers: &[Answer]) -> Option<String> {
    match answers {
        [one] if one.errno == 0 => None,
        [one] => Some(format!("errno {}: {}", one.errno, one.log.join("; "))),
        _ => Some(format!("{} answers", answers.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corelet_core::Endian;
    use corelet_core::btf::Kind;
    use corelet_host_tools::btf::OwnedBtf;
    use corelet_host_tools::subset::BtfWriter;

    #[test]
    fn the_file_has_the_form_that_replay_reads() {
        let file = request(b"types of some kernel").unwrap();
        let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        assert_eq!(word(0), 2);
        let (attr, types) = (word(8), word(12));
        assert_eq!(&file[types..], b"types of some kernel");
        assert_eq!([word(4 + 24), word(8 + 24), word(12 + 24)], [4, 18, attr]);
        assert_eq!(word(attr + SIZE_AT), 20);
        assert!(file[word(24 + 24)..].starts_with(b"types\0") && attr % 8 == 0 && types % 8 == 0);
        assert!(request(&vec![0; BTF_MAX_SIZE + 1]).is_err());
    }

    #[test]
    fn damage_is_one_size() {
        let mut w = BtfWriter::new(Endian::Little);
        let int = w.push("int", Kind::Int, false, 0, 4, &[0x0100_0020]).0;
        let a = w.string("a");
        w.push("s", Kind::Struct, true, 1, 4, &[a, int, 0]);
        let whole = OwnedBtf::from_bytes(w.finish()).unwrap();
        let cut = OwnedBtf::from_bytes(damaged(&whole.view(), whole.bytes()).unwrap()).unwrap();
        assert_eq!(cut.view().find("s", Kind::Struct).unwrap().size(), 0);
        assert_eq!(whole.bytes().iter().zip(cut.bytes()).filter(|(a, b)| a != b).count(), 1);
    }
}
