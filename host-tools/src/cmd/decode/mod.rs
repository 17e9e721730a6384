//! `corelet decode`: prints what a loader without formatting wrote (`corelet-loader run --raw`), by the pack it came from.

mod shape;

use crate::btf::OwnedBtf;
use crate::input::{MAX_FILE, read_file};
use crate::pack::File;
use anyhow::{Context, Result, bail, ensure};
use corelet_core::TypeId;
use corelet_core::event::raw::{
    DIGEST_LEN, HEAD_LEN, HEADER_LEN, Head, Header, Kind, numbers, split_end, split_result,
};
use corelet_core::event::{Out, Printer, Stack, Style, Symbols, print_lost, print_time};
use corelet_core::pack::{Event, Format, Hint, How, Map, Object, Records, ResultMap, View, section};
use shape::Table;
use std::collections::HashMap;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Longest line that is printed, in bytes: the largest record, every byte of it escaped to six.
const MAX_LINE: usize = 8 << 20;

/// Print the raw records of a loader as text or JSON.
///
/// A stream that was cut off is printed as far as it is whole; then comes an error with the offset, and exit code 3.
///
/// Example: corelet decode --pack opensnoop.pack events.raw
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The stream; standard input if it is left out or `-`.
    file: Option<PathBuf>,
    /// The pack that the loader ran.
    #[arg(long)]
    pack: PathBuf,
    /// One JSON object a line.
    #[arg(long, group = "form")]
    json: bool,
    /// Columns under a header.
    #[arg(long, group = "form")]
    columns: bool,
    /// One line a stack, `name;frame;frame COUNT`, as flame graphs are made of; what has no stacks is left out.
    #[arg(long, group = "form")]
    folded: bool,
}

