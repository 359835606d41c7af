//! Clocks that differ, and asynchronous runs that outlast the sidecar that started them.

use serde_json::json;

use super::runs::{SLOW, record, recorded, submit, watched};
use super::*;

/// Less than `max_clock_correction`, by default a day.
const FAR_MS: i64 = 20 * 60 * 60 * 1000;

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_whose_clock_is_hours_away_is_used_as_any_other() {
    for ahead in [FAR_MS, -FAR_MS] {
        let options = Options {
            clock_offset_ms: ahead,
            ..Options::default()
        };
        let target =
            "  graph: {provider: functiongraph, region: cn-north-4, retry: {max_attempts: 1}}";
        let mut graph = Graph::open(target, options).await;
        graph
            .put("", "echo", node("exports.handler = async (event) => event"))
            .await;
        // The cloud's clock steps under calls in flight: each is signed once more, and the key is
        // not held back for it.
        let emulator = graph.house.emulators.iter().next().unwrap();
        emulator
            .clock()
            .advance(std::time::Duration::from_secs(3600));
        let calls = (0..20).map(|n| {
            let mut runs = graph.runs.clone();
            async move {
                let request = invoke("", "echo", &json!({ "n": n }).to_string());
                let run = runs
                    .invoke(request)
                    .await
                    .unwrap()
                    .into_inner()
                    .activation
                    .unwrap();
                assert_eq!(read(run.result), json!({ "n": n }));
            }
        });
        futures_util::future::join_all(calls).await;
        // Records are looked for around the cloud's now, not ours.
        recorded(&mut graph, SLOW, 0).await;
        let id = submit(&mut graph, r#"{"ms": 1}"#).await;
        assert!(watched(&mut graph, &id).await.pop().unwrap().success);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asynchronous_run_is_found_again_by_a_sidecar_that_did_not_start_it() {
    let mut graph = Graph::new().await;
    recorded(&mut graph, SLOW, 0).await;
    let id = submit(&mut graph, r#"{"ms": 1500}"#).await;
    let House {
        emulators, sidecar, ..
    } = graph.house;
    // Without a drain, as when a node dies.
    drop(sidecar);
    let env = emulators.env();
    let mut graph = Graph::of(House::with(emulators, env, |_| ()).await);
    let early = graph
        .runs
        .get_activation(record(&id))
        .await
        .unwrap()
        .into_inner();
    let early = early.activation.unwrap();
    assert!(!early.success && early.end_time.is_none(), "{early:?}");
    let states = watched(&mut graph, &id).await;
    assert!(states.last().unwrap().success, "{states:?}");
}
