//! Back ends of every kind behind the pages that they cut.

use super::super::back_ends::{BackEnd, Cut, Next, Served, Total};
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

/// All pages through tokens by what is served at an offset, and how many requests they took.
fn read(
    paging: Paging,
    serve: impl Fn(usize, usize) -> Served,
) -> Result<(Vec<Vec<usize>>, usize)> {
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
            let Served { items, next, total } = serve(at, size);
            let items = items.into_iter().map(|n| n.to_string()).collect();
            part.take(items, Said { next, total }, |item: &String| item)?;
        }
        let (page, next, _) = part.finish();
        pages.push(page.iter().map(|item| item.parse().unwrap()).collect());
        let Some(next) = next else {
            return Ok((pages, requests));
        };
        token = Some(next.to_string());
    }
}

fn assert_each_once(paging: Paging, back_end: BackEnd) {
    let read = read(paging, |at, size| back_end.page(at, size));
    let (pages, requests) = read.unwrap_or_else(|error| panic!("{back_end:?}: {error:?}"));
    let all: Vec<_> = (0..back_end.count).collect();
    assert_eq!(pages.concat(), all, "{back_end:?}");
    assert!(
        pages.iter().all(|page| page.len() <= SIZE),
        "{back_end:?}: {pages:?}"
    );
    if back_end.total != Total::TooLarge {
        let full = pages.iter().all(|page| !page.is_empty()) || back_end.count == 0;
        assert!(
            full,
            "{back_end:?}: a token led to an empty page: {pages:?}"
        );
        assert!(
            requests <= 3 * pages.len() + 1,
            "{back_end:?}: {requests} requests"
        );
    }
}

#[test]
fn every_item_comes_once_from_a_list_of_offsets() {
    for back_end in BackEnd::all(Cut::ALL, 7).filter(|back_end| !back_end.ends_early()) {
        assert_each_once(OFFSET, back_end);
    }
}

#[test]
fn every_item_comes_once_from_a_list_of_numbered_pages() {
    let cuts = Cut::ALL.into_iter().filter(|cut| cut.fits_numbers());
    for back_end in BackEnd::all(cuts, 10) {
        assert_each_once(NUMBERED, back_end);
    }
}

#[test]
fn totals_that_are_wrong_end_no_list_and_let_none_go_on() {
    for back_end in BackEnd::all(Cut::ALL, 7).filter(|back_end| back_end.next == Next::Truth) {
        for total in [0, 1, -1, 999] {
            let serve = |at, size| Served {
                total: Some(total),
                ..back_end.page(at, size)
            };
            let (pages, _) = read(OFFSET, serve).unwrap();
            let all: Vec<_> = (0..back_end.count).collect();
            assert_eq!(pages.concat(), all, "total {total}: {back_end:?}");
        }
    }
}

#[test]
fn empty_pages_lose_nothing_and_end() {
    let back_end = BackEnd {
        count: 7,
        cut: Cut::OwnPagesOfTwo,
        next: Next::Truth,
        total: Total::Nothing,
    };
    let empty_first = |at: usize, size| match at {
        0 => Served {
            items: Vec::new(),
            next: Some(1),
            total: None,
        },
        at => {
            let served = back_end.page(at - 1, size);
            Served {
                next: served.next.map(|next| next + 1),
                ..served
            }
        }
    };
    assert_eq!(read(OFFSET, empty_first).unwrap().0.concat().len(), 7);
    let only_empty = |at: usize, _| Served {
        items: Vec::new(),
        next: i64::try_from(at + 1).ok(),
        total: None,
    };
    let (pages, requests) = read(OFFSET, only_empty).unwrap();
    assert_eq!((pages, requests), (vec![vec![]], EMPTY_MAX + 1));
}

#[test]
fn what_cannot_be_read_is_said() {
    let stuck = BackEnd {
        count: 20,
        cut: Cut::IgnoresMarker,
        next: Next::Truth,
        total: Total::Truth,
    };
    let read = read(OFFSET, |at, size| stuck.page(at, size));
    assert_eq!(read.unwrap_err().reason, "LIST_NOT_PAGED");
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
