//! Results: entries of maps, counters with names, histograms.

use super::Printer;
use super::hist::Hist;
use super::out::Out;
use super::write::{Style, Writer};
use crate::bytes::{Bytes, pieces};
use crate::error::Part;
use crate::id::TypeId;
use crate::pack::{Format, How, ResultMap};

impl<'a> Printer<'a> {
    /// Prints one result with a newline: an entry of a map with its key, or a variable, whose key is empty. In front stands
    /// the result's name, in JSON as member `result`.
    ///
    /// ```text
    /// data key=59 count=3 total_ns=812                               How::Entries
    /// {"result":"data","key":59,"value":{"count":3,"total_ns":812}}
    /// stats S_READ=12 S_WRITE=3                                      How::Counters
    /// {"result":"stats","counters":{"S_READ":12,"S_WRITE":3}}
    /// hists key={dev=8388608}                                        How::Log2
    ///         from -> to           :      count |distribution
    ///            4 -> 7            :          2 |********************                    |
    ///            8 -> 15           :          4 |****************************************|
    /// {"result":"hists","key":{"dev":8388608},"log2":[{"from":4,"to":7,"count":2},{"from":8,"to":15,"count":4}]}
    /// ```
    ///
    /// Counters without a name are called by their index, and left out where they are 0. A histogram starts and ends with its
    /// first and last slot that is not 0. Where the value is an array of histograms, each that is not all zeros is printed with its
    /// name or number in front, in JSON as an array `histograms` of objects with a member `of`.
    pub fn result(
        &self,
        out: &mut Out<'_>,
        result: &ResultMap<'_>,
        key_type: TypeId,
        key: &[u8],
        value: &[u8],
    ) {
        let mut w = Writer::new(out, self.style, key.len().saturating_add(value.len()));
        w.open_line();
        w.headline("result", result.name);
        match result.how {
            How::Entries => {
                self.key(&mut w, key_type, key);
                let format = self.view.map_or(Format::Plain, |v| v.value);
                match self.style {
                    Style::Text => self.flat(&mut w, result.type_id, value, format),
                    Style::Json => self.named(&mut w, "value", result.type_id, value, format),
                }
            }
            How::Counters { labels } => self.counters(&mut w, result.type_id, labels, key, value),
            How::Log2 { .. } | How::Hist { .. } => {
                self.key(&mut w, key_type, key);
                if let Some(hist) = Hist::of(result.how) {
                    self.hist(&mut w, result, &hist, value);
                }
            }
        }
        self.layout.stacks(&mut w);
        w.close_line();
    }

    fn key(&self, w: &mut Writer<'_, '_>, ty: TypeId, key: &[u8]) {
        if !key.is_empty() {
            self.named(w, "key", ty, key, self.view.map_or(Format::Plain, |v| v.key));
        }
    }

    /// Prints the histogram of a value, or those of an array that are not empty.
    fn hist(&self, w: &mut Writer<'_, '_>, result: &ResultMap<'_>, hist: &Hist, value: &[u8]) {
        let endian = self.layout.btf.endian();
        let (elem, size, several) = Hist::element(self.layout.btf, result.type_id, value.len());
        if several && self.style == Style::Json {
            w.name(b"histograms");
            w.open(b'[');
        }
        let labels = self.layout.btf.behind(hist.labels);
        let mut first = true;
        for (i, part) in pieces(value, size).enumerate() {
            if several && (part.iter().all(|&b| b == 0) || !w.step()) {
                continue;
            }
            if several {
                match self.style {
                    Style::Json => {
                        w.element();
                        w.open(b'{');
                    }
                    Style::Text if first => {}
                    Style::Text => {
                        w.out.put_byte(b'\n');
                        w.string(result.name.as_bytes());
                    }
                }
                first = false;
                match self.layout.enumerator(&labels, i as u64, 32) {
                    Some(name) => w.headline("of", name),
                    None => {
                        w.name(b"of");
                        w.unsigned(i as u64);
                    }
                }
            }
            self.layout.beside(w, elem, hist, part);
            hist.print(w, part, endian, self.unit);
            if several && self.style == Style::Json {
                w.close(b'}');
            }
        }
        if several && self.style == Style::Json {
            w.close(b']');
        }
    }

    /// Prints counters by name. The key of a map's entry is the index of its first counter.
    fn counters(&self, w: &mut Writer<'_, '_>, ty: TypeId, labels: TypeId, key: &[u8], value: &[u8]) {
        let btf = self.layout.btf;
        let labels = btf.behind(labels);
        let elem = btf.element(ty);
        let size = btf.size_of(elem.id).unwrap_or(0) as usize;
        let first = Bytes::new(key, btf.endian(), Part::Event).u32(0).unwrap_or(0);
        if self.style == Style::Json {
            w.name(b"counters");
            w.open(b'{');
        }
        for (i, part) in pieces(value, size.max(1)).enumerate() {
            let Some(n) = self.layout.number(&elem, part, 0, None).filter(|_| w.step()) else { break };
            let index = (i as u64).saturating_add(first.into());
            match self.layout.enumerator(&labels, index, 32) {
                Some(name) => w.name(name.as_bytes()),
                None if n.raw == 0 => continue,
                None => w.number_name(index),
            }
            self.layout.scalar(w, &elem, n, None);
        }
        if self.style == Style::Json {
            w.close(b'}');
        }
    }
}
