//! The keys of a target's credentials. Which of them a source reads is in
//! `config::build::credentials`.

use super::target::{DAY, key, ms, only};
use super::{Default, Key, Kind, Provider, Rule};

const PROFILE: Rule = Rule {
    pattern: "^[^\\[\\]]{1,128}$",
    says: "the name of a section of the file, 1 to 128 characters without brackets",
    obeys: |text| (1..=128).contains(&text.chars().count()) && !text.contains(['[', ']']),
};

const AGENCY: Rule = Rule {
    pattern: "^[^\\p{Cc}]{1,64}$",
    says: "a name of 1 to 64 characters",
    obeys: |text| (1..=64).contains(&text.chars().count()) && !text.contains(char::is_control),
};

const ARGUMENT: Rule = Rule {
    // Validators over RE2, Helm's among them, count to 1000 at most: the length is checked by the
    // program.
    pattern: "^[^\\x00]*$",
    says: "a text of at most 4096 characters",
    obeys: |text| text.chars().count() <= 4096 && !text.contains('\0'),
};

const VARIABLE: Rule = Rule {
    pattern: "^[A-Za-z_][A-Za-z0-9_]{0,255}$",
    says: "the name of an environment variable",
    obeys: |text| {
        text.len() <= 256
            && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    },
};

pub(super) static KEYS: &[Key] = &[
    key(
        "targets.*.credentials",
        Kind::Section,
        Default::Nothing,
        "Where the keys come from. The keys themselves never stand in this file.",
    ),
    only(
        Provider::Ncp,
        key(
            "targets.*.credentials.source",
            Kind::Word(&[
                "env",
                "files",
                "ncloud_configure",
                "server_role",
                "sts",
                "exec",
            ]),
            Default::Is("env"),
            "env: NCLOUD_ACCESS_KEY_ID and NCLOUD_SECRET_ACCESS_KEY (or NCLOUD_ACCESS_KEY and NCLOUD_SECRET_KEY). files: access-key-id and secret-access-key in a directory. ncloud_configure: the file of the ncloud command. server_role: the role of the server, from its metadata service. sts: temporary keys for the key that base names. exec: what a command prints.",
        ),
    ),
    only(
        Provider::FunctionGraph,
        key(
            "targets.*.credentials.source",
            Kind::Word(&[
                "env",
                "files",
                "iam_password",
                "ecs_metadata",
                "temporary_keys",
                "agency",
                "exec",
            ]),
            Default::Is("env"),
            "env: HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK and, if set, HUAWEICLOUD_SDK_SECURITY_TOKEN. files: access-key-id, secret-access-key and, if there, security-token in a directory. iam_password: username, password and domain in a directory, for a token; with agency-name and agency-domain there, for a token of that agency. ecs_metadata: temporary keys of the server's agency, from its metadata service. temporary_keys: temporary keys for a login as that of iam_password. agency: temporary keys of an agency, for the key that base names. exec: what a command prints.",
        ),
    ),
    key(
        "targets.*.credentials.verify",
        Kind::Bool,
        Default::Is("true"),
        "Tries new keys with a harmless signed read before they replace good ones; not for the sources env and iam_password.",
    ),
    key(
        "targets.*.credentials.directory",
        Kind::Path,
        Default::Depends(
            "required for the sources files, iam_password and temporary_keys, and for base: files",
        ),
        "The directory that holds one file a secret, as Kubernetes mounts them. Changes are found by themselves.",
    ),
    only(
        Provider::Ncp,
        key(
            "targets.*.credentials.file",
            Kind::Path,
            Default::Depends("~/.ncloud/configure, for the source ncloud_configure"),
            "The file of the ncloud command.",
        ),
    ),
    only(
        Provider::Ncp,
        key(
            "targets.*.credentials.profile",
            Kind::Text(PROFILE),
            Default::Depends("DEFAULT, for the source ncloud_configure"),
            "The section of that file.",
        ),
    ),
    key(
        "targets.*.credentials.base",
        Kind::Word(&["env", "files"]),
        Default::Is("env"),
        "Where the permanent key is that the sources sts and agency ask with: as the source of the same name.",
    ),
    only(
        Provider::Ncp,
        key(
            "targets.*.credentials.duration",
            ms(600_000, 43_200_000),
            Default::Is("1h"),
            "The life asked for, for the source sts.",
        ),
    ),
    only(
        Provider::FunctionGraph,
        key(
            "targets.*.credentials.duration",
            ms(900_000, DAY),
            Default::Is("1h"),
            "The life asked for, for the sources temporary_keys and agency.",
        ),
    ),
    key(
        "targets.*.credentials.metadata_url",
        Kind::Url,
        Default::Depends("http://169.254.169.254, for the sources server_role and ecs_metadata"),
        "Where the metadata service is: plain http to a link-local or loopback address.",
    ),
    only(
        Provider::FunctionGraph,
        key(
            "targets.*.credentials.agency_name",
            Kind::Text(AGENCY),
            Default::Depends("required for the source agency"),
            "The agency to take on.",
        ),
    ),
    only(
        Provider::FunctionGraph,
        key(
            "targets.*.credentials.agency_domain",
            Kind::Text(AGENCY),
            Default::Depends("required for the source agency"),
            "The account that made the agency.",
        ),
    ),
    key(
        "targets.*.credentials.command",
        Kind::Path,
        Default::Depends("required for the source exec"),
        "The program that prints a key as JSON; it is run without a shell.",
    ),
    key(
        "targets.*.credentials.args",
        Kind::Texts(ARGUMENT),
        Default::Nothing,
        "Its arguments. Other processes can read them, so no secrets.",
    ),
    key(
        "targets.*.credentials.env",
        Kind::Texts(VARIABLE),
        Default::Nothing,
        "The names of the variables that it is given, such as HOME or PATH; it sees no others.",
    ),
    key(
        "targets.*.credentials.timeout",
        ms(1000, 60_000),
        Default::Is("10s"),
        "How long it may take before it is killed.",
    ),
];
