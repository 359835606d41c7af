use super::*;
use crate::json;

object! {
    struct Inner, identity: name {
        name: Words,
        size: Option<i32> = "SizeMb" | "size",
    }

    struct Outer<'a>, inside: "outer" {
        id: Words,
        count: Option<i64>,
        share: Loose,
        on: Flag,
        took: Option<Millis>,
        age: Option<Seconds>,
        at: Option<prost_types::Timestamp>,
        inner: Option<Inner>,
        items: Vec<Inner>,
        words: Vec<String>,
        weights: std::collections::BTreeMap<String, i32>,
        settings: JsonText,
        raw: Option<&'a serde_json::value::RawValue>,
        result: Option<Present<'a>>,
    }
}

/// The document and the members that could not be read, each with how often.
fn outer(json: &[u8]) -> (Outer<'_>, Vec<(&'static str, u64)>) {
    let mut notes = Notes::new(Clock::UTC);
    let mut place = Place::new(json);
    let read = Outer::read(&mut place, &mut notes).unwrap().unwrap();
    place.end().unwrap();
    (read, notes.unreadable().to_vec())
}

const GOOD: &str = r#"{"id":"a","count":7,"share":0.5,"on":true,"took":1500,"age":30,"at":"2019-10-25T15:17:27Z",
    "inner":{"name":"b","SizeMb":3},"items":[{"name":"c"},{"name":"d","size":"4"}],"words":["x","",7],
    "weights":{"v1":10},"settings":{"k":[1]},"raw":{"z":1},"result":null,"unknown":[{}]}"#;