/// How a stream is printed.
pub enum Form {
    /// As the loader prints it.
    Lines(Style),
    /// Columns under a header.
    Columns(Table),
    /// Stacks, one a line.
    Folded,
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode> {
    let shown = args.pack.display();
    let bytes = read_file(&args.pack, MAX_FILE)?;
    let pack = File::whole(&bytes).with_context(|| shown.to_string())?;
    let form = match (args.json, args.columns, args.folded) {
        (true, ..) => Form::Lines(Style::Json),
        (_, true, _) => Form::Columns(Table::default()),
        (.., true) => Form::Folded,
        _ => Form::Lines(Style::Text),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let done = match args.file.as_deref().filter(|f| *f != Path::new("-")) {
        Some(path) => {
            let name = path.display();
            let file = std::fs::File::open(path).with_context(|| format!("{name}: cannot open"))?;
            decode(&pack, file, form, &mut out).with_context(|| name.to_string())
        }
        None => decode(&pack, io::stdin().lock(), form, &mut out).context("standard input"),
    };
    // What was whole is shown before the error is.
    out.flush().context("standard output")?;
    done.map(|()| ExitCode::SUCCESS)
}

/// Prints the stream `input`, which came from `pack`, event by event as they come.
///
/// # Errors
/// A stream that is damaged, cut off, or of another pack, with the offset of the record in bytes.
pub fn decode(pack: &File<'_>, input: impl Read, mut form: Form, out: &mut impl Write) -> Result<()> {
    let mut stream = Stream { input: BufReader::new(input), at: 0 };
    let sources = stream.sources(pack)?;
    let mut line = vec![0; MAX_LINE];
    let mut content = Vec::new();
    let mut known = Known::default();
    loop {
        if stream.input.buffer().is_empty() {
            out.flush().context("standard output")?;
        }
        let at = stream.at;
        let record = || format!("record at byte {at}");
        let Some(head) = stream.record(&mut content).with_context(record)? else {
            bail!(
                "cut off at byte {at}: there is no end record; the loader was killed, or not all was copied"
            );
        };
        let mut printed = Out::new(&mut line);
        let style = match &form {
            Form::Lines(style) => *style,
            _ => Style::Text,
        };
        match head.kind {
            Kind::End => {
                let (kernel, output) = split_end(&content).with_context(record)?;
                print_lost(&mut printed, style, kernel, output);
            }
            Kind::Time => {
                let [real] = numbers(&content, 0).with_context(record)?;
                print_time(&mut printed, style, real);
                if let Form::Columns(table) = &mut form {
                    table.restart();
                }
            }
            Kind::Event | Kind::Result => {
                let source =
                    sources.get(usize::from(head.object)).context("no such object").with_context(record)?;
                let whole = matches!(form, Form::Lines(_)) || source.is_plot(&head).with_context(record)?;
                let style = if whole { style } else { Style::Json };
                source.print(&mut printed, style, &head, &content, &known).with_context(record)?;
                if !whole && !printed.is_full() {
                    let printed = shape::record(printed.bytes())?;
                    match &mut form {
                        Form::Columns(table) => table.put(printed, out)?,
                        _ => shape::fold(printed, &source.users()?, out)?,
                    }
                    continue;
                }
            }
            _ => known.learn(&head, &content).with_context(record)?,
        }
        ensure!(!printed.is_full(), "record at byte {at}: too long to print");
        // of folded stacks anything else would be one more stack
        if !matches!(form, Form::Folded) {
            out.write_all(printed.bytes()).context("standard output")?;
        }
        if head.kind == Kind::End {
            return Ok(());
        }
    }
}

/// What the stream said so far of what only the device knows.
#[derive(Default)]
struct Known {
    /// Nanoseconds that the wall clock is ahead of the monotonic one, wrapping.
    ahead: Option<u64>,
    /// By object and number of the result.
    units: HashMap<(u8, u16), String>,
    /// By object, map and number.
    stacks: HashMap<(u8, u16, u32), Vec<u64>>,
    /// By address.
    symbols: HashMap<u64, (u64, Vec<u8>)>,
}

impl Known {
    fn learn(&mut self, head: &Head, content: &[u8]) -> Result<()> {
        match head.kind {
            Kind::Clock => {
                let [monotonic, real] = numbers(content, 16)?;
                self.ahead = Some(real.wrapping_sub(monotonic));
            }
            Kind::Unit => {
                let unit = std::str::from_utf8(content).context("the name of a unit is no text")?;
                self.units.insert((head.object, head.number), unit.to_owned());
            }
            Kind::Stack => {
                let (id, frames) = content.split_first_chunk().context("cut off")?;
                let frames = frames.as_chunks().0.iter().map(|b| u64::from_le_bytes(*b)).collect();
                self.stacks.insert((head.object, head.number, u32::from_le_bytes(*id)), frames);
            }
            Kind::Symbol => {
                let [address, offset] = numbers(content, 0)?;
                self.symbols.insert(address, (offset, content[16..].to_vec()));
            }
            Kind::Event | Kind::Result | Kind::End | Kind::Time => {}
        }
        Ok(())
    }
}

/// What is known of one object's stacks.
struct OfObject<'k> {
    known: &'k Known,
    object: u8,
}

impl Symbols for OfObject<'_> {
    fn frame(&self, stack: Stack, frame: usize) -> Option<u64> {
        self.known.stacks.get(&(self.object, stack.map, stack.id))?.get(frame).copied()
    }

    fn name(&self, pid: Option<u32>, address: u64) -> Option<(&[u8], u64)> {
        let (offset, name) = self.known.symbols.get(&address).filter(|_| pid.is_none())?;
        Some((name, *offset))
    }
}

/// A stream and how far it was read.
struct Stream<R> {
    input: BufReader<R>,
    at: u64,
}

