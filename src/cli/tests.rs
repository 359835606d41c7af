use super::*;
use clap::CommandFactory as _;

fn ran(args: &[&str], env: &[(&str, &str)]) -> (Exit, String, String) {
    let (mut out, mut err, mut input) = (Vec::new(), Vec::new(), std::io::empty());
    let mut io = Io {
        out: &mut out,
        err: &mut err,
        input: &mut input,
    };
    let args = std::iter::once("faas-sidecar")
        .chain(args.iter().copied())
        .map(OsString::from);
    let exit = run(args, &Env::fixed(env.iter().copied()), &mut io);
    (
        exit,
        String::from_utf8(out).unwrap(),
        String::from_utf8(err).unwrap(),
    )
}

fn invoke(args: &[&str], piped: &str) -> Result<invoke::InvokeInput, String> {
    let args = ["faas-sidecar", "invoke"].iter().chain(args).copied();
    let Command::Invoke(args) = Cli::try_parse_from(args).unwrap().command else {
        panic!()
    };
    let (mut out, mut err, mut input) = (Vec::new(), Vec::new(), piped.as_bytes());
    args.input(
        &Env::fixed::<String, String>([]),
        &mut Io {
            out: &mut out,
            err: &mut err,
            input: &mut input,
        },
    )
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn help_is_an_answer_and_misuse_is_64() {
    let (exit, out, err) = ran(&["--help"], &[]);
    assert!(
        exit == Exit::Clean
            && out.contains("Exit codes:")
            && out.contains("wins over")
            && err.is_empty()
    );
    assert_eq!(ran(&["--version"], &[]).0, Exit::Clean);
    for args in [
        &[][..],
        &["nonsense"],
        &["serve", "--nonsense"],
        &["invoke"],
        &["invoke", "a/b/c"],
        &["check", "extra"],
    ] {
        let (exit, out, err) = ran(args, &[]);
        assert!(
            exit == Exit::Usage && out.is_empty() && !err.is_empty(),
            "{args:?}"
        );
    }
}

#[cfg(not(feature = "emulator"))]
#[test]
fn a_build_without_the_emulator_says_so() {
    for args in [
        &["demo"][..],
        &["emulator", "--site", "kr"],
        &["serve", "--emulator"],
    ] {
        let (exit, _, err) = ran(args, &[]);
        assert!(
            exit == Exit::Usage && err.contains("this build has no emulator"),
            "{args:?}: {err}"
        );
    }
    assert!(
        !ran(&["--help"], &[]).1.contains("demo")
            && !ran(&["serve", "--help"], &[]).1.contains("--emulator")
    );
}

#[test]
fn every_command_teaches_by_example() {
    for command in Cli::command().get_subcommands() {
        let name = command.get_name();
        let (exit, out, _) = ran(&[name, "--help"], &[]);
        assert!(
            exit == Exit::Clean
                && out.contains("Example")
                && out.contains(&format!("faas-sidecar {name}")),
            "{name}"
        );
    }
}

#[test]
fn each_setting_has_its_flag_in_the_help() {
    let (_, out, _) = ran(&["serve", "--help"], &[]);
    for key in crate::config::keys::scalars() {
        assert!(
            out.contains(&format!("--{}", key.flag())) && out.contains(&key.variable()),
            "{}",
            key.path
        );
    }
}

#[test]
fn flags_reach_the_configuration() {
    let (exit, out, err) = ran(
        &[
            "check",
            "--listen",
            "127.0.0.1:1",
            "--listen",
            "unix:/x",
            "--allow-remote-clients",
            "--log-level=debug",
        ],
        &[
            ("FAAS_SIDECAR_LOG_LEVEL", "error"),
            ("FAAS_SIDECAR_THREADS", "2"),
        ],
    );
    assert_eq!((exit, err.as_str()), (Exit::Clean, ""));
    assert!(
        out.contains("unix:/x") && out.contains("level: debug") && out.contains("threads: 2"),
        "{out}"
    );
    assert!(
        out.contains("allow_remote_clients: true") && out.starts_with("# No file was given"),
        "{out}"
    );
}

#[test]
fn bad_settings_are_78() {
    let (exit, out, err) = ran(
        &["check", "--threads", "many"],
        &[("FAAS_SIDECAR_ADMIN", "x")],
    );
    assert_eq!((exit, out.as_str()), (Exit::BadConfig, ""));
    assert!(
        err.starts_with("the configuration has 2 mistakes:\n1. threads (--threads): "),
        "{err}"
    );
}

#[test]
fn a_call_is_put_together() {
    let input = invoke(
        &[
            "math/inc", "--json", "-", "--param", "by=2", "--wait", "2m", "--target", "hw",
        ],
        "{\"n\":1}",
    )
    .unwrap();
    assert_eq!(input.arguments, "{\"n\":1,\"by\":2}");
    assert_eq!(
        (input.target.as_str(), input.wait),
        ("hw", Some(std::time::Duration::from_secs(120)))
    );
    assert_eq!(input.reach.address.to_string(), "127.0.0.1:50051");
    assert!(
        invoke(&["inc", "--json", "nonsense"], "")
            .unwrap_err()
            .contains("--json is not JSON")
    );
    assert_eq!(
        ran(&["invoke", "a", "--async", "--wait", "1s"], &[]).0,
        Exit::Usage
    );
    assert_eq!(ran(&["invoke", "a", "--timeout", "5"], &[]).0, Exit::Usage);
}

#[test]
fn signing_prints_what_the_signer_answers() {
    let args = [
        "faas-sidecar",
        "sign",
        "GET",
        "https://h/p?q",
        "--timestamp",
        "15",
        "--access-key",
        "id",
    ];
    let Command::Sign(args) = Cli::try_parse_from(args).unwrap().command else {
        panic!()
    };
    let (mut out, mut err, mut input) = (Vec::new(), Vec::new(), std::io::empty());
    let mut io = Io {
        out: &mut out,
        err: &mut err,
        input: &mut input,
    };
    let env = Env::fixed([("NCLOUD_SECRET_KEY", "hunter2")]);
    let exit = sign::run_with(&args, &env, &mut io, |asked| {
        assert_eq!(
            (asked.url, asked.timestamp, asked.keys.secret_key.as_str()),
            ("https://h/p?q", Some(15), "hunter2")
        );
        Ok(sign::Signed {
            method: asked.method.to_string(),
            url: asked.url.to_owned(),
            string_to_sign: format!("{} {}", asked.method, asked.url),
            ..sign::Signed::default()
        })
    });
    assert_eq!(exit, Exit::Clean);
    assert!(
        String::from_utf8(out)
            .unwrap()
            .contains("  GET https://h/p?q\n")
    );
}

#[test]
fn check_warns_of_what_a_sidecar_would_ignore_and_of_metrics_that_others_can_read() {
    let env = [
        ("NCLOUD_ACCESS_KEY_ID", "id"),
        ("NCLOUD_SECRET_ACCESS_KEY", "secret"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_METRICS_EXPORTER", "otlp,console"),
    ];
    let open = [
        "--metrics-listen",
        "0.0.0.0:9902",
        "--metrics-allow-remote-clients",
    ];
    let (exit, out, err) = ran(&[&["check"][..], &open].concat(), &env);
    assert!(
        exit == Exit::Clean && out.contains("0.0.0.0:9902"),
        "{out}{err}"
    );
    for warning in [
        "OTEL_EXPORTER_OTLP_ENDPOINT is no http or https URL",
        "no traces are exported",
        "OTEL_METRICS_EXPORTER names others than otlp and none",
        "metrics.listen 0.0.0.0:9902 can be reached by other machines",
    ] {
        assert!(err.contains(warning), "{warning}: {err}");
    }
    let (exit, out, err) = ran(&["check", "--admin", "0.0.0.0:9901"], &env[..2]);
    assert!(
        out.is_empty() && exit != Exit::Clean && err.contains("metrics.listen"),
        "{err}"
    );
    let (exit, _, err) = ran(&["check"], &env[..2]);
    assert!(exit == Exit::Clean && err.is_empty(), "{err}");
}
