use super::*;

fn report() -> Report {
    Report {
        activation_id: "a1".to_owned(),
        action: "math/inc".to_owned(),
        status: "SUCCESS".to_owned(),
        finished: true,
        success: true,
        duration_ms: Some(35),
        result: Some("{\"n\":12345678901234567890.10}".to_owned()),
        logs: vec!["one".to_owned(), "\u{1b}[2Jtwo".to_owned()],
        ..Report::default()
    }
}

#[test]
fn the_exit_code_tells_success_from_failure_from_no_answer() {
    let exit = |finished, success, asynchronous| {
        Report {
            finished,
            success,
            asynchronous,
            ..report()
        }
        .exit()
    };
    assert_eq!(exit(true, true, false), Exit::Clean);
    assert_eq!(exit(true, false, false), Exit::FunctionFailed);
    assert_eq!(exit(false, false, true), Exit::Clean);
    assert_eq!(exit(false, false, false), Exit::Failed);
}

#[test]
fn the_table_leaves_out_what_is_unknown_and_steers_no_terminal() {
    assert_eq!(
        report().render(InvokeOutput::Table),
        "activation  a1\naction      math/inc\nstatus      SUCCESS\nduration    35 ms\n\
         result      {\"n\":12345678901234567890.10}\nlogs\n  one\n  \u{fffd}[2Jtwo\n"
    );
    let running = Report {
        finished: false,
        status: "RUNNING".to_owned(),
        ..Report::default()
    };
    assert!(
        running
            .render(InvokeOutput::Table)
            .contains("RUNNING (no result yet)")
    );
}

#[test]
fn json_keeps_the_result_as_it_was_spelt() {
    let text = report().render(InvokeOutput::Json);
    assert!(
        text.contains("\"result\":{\"n\":12345678901234567890.10},\"logs\":[\"one\""),
        "{text}"
    );
    assert!(
        text.contains("\"durationMs\":35") && !text.contains("upstreamRequestId"),
        "{text}"
    );
    let none = Report {
        result: None,
        ..report()
    }
    .render(InvokeOutput::Json);
    assert!(none.contains("\"result\":null"), "{none}");
}

#[test]
fn a_failure_names_fields_and_facts() {
    let failure = ClientFailure {
        code: "INVALID_ARGUMENT".to_owned(),
        message: "two fields are wrong".to_owned(),
        reason: "INVALID_FIELDS".to_owned(),
        details: vec![("execution".to_owned(), "not_started".to_owned())],
        fields: vec![("action_name".to_owned(), "is empty".to_owned())],
    };
    assert_eq!(
        failure.render(InvokeOutput::Table),
        "INVALID_ARGUMENT: two fields are wrong\n  action_name: is empty\nreason     INVALID_FIELDS\nexecution  not_started\n"
    );
    let json: serde_json::Value =
        serde_json::from_str(&failure.render(InvokeOutput::Json)).unwrap();
    assert_eq!(json["error"]["fields"]["action_name"], "is empty");
}

#[test]
fn bytes_that_are_no_text_are_shown_as_base64() {
    let bytes = Report {
        result: None,
        result_bytes: b"a\x98".to_vec(),
        ..report()
    };
    assert!(
        bytes
            .render(InvokeOutput::Table)
            .contains("result bytes  YZg= (base64)\n"),
        "{}",
        bytes.render(InvokeOutput::Table)
    );
    let json = bytes.render(InvokeOutput::Json);
    assert!(
        json.contains(r#""result":null,"resultBytes":"YZg=""#),
        "{json}"
    );
    assert!(!report().render(InvokeOutput::Json).contains("resultBytes"));
}
