use proptest::prelude::*;
use prost::Message as _;

use super::*;

/// The same message as a stock protobuf runtime sees it.
fn stock(value: &Value) -> prost_types::Value {
    prost_types::Value::decode(value.encode_to_vec().as_slice()).unwrap()
}

fn to_json(value: &prost_types::Value) -> String {
    let ours = Value::decode(value.encode_to_vec().as_slice()).unwrap();
    String::from_utf8(ours.to_json().unwrap().to_vec()).unwrap()
}

fn read(text: &str) -> (prost_types::Value, bool) {
    let (value, inexact) = Value::from_json(text).unwrap();
    (stock(&value), inexact)
}

#[test]
fn json_becomes_what_a_stock_decoder_reads_and_comes_back() {
    for text in [
        "null",
        "true",
        "-12",
        "0.1",
        "\"한글 \\u0001 \\\"\"",
        "[]",
        "{}",
        r#"{"a":[1,{"b":null},[]],"c":"d"}"#,
        &format!(
            "{{\"long\":\"{}\",\"list\":[{}1]}}",
            "x".repeat(40_000),
            "7,".repeat(9_000)
        ),
    ] {
        let (value, inexact) = Value::from_json(text).unwrap();
        assert!(!inexact, "{text:.60}");
        let back: serde_json::Value = serde_json::from_slice(&value.to_json().unwrap()).unwrap();
        assert_eq!(
            back,
            serde_json::from_str::<serde_json::Value>(text).unwrap()
        );
        // Encoding through a stock runtime changes nothing.
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&to_json(&stock(&value))).unwrap(),
            serde_json::from_str::<serde_json::Value>(text).unwrap()
        );
    }
}

#[test]
fn integral_numbers_go_without_a_fraction() {
    for (number, text) in [
        (1.0, "1"),
        (-0.0, "-0"),
        (0.5, "0.5"),
        (9_007_199_254_740_992.0, "9007199254740992"),
        (1e20, "1e20"),
    ] {
        let value = prost_types::Value {
            kind: Some(prost_types::value::Kind::NumberValue(number)),
        };
        let written = to_json(&value);
        assert_eq!(written.parse::<f64>().unwrap(), number);
        assert!(!written.contains(".0"), "{written}");
        assert!(
            written == text || number.abs() > 1e15,
            "{written} for {text}"
        );
    }
}

#[test]
fn what_f64_cannot_hold_is_reported() {
    for (text, inexact) in [
        ("9007199254740993", true),
        ("9007199254740992", false),
        ("[18446744073709551615]", true),
        ("0.1", false),
        ("1e400", true),
        ("123456789.123456789123", true),
        ("0.30000000000000004", false),
        ("1.50", false),
        ("1E2", false),
        ("5e-324", false),
        ("1.2345678901234567e-320", true),
        (r#"{"a":1,"a":2}"#, true),
        (r#"{"9007199254740993":"9007199254740993"}"#, false),
    ] {
        assert_eq!(read(text).1, inexact, "{text}");
    }
}

#[test]
fn a_value_without_json_says_where_and_why() {
    use prost_types::value::Kind::{ListValue, NumberValue, StructValue};
    let nan = prost_types::Value {
        kind: Some(NumberValue(f64::NAN)),
    };
    let unset = prost_types::Value { kind: None };
    let list = |values| prost_types::Value {
        kind: Some(ListValue(prost_types::ListValue { values })),
    };
    let object = |key: &str, value| prost_types::Value {
        kind: Some(StructValue(prost_types::Struct {
            fields: [(key.to_owned(), value)].into(),
        })),
    };
    for (value, path, why) in [
        (object("price", nan), ".price", "NaN"),
        (
            object("a", list(vec![object("b", unset)])),
            ".a[0].b",
            "no kind",
        ),
    ] {
        let ours = Value::decode(value.encode_to_vec().as_slice()).unwrap();
        let fault = ours.to_json().unwrap_err();
        assert_eq!(fault.path(), path);
        assert!(fault.why().contains(why), "{}", fault.why());
    }
}

#[test]
fn depth_is_bounded_both_ways() {
    let deep = format!("{}{}", "[".repeat(101), "]".repeat(101));
    assert!(Value::from_json(&deep).is_err());
    let mut body = vec![0x08, 0x00];
    for _ in 0..200 {
        let mut list = vec![0x0a];
        prost::encoding::encode_varint(body.len() as u64, &mut list);
        list.extend(body);
        body = vec![0x32];
        prost::encoding::encode_varint(list.len() as u64, &mut body);
        body.extend(list);
    }
    assert!(
        Value::decode(body.as_slice())
            .unwrap()
            .to_json()
            .unwrap_err()
            .why()
            .contains("100 levels")
    );
}

#[test]
fn object_text_refuses_what_is_no_object() {
    for (text, part) in [
        ("[1]", "object"),
        ("", "not JSON"),
        ("{", "not JSON"),
        ("{} {}", "not JSON"),
        ("7", "object"),
    ] {
        let mut faults = Faults::new();
        let json = Json {
            encoding: Some(Encoding::Text(text.to_owned())),
        };
        assert!(object_text(Some(json), "arguments", 1000, &mut faults).is_none());
        assert!(
            faults.into_result().unwrap_err().message.contains(part),
            "{text}"
        );
    }
}

#[test]
fn text_passes_byte_for_byte() {
    let text = " {\"a\": 1.0, \"a\": 9007199254740993, \"z\":\"\\u00e9\"}\n";
    let json = Json {
        encoding: Some(Encoding::Text(text.to_owned())),
    };
    let mut faults = Faults::new();
    assert_eq!(
        object_text(Some(json), "arguments", 1000, &mut faults).unwrap(),
        text.as_bytes()
    );
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i32>().prop_map(serde_json::Value::from),
        any::<f64>()
            .prop_filter("finite", |f| f.is_finite())
            .prop_map(serde_json::Value::from),
        ".{0,200}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(serde_json::Value::from),
            prop::collection::btree_map(".{0,12}", inner, 0..8)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Equal as JSON numbers are: 1 and 1.0 are one number.
fn same(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Number, Object};
    match (a, b) {
        (Number(a), Number(b)) => a.as_f64() == b.as_f64(),
        (Array(a), Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Object(a), Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|b| same(v, b)))
        }
        _ => a == b,
    }
}

