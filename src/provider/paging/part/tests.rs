//! Back ends of every kind behind the pages that they cut.

use super::*;

const SIZE: usize = 3;

const OFFSET: Paging = Paging {
    first: 0,
    numbered: false,
    max: 8,
};
const NUMBERED: Paging = Paging {
    first: 1,
    numbered: true,
    max: usize::MAX,
};

/// The items from an offset on, as many as asked for.
type Cut = fn(at: usize, size: usize, count: usize) -> std::ops::Range<usize>;

/// A back end by what it does and says.
#[derive(Clone, Copy)]
struct BackEnd {
    count: usize,
    cut: Cut,
    next: fn(at: usize, end: usize) -> Option<i64>,
    total: fn(length: usize, count: usize) -> Option<i64>,
}

/// All pages through tokens, and how many requests they took.
fn read(paging: Paging, back_end: BackEnd) -> Result<(Vec<Vec<String>>, usize)> {
    let (mut pages, mut requests, mut token) = (Vec::new(), 0, None::<String>);
    loop {
        let from = token.map_or_else(
            || Position::start(paging),
            |token| Position::parse(&token).unwrap(),
        );
        let mut part = ListPart::new(paging, SIZE, from);
        while let Some((at, size)) = part.ask() {
            requests += 1;
            assert!(requests < 100, "pages without end: {pages:?}");
            let (at, size): (usize, usize) = (at.parse().unwrap(), size.parse().unwrap());
            let at = if paging.numbered { (at - 1) * size } else { at };
            let range = (back_end.cut)(at, size, back_end.count);
            let said = Said {
                next: (back_end.next)(at, range.end),
                total: (back_end.total)(range.len(), back_end.count),
            };
            let items = range.map(|n| n.to_string()).collect();
            part.take(items, said, |item: &String| item)?;
        }
        let (page, next, _) = part.finish();
        pages.push(page);
        let Some(next) = next else {
            return Ok((pages, requests));
        };
        token = Some(next.to_string());
    }
}

fn honest(at: usize, size: usize, count: usize) -> std::ops::Range<usize> {
    at.min(count)..at.saturating_add(size).min(count)
}

const CUTS: [Cut; 7] = [
    honest,
    // Ignores marker and size.
    |_, _, count| 0..count,
    // Ignores the size.
    |at, _, count| at.min(count)..count,
    // Ignores the marker.
    |_, size, count| 0..size.min(count),
    // One more than asked for.
    |at, size, count| honest(at, size.saturating_add(1), count),
    // Repeats the last item.
    |at, size, count| honest(at.saturating_sub(1), size, count),
    // Repeats the last page beyond the end.
    |at, size, count| honest(at.min(count.saturating_sub(1) / SIZE * SIZE), size, count),
];

fn assert_each_once(paging: Paging, back_end: BackEnd, what: &str) {
    let (pages, requests) = read(paging, back_end).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let all: Vec<_> = (0..back_end.count).map(|n| n.to_string()).collect();
    assert_eq!(pages.concat(), all, "{what}");
    assert!(pages.iter().all(|page| page.len() <= SIZE), "{what}: {pages:?}");
    let full = pages.iter().all(|page| !page.is_empty()) || back_end.count == 0;
    assert!(full, "{what}: a token led to an empty page: {pages:?}");
    assert!(requests <= 3 * pages.len() + 1, "{what}: {requests} requests");
}

#[test]
fn every_item_comes_once_from_a_list_of_offsets() {
    let nexts: [fn(usize, usize) -> Option<i64>; 4] = [
        |_, end| i64::try_from(end).ok(),
        |_, _| None,
        |_, _| Some(0),
        |at, _| i64::try_from(at).ok(),
    ];
    let totals: [fn(usize, usize) -> Option<i64>; 3] = [
        |_, count| i64::try_from(count).ok(),
        |_, _| None,
        // The items of this page.
        |length, _| i64::try_from(length).ok(),
    ];
    for (c, cut) in CUTS.into_iter().enumerate() {
        for (n, next) in nexts.into_iter().enumerate() {
            for (t, total) in totals.into_iter().enumerate() {
                for count in 0..=7 {
                    let back_end = BackEnd {
                        count,
                        cut,
                        next,
                        total,
                    };
                    assert_each_once(
                        OFFSET,
                        back_end,
                        &format!("cut {c} next {n} total {t} of {count}"),
                    );
                }
            }
        }
    }
}

