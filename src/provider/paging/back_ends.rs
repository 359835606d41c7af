//! Back ends of every kind behind a list: what they do with marker and size, and what they say of
//! the list. One table for all tests of lists, here and at the gRPC seam.

/// What a back end does with marker and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    Honest,
    IgnoresMarkerAndSize,
    IgnoresMarker,
    IgnoresSize,
    OneMoreThanAsked,
    RepeatsTheLastItem,
    RepeatsTheLastPage,
    RepeatsItemsInAPage,
    OwnPagesOfTwo,
}

/// Where the next page begins, by the back end's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Truth,
    Nothing,
    Zero,
    StandsStill,
}

/// How many items there are, by the back end's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    Truth,
    Nothing,
    OfThePage,
    TooLarge,
}

/// A list and who serves it.
#[derive(Clone, Copy, Debug)]
pub struct BackEnd {
    pub count: usize,
    pub cut: Cut,
    pub next: Next,
    pub total: Total,
}

/// One page.
#[derive(Clone, Debug)]
pub struct Served {
    pub items: Vec<usize>,
    pub next: Option<i64>,
    pub total: Option<i64>,
}

impl Cut {
    pub const ALL: [Self; 9] = [
        Self::Honest,
        Self::IgnoresMarkerAndSize,
        Self::IgnoresMarker,
        Self::IgnoresSize,
        Self::OneMoreThanAsked,
        Self::RepeatsTheLastItem,
        Self::RepeatsTheLastPage,
        Self::RepeatsItemsInAPage,
        Self::OwnPagesOfTwo,
    ];

    /// A page number says no offset: a back end that begins pages elsewhere is none of numbered
    /// pages.
    pub fn fits_numbers(self) -> bool {
        !matches!(
            self,
            Self::IgnoresSize
                | Self::OneMoreThanAsked
                | Self::RepeatsTheLastItem
                | Self::OwnPagesOfTwo
        )
    }
}

impl Next {
    pub const ALL: [Self; 4] = [Self::Truth, Self::Nothing, Self::Zero, Self::StandsStill];
}

impl Total {
    pub const ALL: [Self; 4] = [Self::Truth, Self::Nothing, Self::OfThePage, Self::TooLarge];
}

impl BackEnd {
    /// Every back end that cuts so, with up to `most` items.
    pub fn all(cuts: impl IntoIterator<Item = Cut>, most: usize) -> impl Iterator<Item = Self> {
        cuts.into_iter().flat_map(move |cut| {
            Next::ALL.into_iter().flat_map(move |next| {
                Total::ALL.into_iter().flat_map(move |total| {
                    (0..=most).map(move |count| Self {
                        count,
                        cut,
                        next,
                        total,
                    })
                })
            })
        })
    }

    /// By the documents a short page that names neither a next one nor a total is the last one, so
    /// that whoever cuts so and says no more has ended the list.
    pub fn ends_early(&self) -> bool {
        self.cut == Cut::OwnPagesOfTwo
            && match self.total {
                Total::Truth | Total::TooLarge => false,
                Total::OfThePage => true,
                Total::Nothing => self.next != Next::Truth,
            }
    }

    pub fn page(&self, at: usize, size: usize) -> Served {
        let count = self.count;
        let honest = |at: usize, size: usize| at.min(count)..at.saturating_add(size).min(count);
        let range = match self.cut {
            Cut::Honest | Cut::RepeatsItemsInAPage => honest(at, size),
            Cut::IgnoresMarkerAndSize => 0..count,
            Cut::IgnoresMarker => honest(0, size),
            Cut::IgnoresSize => honest(at, count),
            Cut::OneMoreThanAsked => honest(at, size.saturating_add(1)),
            Cut::RepeatsTheLastItem => honest(at.saturating_sub(1), size),
            Cut::RepeatsTheLastPage => honest(at.min(count.saturating_sub(1) / size * size), size),
            Cut::OwnPagesOfTwo => honest(at, size.min(2)),
        };
        let end = range.end;
        let mut items: Vec<_> = range.collect();
        if self.cut == Cut::RepeatsItemsInAPage {
            items.extend(items.clone());
        }
        let number = |number: usize| i64::try_from(number).ok();
        let next = match self.next {
            Next::Truth => number(end),
            Next::Nothing => None,
            Next::Zero => Some(0),
            Next::StandsStill => number(at),
        };
        let total = match self.total {
            Total::Truth => number(count),
            Total::Nothing => None,
            Total::OfThePage => number(items.len()),
            Total::TooLarge => Some(999),
        };
        Served { items, next, total }
    }
}
