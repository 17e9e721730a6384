//! tmp
use corelet_core::pack::*;
use corelet_host_tools::pack::File;
#[test]
fn show() {
    for f in ["sample.pack", "sample.target"] {
        let bytes = std::fs::read(format!("golden/0.1/{f}")).unwrap();
        let file = File::parse(&bytes).unwrap();
        for e in file.entries() {
            println!("{e:?}");
        }
        macro_rules! show {
            ($t:ty, $id:ident) => {
                for r in file.records::<$t>(section::$id, 0).unwrap() {
                    println!("{} {r:?}", stringify!($id));
                }
            };
        }
        show!(Object<'_>, OBJECT);
        show!(Function<'_>, FUNCTIONS);
        show!(Program<'_>, PROGRAMS);
        show!(Map<'_>, MAPS);
        show!(Relo, RELOS);
        show!(Fixup, FIXUPS);
        show!(FuncInfo, FUNC_INFO);
        show!(LineInfo, LINE_INFO);
        show!(Event<'_>, EVENTS);
        show!(ResultMap<'_>, RESULTS);
        show!(Hint, HINTS);
        show!(Target<'_>, TARGET);
        show!(KernelId, IDS);
        show!(Choice, PLAN);
        show!(Memory, MEMORY);
        println!("DATA {:?}", file.section(section::DATA, 0).unwrap());
        println!("KC {:?}", file.section(section::KCONFIG, 0).unwrap());
    }
}
