//! Relocation as a whole: an object against a kernel's types, and the same through the subset that is made of them.

use corelet_core::object::Object;
use corelet_core::pack::{KernelId, Subset, section};
use corelet_host_tools::btf::OwnedBtf;
use corelet_host_tools::relocate::{Program, core_relo, relocate, type_count};
use corelet_host_tools::subset::{self, KernelTypes};

/// Two inputs as one: the length of the first in four bytes, little-endian, then both.
pub fn joined(first: &[u8], second: &[u8]) -> Vec<u8> {
    [&(first.len() as u32).to_le_bytes(), first, second].concat()
}

/// The two inputs in one; where the length is past the end, all of it is the first.
pub fn split(data: &[u8]) -> (&[u8], &[u8]) {
    let (len, rest) = data.split_at(data.len().min(4));
    let len = len.try_into().map_or(0, u32::from_le_bytes) as usize;
    rest.split_at(len.min(rest.len()))
}

/// Any object on any types. What the device computes through the subset is what the PC computes through the whole.
pub fn relocation(data: &[u8]) {
    let (object, types) = split(data);
    let Ok(count) = type_count(object) else { return };
    let mut index = vec![0; count];
    let Ok(object) = Object::parse(object, &mut index) else { return };
    let Ok(whole) = OwnedBtf::from_bytes(types.to_vec()) else { return };
    let types = KernelTypes::new(whole.view());
    let Ok(relos) = object.core_relos().map(|r| r.and_then(|r| core_relo(&r))).collect::<Result<Vec<_>, _>>()
    else {
        return;
    };
    let marks = subset::marks(object.btf(), &types, relos.iter());
    let subset = subset::write(&whole.view(), &marks, false).expect("a subset can be written");
    let pointer_size = whole.view().pointer_size();
    let ids: Vec<u8> = (subset.kernel_ids.iter())
        .map(|&(subset, kernel)| KernelId { subset, kernel })
        .flat_map(|id| postcard::to_allocvec(&id).expect("an id is two numbers"))
        .collect();
    assert!(ids.is_empty() || section::known(section::IDS));
    let part = OwnedBtf::from_bytes(subset.bytes).expect("a subset is BTF").with_pointer_size(pointer_size);
    let through = Subset::new(part.view(), &ids);
    // which candidates survive depends on the programs that are chosen
    for chosen in [&(|_| true) as &dyn Fn(u32) -> bool, &|f| f % 2 == 0] {
        // source lines may still be of no instruction
        let Ok(expected) = relocate(&object, &types, chosen) else { return };
        let got = relocate(&object, &through, chosen).expect("the whole served");
        for (e, g) in expected.iter().zip(&got) {
            same(e, g);
        }
    }
}

fn same(expected: &Program, got: &Program) {
    let facts = |p: &Program| {
        let of = |r: &corelet_host_tools::relocate::Relocation| (r.index, r.old, r.new, r.mem_sz, r.outcome);
        p.relocations.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(facts(expected), facts(got), "{expected:#?}\nthrough the subset: {got:#?}");
    assert_eq!(expected.insns.bytes, got.insns.bytes, "{expected:#?}\nthrough the subset: {got:#?}");
}
