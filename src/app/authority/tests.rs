//! What a caller writes, and what the HTTP/2 library gets to read.

use super::{CONTINUATION, Filter, HEADERS, NAME_CODED, PADDED, PRIORITY, fuzz};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// As C core begins a call: every name in full, no Huffman code, to be kept in the dynamic table.
const C_CORE: &[u8] =
    b"@\x05:path\x06/a.B/C@\n:authority\x15tmp%2Fpod%2Ffaas.sock\x83\x86@\x02te\x08trailers";

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
    bytes.extend(payload);
    bytes
}

fn literal(name: &[u8], value: &[u8]) -> Vec<u8> {
    let text = |text: &[u8]| [&[u8::try_from(text.len()).unwrap()], text].concat();
    [&[0x40][..], &text(name), &text(value)].concat()
}

/// What comes out of a connection with these frames, without its preface; the same whatever the
/// pieces.
fn passed(frames: &[Vec<u8>]) -> Vec<u8> {
    let written = [&[PREFACE.to_vec()], frames].concat().concat();
    fuzz(&written);
    let mut read = written.clone();
    let mut filter = Filter::new();
    for byte in &mut read {
        filter.pass(std::slice::from_mut(byte));
    }
    assert_eq!(read[..PREFACE.len()], *PREFACE);
    read.split_off(PREFACE.len())
}

#[test]
fn the_path_that_c_core_sends_becomes_a_name() {
    let (path, name) = (b"tmp%2Fpod%2Ffaas.sock", b"tmp-2Fpod-2Ffaas.sock");
    let at = C_CORE
        .windows(path.len())
        .position(|part| part == path)
        .unwrap();
    let mut expected = C_CORE.to_vec();
    expected[at..at + name.len()].copy_from_slice(name);
    let settings = frame(4, 0, b"\0\x02\0\0\0\0");
    let data = frame(0, 1, b":authority\x13a%2Fb");
    // The second call refers to what the first one left in the table.
    let again = frame(HEADERS, 4, &[0xc0, 0xbf, 0x83, 0x86, 0xbe]);
    let call = |block: &[u8]| {
        vec![
            settings.clone(),
            frame(HEADERS, 4, block),
            data.clone(),
            again.clone(),
        ]
    };
    assert_eq!(passed(&call(C_CORE)), call(&expected).concat());
}

#[test]
fn padding_priority_and_continuations_are_followed() {
    let (block, padding) = (literal(b":authority", b"a%b"), [b'%'; 9]);
    for cut in 0..=block.len() {
        let whole = |block: &[u8]| {
            let begun = [&[9, 0, 0, 0, 0, 16], &block[..cut], &padding].concat();
            vec![
                frame(HEADERS, PADDED | PRIORITY, &begun),
                frame(CONTINUATION, 4, &block[cut..]),
            ]
        };
        assert_eq!(
            passed(&whole(&block)),
            whole(&literal(b":authority", b"a-b")).concat(),
            "cut at {cut}"
        );
    }
}

#[test]
fn the_name_may_be_spelt_in_other_ways() {
    let coded = [&[0x10, 0x88][..], NAME_CODED, b"\x04/run"].concat();
    let by_index = [&[0x41, 0x03][..], b"[:]"].concat();
    assert!(passed(&[frame(HEADERS, 4, &coded)]).ends_with(b"\x04-run"));
    assert!(passed(&[frame(HEADERS, 4, &by_index)]).ends_with(b"\x03---"));
    // Longer than one byte of length can say, and as the second of two fields.
    let long = [
        b"\x20\x86\0\x0a:authority\x7f\x80\x01".as_slice(),
        &[b'%'; 255],
    ]
    .concat();
    assert!(passed(&[frame(HEADERS, 4, &long)]).ends_with(&[b'-'; 255]));
}