impl<R: Read> Stream<R> {
    /// Fills `buf`; gives how much there was before the end of the stream.
    fn fill(&mut self, buf: &mut [u8]) -> Result<usize> {
        let mut have = 0;
        while have < buf.len() {
            match self.input.read(&mut buf[have..]) {
                Ok(0) => break,
                Ok(n) => have += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e).context("cannot read"),
            }
        }
        self.at += have as u64;
        Ok(have)
    }

    fn exactly(&mut self, buf: &mut [u8]) -> Result<()> {
        let have = self.fill(buf)?;
        ensure!(
            have == buf.len(),
            "cut off at byte {}: {} more bytes belong to it",
            self.at,
            buf.len() - have
        );
        Ok(())
    }

    /// Reads the header and finds its objects in the pack.
    fn sources(&mut self, pack: &File<'_>) -> Result<Vec<Source>> {
        let mut fixed = [0; HEADER_LEN];
        self.exactly(&mut fixed)?;
        let header = Header::parse(&fixed).context("this is no raw stream of a loader")?;
        let mut sources = Vec::new();
        for _ in 0..header.objects {
            let mut digest = [0; DIGEST_LEN];
            self.exactly(&mut digest)?;
            let source = Source::find(pack, &digest)?;
            ensure!(source.btf.view().endian() == header.endian, "the pack is for another byte order");
            sources.push(source);
        }
        Ok(sources)
    }

    /// Reads a record's content; `None` at the end of the stream.
    fn record(&mut self, content: &mut Vec<u8>) -> Result<Option<Head>> {
        let mut fixed = [0; HEAD_LEN];
        let have = self.fill(&mut fixed)?;
        if have == 0 {
            return Ok(None);
        }
        self.exactly(&mut fixed[have..])?;
        let head = Head::parse(&fixed).context("damaged")?;
        content.resize(head.len as usize, 0);
        self.exactly(content)?;
        Ok(Some(head))
    }
}

/// An object of the pack, as far as printing needs it.
struct Source {
    btf: OwnedBtf,
    hints: Vec<u8>,
    /// Map number, type and name of each event.
    events: Vec<(u16, TypeId, String)>,
    /// Bytes of the sections `RESULTS`, `VIEWS` and `MAPS`.
    results: Vec<u8>,
    views: Vec<u8>,
    maps: Vec<u8>,
}

