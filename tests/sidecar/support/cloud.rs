//! The clouds and the generations of their APIs: a target of each, its keys, and its answer to a
//! run.

use faas_sidecar::env::Env;

use super::answer::{Http, http};
use super::bench::{ID, success};
use super::upstream::{ACCESS_KEY, SECRET_KEY};

/// The project of the functiongraph target.
pub const PROJECT: &str = "7aad83af3e8d42e99ac194e8419e2c9b";

/// A cloud in one generation of its API. The name of its target is that of [`Cloud::target`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cloud {
    #[default]
    Ncp21,
    Ncp20,
    FunctionGraph,
}

use Cloud::{FunctionGraph, Ncp20, Ncp21};

impl Cloud {
    pub const ALL: [Self; 3] = [Ncp21, Ncp20, FunctionGraph];

    pub fn target(self) -> String {
        match self {
            Ncp21 => "ncp21",
            Ncp20 => "ncp20",
            FunctionGraph => "functiongraph",
        }
        .to_owned()
    }

    pub fn is_ncp(self) -> bool {
        self != FunctionGraph
    }

    /// The keys of a target that say which cloud it is, one a line.
    pub fn settings(self) -> String {
        match self {
            Ncp21 => "provider: ncp".to_owned(),
            Ncp20 => "provider: ncp\napi_version: \"2.0\"".to_owned(),
            FunctionGraph => {
                format!("provider: functiongraph\nregion: cn-north-4\nproject_id: {PROJECT}")
            }
        }
    }

    /// The only target, `main`, with these keys in braces.
    pub fn main(self, keys: &str) -> String {
        let settings = self.settings().replace('\n', ", ");
        format!("targets:\n  main: {{{settings}, {keys}}}")
    }
}

/// The environment with a key for each cloud.
pub fn keys() -> Env {
    Env::fixed([
        ("NCLOUD_ACCESS_KEY_ID", ACCESS_KEY),
        ("NCLOUD_SECRET_ACCESS_KEY", SECRET_KEY),
        ("HUAWEICLOUD_SDK_AK", "TESTACCESSKEY0000001"),
        (
            "HUAWEICLOUD_SDK_SK",
            "test-secret-key-not-real-000000000000001",
        ),
    ])
}

/// A good answer to a run, with this result as JSON.
pub fn ran(cloud: Cloud, result: &str) -> Http {
    if cloud.is_ncp() {
        return success(result);
    }
    let text = serde_json::to_string(result).unwrap();
    http(
        200,
        &format!(r#"{{"request_id":"{ID}","result":{text},"log":"","status":200}}"#),
    )
    .header("X-Cff-Request-Id", ID)
    .header("X-Cff-Response-Version", "v1")
}

/// Each of these tests for each cloud.
#[allow(unused_macros, reason = "other suites run every cloud in one test")]
macro_rules! on_both_clouds {
    ($($test:ident),* $(,)?) => {
        mod ncp {
            $(#[tokio::test]
            async fn $test() {
                super::$test($crate::support::cloud::Cloud::Ncp21).await;
            })*
        }
        mod functiongraph {
            $(#[tokio::test]
            async fn $test() {
                super::$test($crate::support::cloud::Cloud::FunctionGraph).await;
            })*
        }
    };
}
#[allow(unused_imports, reason = "other suites run every cloud in one test")]
pub(crate) use on_both_clouds;
