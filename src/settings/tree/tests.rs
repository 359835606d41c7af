use super::*;

fn tree(text: &str) -> Node {
    let mut faults = Faults::default();
    let node = parse(text, &mut faults);
    assert!(faults.is_empty(), "{faults}");
    node.unwrap()
}

fn fault(text: &str) -> String {
    let mut faults = Faults::default();
    assert_eq!(parse(text, &mut faults), None);
    assert_eq!(faults.len(), 1);
    faults.to_string()
}

fn entry<'n>(node: &'n Node, name: &str) -> (&'n Place, &'n Node) {
    let Value::Map(entries) = &node.value else {
        panic!("not a map: {node:?}")
    };
    entries
        .iter()
        .find(|(key, ..)| key == name)
        .map(|(_, place, node)| (place, node))
        .unwrap()
}

#[test]
fn nodes_and_keys_know_their_lines() {
    let root = tree("# a comment\na: 1\nb:\n  c: [x, y]\n  d:\n    - z\n");
    assert_eq!(entry(&root, "a").0, &Place::Line(2));
    let (at, b) = entry(&root, "b");
    assert_eq!(at, &Place::Line(3));
    assert_eq!(entry(b, "d").0, &Place::Line(5));
    let Value::List(items) = &entry(b, "d").1.value else {
        panic!()
    };
    assert_eq!(items[0].place, Place::Line(6));
}

#[test]
fn numbers_keep_their_spelling() {
    let root =
        tree("a: 2.0\nb: 12345678901234567890123456789e12\nc: 007\nd: \"5\"\ne: 1_000\nf: .nan\n");
    let scalar = |name| entry(&root, name).1.value.clone();
    assert_eq!(scalar("a"), Value::Scalar("2.0".into(), Scalar::Number));
    assert_eq!(
        scalar("b"),
        Value::Scalar("12345678901234567890123456789e12".into(), Scalar::Number)
    );
    assert_eq!(scalar("c"), Value::Scalar("007".into(), Scalar::Text));
    assert_eq!(scalar("d"), Value::Scalar("5".into(), Scalar::Text));
    assert_eq!(scalar("e"), Value::Scalar("1_000".into(), Scalar::Text));
    assert_eq!(scalar("f"), Value::Scalar(".nan".into(), Scalar::Text));
}

#[test]
fn off_is_a_word_and_tilde_is_nothing() {
    let root = tree("a: off\nb: ~\nc:\nd: true\n");
    assert_eq!(
        entry(&root, "a").1.value,
        Value::Scalar("off".into(), Scalar::Text)
    );
    assert_eq!(entry(&root, "b").1.value, Value::Null);
    assert_eq!(entry(&root, "c").1.value, Value::Null);
    assert_eq!(
        entry(&root, "d").1.value,
        Value::Scalar("true".into(), Scalar::Bool)
    );
}

#[test]
fn an_anchored_section_is_shared() {
    let root = tree("a: &r\n  x: 1\nb: *r\nc:\n  <<: *r\n  y: 2\n");
    assert_eq!(
        entry(entry(&root, "b").1, "x").1.value,
        Value::Scalar("1".into(), Scalar::Number)
    );
    assert_eq!(
        entry(entry(&root, "c").1, "x").1.value,
        Value::Scalar("1".into(), Scalar::Number)
    );
}

#[test]
fn an_empty_file_is_an_empty_map() {
    for text in ["", "# nothing\n", "---\n"] {
        assert!(
            matches!(&tree(text).value, Value::Map(entries) if entries.is_empty())
                || tree(text).value == Value::Null
        );
    }
}

#[test]
fn bad_yaml_is_one_fault_with_its_line() {
    assert!(fault("a: 1\nb: [\n").contains("is not the YAML expected"));
    let twice = fault("a: 1\nb: 2\na: 3\n");
    assert!(
        twice.contains("line 3") && twice.contains("duplicate"),
        "{twice}"
    );
    assert!(fault("a: 1\n---\nb: 2\n").contains("YAML"));
    assert!(fault("a: !secret x\n").contains("YAML"));
}

#[test]
fn a_fault_repeats_no_line_of_the_file() {
    assert!(!fault("secret_key: hunter2\nsecret_key: [hunter2\n").contains("hunter2"));
}

#[test]
fn an_expansion_bomb_is_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let refs = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{refs}]\n"));
    }
    assert!(fault(&text).contains("the file"));
    assert!(fault(&"[".repeat(10_000)).contains("the file"));
    assert!(fault(&"#".repeat(MAX_BYTES + 1)).contains("1 MiB"));
}