impl Source {
    fn find(pack: &File<'_>, digest: &[u8; DIGEST_LEN]) -> Result<Source> {
        for owner in pack.owners(section::OBJECT) {
            if pack.record::<Object<'_>>(section::OBJECT, owner)?.digest != *digest {
                continue;
            }
            let section = |id| pack.section(id, owner).map(<[u8]>::to_vec);
            let events: Vec<Event<'_>> = pack.records(section::EVENTS, owner)?;
            return Ok(Source {
                btf: OwnedBtf::from_bytes(section(section::BTF)?).context("the pack's types")?,
                hints: section(section::HINTS)?,
                events: events.iter().map(|e| (e.map, e.type_id, e.name.to_owned())).collect(),
                results: section(section::RESULTS)?,
                views: section(section::VIEWS)?,
                maps: section(section::MAPS)?,
            });
        }
        let short: String = digest.iter().take(6).map(|b| format!("{b:02x}")).collect();
        bail!("it comes from another pack: this one has no object with digest {short}…")
    }

    /// Whether the record is a result that is printed as a plot.
    fn is_plot(&self, head: &Head) -> Result<bool> {
        if head.kind != Kind::Result {
            return Ok(false);
        }
        let result: ResultMap<'_> = Records::new(&self.results, section::RESULTS).at(head.number)?;
        Ok(!matches!(result.how, How::Entries | How::Counters { .. }))
    }

    /// Names of the members that are stacks of user space.
    fn users(&self) -> Result<Vec<String>> {
        let btf = self.btf.view();
        let mut names = Vec::new();
        for hint in Records::<Hint>::new(&self.hints, section::HINTS) {
            let hint = hint?;
            if matches!(hint.format, Format::UserStack { .. }) {
                let member = btf.ty(hint.type_id)?.member(hint.member.into());
                names.extend(member.map(|m| btf.string(m.name_off).to_owned()));
            }
        }
        Ok(names)
    }

    fn print(
        &self,
        out: &mut Out<'_>,
        style: Style,
        head: &Head,
        content: &[u8],
        known: &Known,
    ) -> Result<()> {
        let btf = self.btf.view();
        let symbols = OfObject { known, object: head.object };
        let mut printer = Printer::new(&btf, &self.hints, style).resolving(&symbols);
        if let Some(ahead) = known.ahead {
            printer = printer.clock(ahead);
        }
        if head.kind == Kind::Event {
            let event = self.events.iter().find(|e| e.0 == head.number);
            let (_, ty, name) = event.with_context(|| format!("map {} carries no events", head.number))?;
            printer.event(out, name, *ty, content);
            return Ok(());
        }
        let result: ResultMap<'_> = Records::new(&self.results, section::RESULTS).at(head.number)?;
        let map: Map<'_> = Records::new(&self.maps, section::MAPS).at(result.map)?;
        let (key, value) = split_result(content)?;
        let views = Records::<View<'_>>::new(&self.views, section::VIEWS).collect::<Result<Vec<_>, _>>()?;
        let unit = known.units.get(&(head.object, head.number)).map_or("", String::as_str);
        if let Some(view) = views.iter().find(|v| v.result == head.number) {
            printer = printer.viewed(view, unit);
        }
        printer.result(out, &result, map.key_type, key, value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::{Section, container};
    use corelet_core::Endian;
    use corelet_core::event::raw;
    use corelet_core::pack::{MapRole, Sizing};

    /// A pack of one object whose map 0 carries `unsigned int`s and whose map 1 has results.
    fn pack(digest: u8) -> Vec<u8> {
        let mut btf = vec![0x9f, 0xeb, 1, 0];
        [24u32, 0, 16, 16, 5, 1, 1 << 24, 4, 32].iter().for_each(|w| btf.extend(w.to_le_bytes()));
        btf.extend(b"\0u32\0");
        let object = Object { name: "o", digest: [digest; 32], license: "GPL", spdx: "", kern_version: 0 };
        let map = Map {
            name: "m",
            role: MapRole::Declared,
            map_type: 1,
            key_size: 4,
            value_size: 4,
            max_entries: 1,
            sizing: Sizing::Exact,
            map_flags: 0,
            map_extra: 0,
            key_type: TypeId(1),
            value_type: TypeId(1),
            data_off: 0,
            data_len: 0,
            perf_pages: 0,
        };
        let event = Event { map: 0, type_id: TypeId(1), name: "" };
        let result = ResultMap { map: 1, name: "r", offset: 0, type_id: TypeId(1), how: How::Entries };
        container(&[
            Section::records(section::OBJECT, 0, [object]).unwrap(),
            Section::raw(section::BTF, 0, btf),
            Section::records(section::MAPS, 0, [map, map]).unwrap(),
            Section::records(section::EVENTS, 0, [event]).unwrap(),
            Section::records(section::RESULTS, 0, [result]).unwrap(),
        ])
        .unwrap()
    }

    fn stream() -> Vec<u8> {
        let mut buf = [0; 256];
        let mut out = Out::new(&mut buf);
        Header { endian: Endian::Little, pointer_size: 4, objects: 1 }.put(&mut out);
        out.put(&[7; 32]);
        raw::put_event(&mut out, 0, 0, &5u32.to_le_bytes());
        raw::put_result(&mut out, 0, 0, &1u32.to_le_bytes(), &2u32.to_le_bytes());
        raw::put_end(&mut out, 3, 4);
        out.bytes().to_vec()
    }

    fn decoded(digest: u8, stream: &[u8]) -> (String, Option<String>) {
        let bytes = pack(digest);
        let mut out = Vec::new();
        let done = decode(&File::parse(&bytes).unwrap(), stream, Form::Lines(Style::Json), &mut out);
        (String::from_utf8(out).unwrap(), done.err().map(|e| format!("{e:#}")))
    }

    #[test]
    fn a_whole_stream() {
        let (lines, error) = decoded(7, &stream());
        assert_eq!(
            lines,
            "{\"value\":5}\n{\"result\":\"r\",\"key\":1,\"value\":2}\n{\"lost\":{\"kernel\":3,\"output\":4}}\n"
        );
        assert_eq!(error, None);
    }

    #[test]
    fn what_the_device_knows_comes_with_the_stream() {
        let mut bytes = pack(7);
        let view = View {
            result: 0,
            key: Format::KernelStack { map: 2 },
            value: Format::Time { unit: 1 },
            units: "",
            unit_map: 0,
            unit_offset: 0,
            unit_size: 0,
            sort_offset: 0,
            sort_size: 0,
            rows: 0,
            clear: false,
        };
        let file = File::parse(&bytes).unwrap();
        let mut sections: Vec<Section> =
            [section::OBJECT, section::BTF, section::MAPS, section::EVENTS, section::RESULTS]
                .map(|id| Section::raw(id, 0, file.section(id, 0).unwrap().to_vec()))
                .into();
        sections.push(Section::records(section::VIEWS, 0, [view]).unwrap());
        bytes = container(&sections).unwrap();
        let mut buf = [0; 512];
        let mut out = Out::new(&mut buf);
        Header { endian: Endian::Little, pointer_size: 4, objects: 1 }.put(&mut out);
        out.put(&[7; 32]);
        raw::put_clock(&mut out, &[1; 16], 500, 2_000_000_500);
        raw::put_time(&mut out, 0);
        raw::put_stack(&mut out, 0, 2, 1, &[0x1008, 0x2000, 0, 9]);
        raw::put_symbol(&mut out, 0x1008, 8, b"schedule");
        raw::put_result(&mut out, 0, 0, &1u32.to_le_bytes(), &7000u32.to_le_bytes());
        raw::put_end(&mut out, 0, 0);
        let printed = |form| {
            let mut lines = Vec::new();
            decode(&File::parse(&bytes).unwrap(), out.bytes(), form, &mut lines).unwrap();
            String::from_utf8(lines).unwrap()
        };
        assert_eq!(
            printed(Form::Lines(Style::Text)),
            "time=1970-01-01T00:00:00.000000Z\nr value=1970-01-01T00:00:02.000007Z\n    schedule+0x8\n    0x2000\n\
             lost kernel=0 output=0\n"
        );
        assert_eq!(
            printed(Form::Columns(Table::default())),
            "time=1970-01-01T00:00:00.000000Z\nr\nVALUE\n1970-01-01T00:00:02.000007Z\n    schedule+0x8\n    0x2000\n\
             lost kernel=0 output=0\n"
        );
        assert_eq!(printed(Form::Folded), "0x2000;schedule 1\n");
    }

    #[test]
    fn cut_at_every_byte() {
        let whole = stream();
        for len in 0..whole.len() {
            let (lines, error) = decoded(7, &whole[..len]);
            let error = error.unwrap();
            assert!(error.contains(&format!("cut off at byte {len}")), "{len}: {error}");
            let records = [60, 80].iter().filter(|&&end| len >= end).count();
            assert_eq!(lines.lines().count(), records, "{len}");
        }
    }

    #[test]
    fn another_pack_and_damage_are_refused() {
        assert!(decoded(8, &stream()).1.unwrap().contains("another pack"));
        let mut bad = stream();
        bad[52] = 9;
        assert!(decoded(7, &bad).1.unwrap().contains("record at byte 48: damaged"));
        assert!(decoded(7, b"ELF or something else").1.unwrap().contains("no raw stream"));
    }
}
