//! `corelet decode`: prints what a loader without formatting wrote (`corelet-loader run --raw`), by the pack it came from.

use crate::btf::OwnedBtf;
use crate::input::{MAX_FILE, read_file};
use crate::pack::File;
use anyhow::{Context, Result, bail, ensure};
use corelet_core::TypeId;
use corelet_core::event::raw::{
    DIGEST_LEN, HEAD_LEN, HEADER_LEN, Head, Header, Kind, split_end, split_result,
};
use corelet_core::event::{Out, Printer, Style, print_lost};
use corelet_core::pack::{Event, Map, Object, Records, ResultMap, section};
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
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode> {
    let shown = args.pack.display();
    let bytes = read_file(&args.pack, MAX_FILE)?;
    let pack = File::whole(&bytes).with_context(|| shown.to_string())?;
    let style = if args.json { Style::Json } else { Style::Text };
    let mut out = BufWriter::new(io::stdout().lock());
    let done = match args.file.as_deref().filter(|f| *f != Path::new("-")) {
        Some(path) => {
            let name = path.display();
            let file = std::fs::File::open(path).with_context(|| format!("{name}: cannot open"))?;
            decode(&pack, file, style, &mut out).with_context(|| name.to_string())
        }
        None => decode(&pack, io::stdin().lock(), style, &mut out).context("standard input"),
    };
    // What was whole is shown before the error is.
    out.flush().context("standard output")?;
    done.map(|()| ExitCode::SUCCESS)
}

/// Prints the stream `input`, which came from `pack`, event by event as they come.
///
/// # Errors
/// A stream that is damaged, cut off, or of another pack, with the offset of the record in bytes.
pub fn decode(pack: &File<'_>, input: impl Read, style: Style, out: &mut impl Write) -> Result<()> {
    let mut stream = Stream { input: BufReader::new(input), at: 0 };
    let sources = stream.sources(pack)?;
    let mut line = vec![0; MAX_LINE];
    let mut content = Vec::new();
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
        if head.kind == Kind::End {
            let (kernel, output) = split_end(&content).with_context(record)?;
            print_lost(&mut printed, style, kernel, output);
        } else {
            let source =
                sources.get(usize::from(head.object)).context("no such object").with_context(record)?;
            source.print(&mut printed, style, &head, &content).with_context(record)?;
        }
        ensure!(!printed.is_full(), "record at byte {at}: too long to print");
        out.write_all(printed.bytes()).context("standard output")?;
        if head.kind == Kind::End {
            return Ok(());
        }
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
    /// Bytes of the sections `RESULTS` and `MAPS`.
    results: Vec<u8>,
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
                maps: section(section::MAPS)?,
            });
        }
        let short: String = digest.iter().take(6).map(|b| format!("{b:02x}")).collect();
        bail!("it comes from another pack: this one has no object with digest {short}…")
    }

    fn print(&self, out: &mut Out<'_>, style: Style, head: &Head, content: &[u8]) -> Result<()> {
        let btf = self.btf.view();
        let printer = Printer::new(&btf, &self.hints, style);
        if head.kind == Kind::Event {
            let event = self.events.iter().find(|e| e.0 == head.number);
            let (_, ty, name) = event.with_context(|| format!("map {} carries no events", head.number))?;
            printer.event(out, name, *ty, content);
            return Ok(());
        }
        let result: ResultMap<'_> = Records::new(&self.results, section::RESULTS).at(head.number)?;
        let map: Map<'_> = Records::new(&self.maps, section::MAPS).at(result.map)?;
        let (key, value) = split_result(content)?;
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
    use corelet_core::pack::{How, MapRole, Sizing};

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
        let done = decode(&File::parse(&bytes).unwrap(), stream, Style::Json, &mut out);
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
