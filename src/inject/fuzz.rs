//! What must hold for any manifest and any request; see `fuzzing`.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a target reports by a panic; none of this is in the program"
)]

use super::{Ask, Documents, Template, documents, review};

/// Manifests are refused with a reason, or come out meaning the same, with their sidecars; a second
/// run changes nothing. A request is refused or answered.
pub(crate) fn manifests(data: &[u8]) {
    let template = Template::built_in().expect("the built-in template is right");
    if let Err(refused) = review(data, &template) {
        assert!(!refused.message.is_empty());
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(node) = documents::from_yaml(text) {
        let written = documents::to_yaml(&node).expect("what was read can be written");
        match documents::from_yaml(&written) {
            Ok(again) => assert_eq!(again, node, "{written}"),
            Err((_, why)) => panic!("{why}: {written}"),
        }
    }
    let ask = Ask::new(true, &[], &template).expect("nothing wrong is set");
    let read =
        |text: &str| Documents::read(text).and_then(|documents| documents.inject(&ask, &template));
    match read(text) {
        Err(faults) => assert!(!faults.is_empty() && !faults.to_string().is_empty()),
        Ok(once) => {
            let twice = read(&once.text).unwrap_or_else(|faults| panic!("{faults}\n{}", once.text));
            assert_eq!(twice.text, once.text);
            assert!(twice.seen.injected.is_empty(), "{}", once.text);
        }
    }
}