#[test]
fn every_item_comes_once_from_a_list_of_numbered_pages() {
    let totals: [fn(usize, usize) -> Option<i64>; 2] = [|_, count| i64::try_from(count).ok(), |_, _| None];
    // A page number says no offset, so that the cuts by offset do not fit: those that a page number can mean stay.
    for (c, cut) in CUTS
        .into_iter()
        .enumerate()
        .filter(|(c, _)| [0, 1, 3, 6].contains(c))
    {
        for (t, total) in totals.into_iter().enumerate() {
            for count in 0..=10 {
                let next = |_, _| None;
                let back_end = BackEnd {
                    count,
                    cut,
                    next,
                    total,
                };
                assert_each_once(NUMBERED, back_end, &format!("cut {c} total {t} of {count}"));
            }
        }
    }
}

#[test]
fn totals_that_are_wrong_end_no_list_and_let_none_go_on() {
    for total in [0, 1, 2, 999] {
        for count in 0..=7 {
            for cut in CUTS {
                let back_end = BackEnd {
                    count,
                    cut,
                    next: |_, end| i64::try_from(end).ok(),
                    total: match total {
                        0 => |_, _| Some(0),
                        1 => |_, _| Some(1),
                        2 => |_, _| Some(-1),
                        _ => |_, _| Some(999),
                    },
                };
                let (pages, _) = read(OFFSET, back_end).unwrap();
                let all: Vec<_> = (0..count).map(|n| n.to_string()).collect();
                assert_eq!(pages.concat(), all, "total {total} of {count}");
            }
        }
    }
}

#[test]
fn small_pages_of_its_own_and_empty_ones_lose_nothing() {
    let small = BackEnd {
        count: 7,
        cut: |at, _, count| honest(at, 2, count),
        next: |_, end| i64::try_from(end).ok(),
        total: |_, _| None,
    };
    let (pages, _) = read(OFFSET, small).unwrap();
    assert_eq!((pages.concat().len(), pages.len()), (7, 4));
    let empty_first = BackEnd {
        cut: |at, size, count| {
            if at == 0 {
                0..0
            } else {
                honest(at - 1, size, count)
            }
        },
        next: |at, end| i64::try_from(if at == 0 { 1 } else { end + 1 }).ok(),
        ..small
    };
    assert_eq!(read(OFFSET, empty_first).unwrap().0.concat().len(), 7);
    let only_empty = BackEnd {
        cut: |_, _, _| 0..0,
        next: |at, _| i64::try_from(at + 1).ok(),
        ..small
    };
    let (pages, requests) = read(OFFSET, only_empty).unwrap();
    assert_eq!((pages, requests), (vec![vec![]], EMPTY_MAX + 1));
}

#[test]
fn what_cannot_be_read_is_said() {
    let stuck = BackEnd {
        count: 20,
        cut: |_, size, count| 0..size.min(count),
        next: |_, end| i64::try_from(end).ok(),
        total: |_, count| i64::try_from(count).ok(),
    };
    assert_eq!(read(OFFSET, stuck).unwrap_err().reason, "LIST_NOT_PAGED");
}

#[test]
fn a_position_is_read_as_it_was_written_and_no_other_text_is() {
    let position = Position {
        at: 7,
        given: 3,
        first: u64::MAX,
        last: 0,
        stuck: true,
    };
    assert_eq!(Position::parse(&position.to_string()), Some(position));
    for bad in [
        "",
        "7",
        "7.3.f.0",
        "7.3.f.0.2",
        "7.3.f.0.1.",
        "-7.3.f.0.1",
        "+7.3.f.0.1",
        "07.3.f.0.1",
        "7.3.F.0.1",
        "99999999999999999999.3.f.0.1",
        "7.3.f.0.1&x=1",
    ] {
        assert_eq!(Position::parse(bad), None, "{bad}");
    }
}
