use super::*;
use crate::settings::Place;
use crate::settings::{Change, Default};

fn read_as(kind: Kind, text: &str, scalar: Scalar) -> Result<Setting, String> {
    let key = Key {
        path: "x",
        kind,
        default: Default::Nothing,
        provider: None,
        change: Change::Reload,
        doc: "",
    };
    let node = Node {
        value: Value::Scalar(text.to_owned(), scalar),
        place: Place::Nowhere,
    };
    read(&key, &node).map(Option::unwrap)
}

#[test]
fn ranges_hold_at_both_ends() {
    let kind = Kind::Integer(1, 3);
    for (text, good) in [
        ("0", false),
        ("1", true),
        ("3", true),
        ("4", false),
        ("-1", false),
        ("99999999999999999999", false),
    ] {
        assert_eq!(read_as(kind, text, Scalar::Number).is_ok(), good, "{text}");
    }
    let kind = Kind::Duration(Duration::from_secs(1), Duration::from_secs(60));
    for (text, good) in [("999ms", false), ("1s", true), ("1m", true), ("61s", false)] {
        assert_eq!(read_as(kind, text, Scalar::Text).is_ok(), good, "{text}");
    }
}

#[test]
fn flags_and_variables_need_no_types() {
    assert_eq!(
        read_as(Kind::Integer(0, 9), "5", Scalar::Untyped),
        Ok(Setting::Integer(5))
    );
    assert_eq!(
        read_as(Kind::Bool, "true", Scalar::Untyped),
        Ok(Setting::Bool(true))
    );
    assert_eq!(
        read_as(Kind::Number(0.0, 1.0), "0.5", Scalar::Untyped),
        Ok(Setting::Number(0.5))
    );
    assert!(read_as(Kind::Bool, "true", Scalar::Text).is_err());
}

#[test]
fn numbers_that_are_none_are_refused() {
    for text in ["NaN", "inf", "-0.1", "1.1", ""] {
        assert!(
            read_as(Kind::Number(0.0, 1.0), text, Scalar::Untyped).is_err(),
            "{text}"
        );
    }
}

#[test]
fn a_long_value_is_cut_in_its_fault() {
    let told = read_as(Kind::Bool, &"x".repeat(5_000), Scalar::Text).unwrap_err();
    assert!(told.len() < 150, "{told}");
}