#[test]
fn a_number_between_two_equally_near_decimals_is_exact_as_it_is_printed() {
    let (value, inexact) = Value::from_json("180600274734998.12").unwrap();
    assert!(!inexact);
    assert_eq!(value.to_json().unwrap(), b"180600274734998.12".as_slice());
    assert!(!exact::all_numbers_exact("180600274734998.125"));
}

proptest! {
    #[test]
    fn any_document_survives_the_round_trip(json in any_json()) {
        let (value, inexact) = Value::from_json(&json.to_string()).unwrap();
        prop_assert!(!inexact);
        let back: serde_json::Value = serde_json::from_slice(&value.to_json().unwrap()).unwrap();
        prop_assert!(same(&json, &back), "{json} != {back}");
        stock(&value);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(value) = Value::decode(bytes.as_slice()) {
            let _ = value.to_json();
        }
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let _ = Value::from_json(text);
            exact::all_numbers_exact(text);
        }
    }
}

#[test]
fn a_value_is_built_no_further_than_its_limit() {
    let numbers = format!("[{}1]", "1,".repeat(100_000));
    assert!(matches!(
        Value::from_json_within(&numbers, 1 << 20),
        Err(Unreadable::TooLarge)
    ));
    let (value, inexact) = Value::from_json_within(&numbers, 2 << 20).unwrap();
    assert!(!inexact && value.encoded_len() > 1_100_000);
    // Twice over its limit and not JSON at its end: it was not read so far.
    let nonsense = format!("[{}x", "1,".repeat(100_000));
    assert!(matches!(
        Value::from_json_within(&nonsense, 1 << 20),
        Err(Unreadable::TooLarge)
    ));
    assert!(matches!(
        Value::from_json_within("[x", 1 << 20),
        Err(Unreadable::Json(_))
    ));
    for (text, size) in [("\"aaaa\"", 6), ("[[],[]]", 10), ("{\"a\":null}", 11)] {
        let whole = Value::from_json(text).unwrap().0.encoded_len();
        assert_eq!(whole, size, "{text}");
        assert!(Value::from_json_within(text, whole).is_ok(), "{text}");
        assert!(Value::from_json_within(text, whole - 1).is_err(), "{text}");
    }
}

#[test]
fn json_is_built_no_further_than_its_limit() {
    for text in [
        r#"{"a":[1,2.5,true,false,null,"\u0001\u0001"],"b":{}}"#.to_owned(),
        format!("\"{}\"", "\\u0001".repeat(1000)),
        "-0".to_owned(),
    ] {
        let (value, _) = Value::from_json(&text).unwrap();
        let length = value.to_json().unwrap().len();
        assert_eq!(value.to_json_within(length).unwrap().len(), length);
        for short in 0..length.min(60) {
            let fault = value.to_json_within(short).unwrap_err();
            assert!(fault.is_too_long(), "{text} in {short}: {fault}");
        }
        assert!(value.to_json_within(length - 1).unwrap_err().is_too_long());
    }
    let mut faults = Faults::new();
    let (value, _) = Value::from_json(&format!("{{\"a\":\"{}\"}}", "x".repeat(100))).unwrap();
    let json = Json {
        encoding: Some(Encoding::Value(value)),
    };
    assert!(object_text(Some(json), "arguments", 50, &mut faults).is_none());
    let told = format!("{:?}", faults.into_result().unwrap_err());
    assert!(told.contains("more than 50 bytes"), "{told}");
}