#[test]
fn a_good_document_is_read_whole() {
    let (read, odd) = outer(GOOD.as_bytes());
    assert_eq!(odd, []);
    assert_eq!((read.id.0.as_deref(), read.count), (Some("a"), Some(7)));
    assert_eq!((read.share.0, read.on.0), (Some(0.5), Some(true)));
    let Millis(took) = read.took.unwrap();
    assert_eq!((took.seconds, took.nanos), (1, 500_000_000));
    assert_eq!(read.age.unwrap().duration().seconds, 30);
    assert_eq!(read.at.unwrap().seconds, 1_572_016_647);
    assert_eq!(read.inner.unwrap().size, Some(3));
    assert_eq!(read.items[1].size, Some(4));
    assert_eq!(read.words, ["x", "", "7"]);
    assert_eq!(read.weights["v1"], 10);
    assert_eq!(read.settings.0.as_deref(), Some(r#"{"k":[1]}"#));
    assert_eq!(read.raw.unwrap().get(), r#"{"z":1}"#);
    assert_eq!(read.result.unwrap().0.bytes(), b"null");
}

#[test]
fn any_member_may_be_anything_and_spoils_nothing_around_it() {
    let members = [
        "id", "count", "share", "on", "took", "age", "at", "inner", "items", "words", "weights",
        "settings", "raw", "result",
    ];
    let odd = [
        "null",
        "\"\"",
        "0",
        "-1",
        "1e300",
        "1e999",
        "99999999999999999999",
        "\"x\"",
        "[]",
        "{}",
        "[null]",
        "true",
        "\"\\ud83d\"",
        "[[[[]]]]",
        "{\"name\":[],\"size\":{}}",
    ];
    for member in members {
        for value in odd {
            let json = format!(r#"{{"before":1,"id":"a","{member}":{value},"words":["last"]}}"#);
            let (read, _) = outer(json.as_bytes());
            assert_eq!(read.words, ["last"], "{json}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_counted_by_the_members_name() {
    for (json, expected) in [
        (r#"{"count":{}}"#, &[("count", 1)][..]),
        (r#"{"count":"seven"}"#, &[("count", 1)]),
        (r#"{"count":1e300}"#, &[("count", 1)]),
        (
            r#"{"count":null,"on":"","share":"","at":0,"inner":"","words":null}"#,
            &[],
        ),
        (r#"{"took":-1,"age":-1}"#, &[("took", 1), ("age", 1)]),
        (r#"{"age":315576000001}"#, &[("age", 1)]),
        (
            r#"{"inner":{"name":"b","SizeMb":4294967296}}"#,
            &[("SizeMb", 1)],
        ),
        (
            r#"{"inner":{"name":"b","size":"x"},"id":[]}"#,
            &[("SizeMb", 1), ("id", 1)],
        ),
        (
            r#"{"items":[null,{"name":"c"},7,{"size":1},{"name":"d","size":{}}]}"#,
            &[("items", 3), ("SizeMb", 1)],
        ),
        (r#"{"items":7}"#, &[("items", 1)]),
        (r#"{"words":[null,"a",{},"b\ud83d"]}"#, &[("words", 3)]),
        (
            r#"{"weights":{"v1":"10","v2":[],"v3":null}}"#,
            &[("weights", 2)],
        ),
        (r#"{"id":"half \ud83d of a pair"}"#, &[("id", 1)]),
    ] {
        assert_eq!(outer(json.as_bytes()).1, expected, "{json}");
    }
}

#[test]
fn what_can_be_read_of_an_odd_list_is_read() {
    let names = |json: &str| -> Vec<String> {
        let (read, _) = outer(json.as_bytes());
        read.items
            .into_iter()
            .filter_map(|item| item.name.0)
            .collect()
    };
    assert_eq!(
        names(r#"{"items":[null,{"name":"c"},7,{"size":1},{"name":"d"}]}"#),
        ["c", "d"]
    );
    assert_eq!(names(r#"{"items":{"name":"alone"}}"#), ["alone"]);
    assert_eq!(outer(br#"{"words":"alone"}"#).0.words, ["alone"]);
}

#[test]
fn a_members_bytes_may_be_no_text() {
    let (read, odd) = outer(
        b"{\"id\":\"caf\xe9 \\\"1\\\"\",\"count\":7,\"raw\":\"\xff\",\"items\":[{\"name\":\"c\"}]}",
    );
    assert_eq!(read.id.0.as_deref(), Some("caf\u{fffd} \"1\""));
    assert_eq!((read.count, read.items.len()), (Some(7), 1));
    assert!(read.raw.is_none());
    assert_eq!(odd, [("id", 1), ("raw", 1)]);
}

#[test]
fn of_a_name_that_comes_twice_the_last_counts_and_a_wrapping_is_looked_into_once() {
    assert_eq!(outer(br#"{"count":1,"count":2}"#).0.count, Some(2));
    assert_eq!(outer(br#"{"outer":{"count":3}}"#).0.count, Some(3));
    assert_eq!(outer(br#"{"outer":{"outer":{"count":3}}}"#).0.count, None);
}

#[test]
fn a_document_of_another_kind_and_broken_json_are_errors() {
    let metrics = TargetMetrics::unread();
    let told = |json: &str, under| {
        let read: Result<Outer<'_>, Unreadable> =
            read(json.as_bytes(), under, Clock::UTC, &metrics);
        match read.err() {
            Some(Unreadable::Malformed(why)) => why,
            Some(Unreadable::TooManyItems) => "too many items".to_owned(),
            None => String::new(),
        }
    };
    let kind = "it is of another kind than documented";
    for json in ["null", "7", "\"{}\"", "[]", "[{}]", "true"] {
        assert_eq!(told(json, None), kind, "{json}");
    }
    let kind = "its content is missing or of another kind than documented";
    for json in [
        "{}",
        r#"{"content":null}"#,
        r#"{"content":[]}"#,
        r#"{"content":"x"}"#,
        "[]",
    ] {
        assert_eq!(told(json, Some("content")), kind, "{json}");
    }
    assert_eq!(told(r#"{"content":{}}"#, Some("content")), "");
    assert_eq!(told("", None), "it ends too early, line 1 column 0");
    assert_eq!(told("{\"id\":", None), "it ends too early, line 1 column 6");
    assert_eq!(told("<canary>", None), "it is not JSON, line 1 column 1");
    for json in [
        "{\"id\":1,}",
        "{\"id\" 1}",
        "{\"id\":1} {}",
        "{id:1}",
        "{\"id\":1]",
        "{\"id\":[1}",
    ] {
        assert!(
            told(json, None).starts_with("it is not JSON"),
            "{json}: {}",
            told(json, None)
        );
    }
}

#[test]
fn depth_is_no_danger() {
    let deep = format!(
        "{{\"unknown\":{}{},\"count\":1}}",
        "[".repeat(200_000),
        "]".repeat(200_000)
    );
    assert_eq!(outer(deep.as_bytes()).0.count, Some(1));
    let deep = format!(
        "{{\"inner\":{}1{},\"count\":1}}",
        "{\"inner\":".repeat(50_000),
        "}".repeat(50_000)
    );
    assert_eq!(outer(deep.as_bytes()).0.count, Some(1));
}

#[test]
fn items_are_not_built_beyond_what_an_answer_may_take() {
    let list = |items: usize| format!(r#"{{"words":[{}"x"]}}"#, r#""x","#.repeat(items));
    json::set_largest_answer(4 << 10);
    let mut notes = Notes::new(Clock::UTC);
    let read = |json: &str, notes: &mut Notes| {
        Outer::read(&mut Place::new(json.as_bytes()), notes).map(drop)
    };
    assert_eq!(read(&list(100), &mut notes), Ok(()));
    assert!(!notes.too_much());
    assert_eq!(read(&list(1000), &mut notes), Err(NotJson));
    assert!(notes.too_much());
    json::set_largest_answer(usize::MAX);
}
