//! Where the output goes.

use super::*;
use crate::sys::Address;
use std::ffi::CString;

/// A ring buffer with these numbers.
fn with_ring(kernel: &mut Fake, to: &str, numbers: &[u32]) {
    kernel.to = Some(CString::new(to).unwrap());
    let mut p = Producer::new(kernel, 10, 0);
    numbers.iter().for_each(|n| p.push(0, &n.to_ne_bytes()));
}

fn run(kernel: &mut Fake, form: Form) -> Streamed {
    let ring = [map(27, MapRole::Declared, 0, 0, SIZE as u32)];
    stream(kernel, form, &ring, &[event(0)], &[], &[])
}

#[test]
fn a_file_is_rotated_between_records_and_each_has_its_header() {
    for (form, limit) in [(Form::Text, 30), (Form::Raw, 120)] {
        let mut kernel = Fake { rotate: limit, ..Fake::default() };
        with_ring(&mut kernel, "/var/log/x", &[11, 22, 33, 44, 55, 66]);
        let sum = run(&mut kernel, form).unwrap();
        assert_eq!((sum.events, sum.dropped), (6, 0));
        assert!(kernel.stdout.is_empty() && kernel.renamed.len() > 1);
        let mut whole = Vec::new();
        for (from, to, content) in &kernel.renamed {
            assert_eq!((from.to_str(), to.to_str()), (Ok("/var/log/x"), Ok("/var/log/x.1")));
            assert!(content.len() as u64 <= limit && !content.is_empty());
            whole.push(content.clone());
        }
        whole.push(kernel.file.clone());
        if form == Form::Raw {
            assert!(whole.iter().all(|file| raw::Header::parse(file).is_ok()));
        } else {
            let text = String::from_utf8(whole.concat()).unwrap();
            assert_eq!(
                text,
                "value=11\nvalue=22\nvalue=33\nvalue=44\nvalue=55\nvalue=66\nlost kernel=0 output=0\n"
            );
            assert!(whole.iter().all(|file| file.ends_with(b"\n")));
        }
    }
}

#[test]
fn datagrams_have_a_record_and_syslog_a_line() {
    for (to, prefix) in [("udp:192.0.2.7:514", ""), ("syslog", "<30>corelet: ")] {
        let mut kernel = Fake { listens: true, ..Fake::default() };
        with_ring(&mut kernel, to, &[7, 8]);
        kernel.maps.insert(11, vec![(vec![5; 4], 9u64.to_ne_bytes().to_vec())]);
        let maps = [map(27, MapRole::Declared, 0, 0, SIZE as u32), map(1, MapRole::Declared, 4, 8, 1)];
        let how = How::Hist { offset: 0, slots: 1, size: 8, base: 0, step: 0, labels: TypeId(0) };
        let results = [ResultMap { map: 1, name: "lat", offset: 0, type_id: TypeId(2), how }];
        stream(&mut kernel, Form::Text, &maps, &[event(0)], &results, &[]).unwrap();
        let packets: Vec<&str> = kernel.packets.iter().map(|p| std::str::from_utf8(p).unwrap()).collect();
        assert_eq!(packets[0].trim_end(), format!("{prefix}value=7"));
        assert!(packets.iter().all(|p| p.starts_with(prefix)), "{packets:?}");
        // the histogram: one datagram, or one for each of its three lines
        assert_eq!(packets.len(), if prefix.is_empty() { 4 } else { 6 }, "{packets:?}");
        let address = match prefix {
            "" => Address::udp([192, 0, 2, 7], 514),
            _ => Address::unix(b"/dev/log", true).unwrap(),
        };
        assert_eq!(kernel.connected, [address]);
    }
}

#[test]
fn a_consumer_that_is_gone_is_counted_and_looked_for_again() {
    let mut kernel = Fake::default();
    with_ring(&mut kernel, "unix:/run/x", &[1, 2, 3]);
    let sum = run(&mut kernel, Form::Json).unwrap();
    assert_eq!((sum.events, sum.dropped), (0, 3));
    // at the start and for each record, the last line included
    assert_eq!(kernel.connected.len(), 5);
    assert_eq!(kernel.connected[0], Address::unix(b"/run/x", false).unwrap());
    let mut kernel = Fake { listens: true, write_error: Some(Errno(111)), ..Fake::default() };
    with_ring(&mut kernel, "udp:127.0.0.1:9", &[1, 2, 3]);
    let sum = run(&mut kernel, Form::Json).unwrap();
    assert_eq!((sum.events, sum.dropped), (0, 3));
}

#[test]
fn places_that_cannot_be_are_usage() {
    for (to, form) in [
        ("udp:1.2.3:5", Form::Text),
        ("udp:1.2.3.400:5", Form::Text),
        ("udp:1.2.3.4:5:6", Form::Text),
        ("unix:", Form::Text),
        ("syslog", Form::Raw),
    ] {
        let mut kernel = Fake::default();
        with_ring(&mut kernel, to, &[]);
        assert_eq!(run(&mut kernel, form).err(), Some(Exit::Usage), "{to}");
    }
}