#[test]
fn huffman_code_becomes_that_of_a_name_of_the_same_length() {
    // From `unix:%2Ftmp%2Fwt%2Fcap2.sock`, as grpcurl writes it, to `unix:.2Ftmp.2Fwt.2Fcap2.sock`,
    // and others.
    let texts: [(&[u8], &[u8]); 6] = [
        (
            b"\xb6\xa3\x79\xb8\xa8\xb0\xa6\x9a\xd5\x16\x1f\x09\x54\x58\x48\x3a\xc4\xba\x0e\x4e\xbf",
            b"\xb6\xa3\x79\xb8\xb8\xb0\xa6\x9a\xd7\x16\x1f\x09\x5c\x58\x48\x3a\xc4\xba\x0e\x4e\xbf",
        ),
        // `/run/faas.sock` and `3run3faas.sock`
        (
            b"\x62\xcb\x6a\x62\x51\x8d\x0b\xa0\xe4\xeb",
            b"\x66\xcb\x6a\x66\x51\x8d\x0b\xa0\xe4\xeb",
        ),
        // `%%%%%%%%` and `........`: at each place that a code can have in its bytes
        (b"\x55\x55\x55\x55\x55\x55", b"\x5d\x75\xd7\x5d\x75\xd7"),
        // `%20a:b@c[d]{e}`: codes of up to 15 bits between
        (
            b"\x54\x40\x1d\xc8\xff\xf4\x4f\xfd\xc9\xff\xcf\xff\xc5\xff\xf7",
            b"\x5c\x40\x1d\xc8\xff\xf4\x4f\xfd\xc9\xff\xcf\xff\xc5\xff\xf7",
        ),
        // `1:1,2:2,0:0` and `1:1,2B2,0B0`: a list of addresses
        (
            b"\x0d\xc0\xfd\x0a\xe0\xbe\x81\x70\x1f",
            b"\x0d\xc0\xfd\x0a\xe8\xbe\x81\x74\x1f",
        ),
        // `[::1]:20`: an IPv6 address stays
        (
            b"\xff\xdd\xcb\x81\xff\xe5\xc1\x03",
            b"\xff\xdd\xcb\x81\xff\xe5\xc1\x03",
        ),
    ];
    for (before, after) in texts {
        let call = |text: &[u8]| {
            let length = 0x80 | u8::try_from(text.len()).unwrap();
            frame(HEADERS, 4, &[&[0x83, 0x41, length], text, &[0x86]].concat())
        };
        assert_eq!(
            passed(&[call(before), call(before)]),
            [call(after), call(after)].concat()
        );
    }
}

#[test]
fn nothing_else_is_touched() {
    let longer = literal(b":authoritys", b"a%b");
    let other = literal(b":authoritz", b"a%b");
    let plain = literal(b":authority", b"localhost");
    // `host` of the static table, a value in Huffman code, a code that nothing in a name has, a
    // name from the dynamic table.
    let indexed = [&[0x0f, 0x17, 0x03][..], b"a%b"].concat();
    let coded = [0x0f, 0x17, 0x86, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55];
    let endless = [0x41, 0x86, 0xff, 0xff, 0x55, 0x55, 0x55, 0x55];
    let referred = [&[0x7e, 0x03][..], b"a%b"].concat();
    let promise = frame(5, 4, &literal(b":authority", b"a%b"));
    let frames = [
        &longer[..],
        &other,
        &plain,
        &indexed,
        &coded,
        &endless,
        &referred,
    ]
    .map(|block| frame(HEADERS, 4, block));
    assert_eq!(passed(&frames), frames.concat());
    assert_eq!(passed(std::slice::from_ref(&promise)), promise);
}

#[test]
fn what_is_no_http2_passes_as_it_is() {
    let hostile = literal(b":authority", b"a%b");
    let more_padding_than_frame = frame(HEADERS, PADDED, &[&[200][..], &hostile].concat());
    let no_room_for_priority = frame(HEADERS, PRIORITY, &[1, 2]);
    let endless_number = frame(HEADERS, 4, &[0xff; 12]);
    let nothing = frame(HEADERS, PADDED, &[]);
    for first in [
        more_padding_than_frame,
        no_room_for_priority,
        endless_number,
        nothing,
    ] {
        let frames = [first, frame(HEADERS, 4, &hostile)];
        assert_eq!(passed(&frames), frames.concat());
    }
}
