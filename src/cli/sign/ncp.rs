//! NAVER Cloud's signature v2, through the very signer that the sidecar uses.

use sha2::{Digest as _, Sha256};

use super::{SignInput, Signed};
use crate::clock;
use crate::credentials::fingerprint;
use crate::credentials::{KeyPair, Secret};
use crate::provider::ncp::Signer;

/// Signs one request.
///
/// # Errors
/// A sentence, when the keys cannot sign.
pub(super) fn sign(input: &SignInput<'_>) -> Result<Signed, String> {
    let keys = KeyPair {
        access_key: input.keys.access_key.clone(),
        secret_key: Secret::new(input.keys.secret_key.to_string()),
        security_token: None,
    };
    let signer = Signer::new(&keys)?;
    if input.body.is_some() {
        return Err("--body is for --provider functiongraph; NAVER Cloud signs no body".to_owned());
    }
    let millis = input
        .timestamp
        .unwrap_or_else(|| clock::epoch_millis(clock::now()));
    let (method, target, timestamp) = (
        input.method.as_str(),
        request_target(input.url),
        millis.to_string(),
    );
    let signature = signer.sign(method, &target, &timestamp);
    let string_to_sign = signer.string_to_sign(method, &target, &timestamp);
    let steps = vec![
        ("key fingerprint", fingerprint(signer.access_key())),
        ("method", method.to_owned()),
        ("request target, signed as it is", target.clone()),
        ("timestamp, milliseconds since 1970", timestamp.clone()),
        ("access key", signer.access_key().to_owned()),
        ("string to sign", string_to_sign.clone()),
        (
            "its SHA-256",
            hex::encode(Sha256::digest(string_to_sign.as_bytes())),
        ),
        ("signature, HMAC-SHA256 in base64", signature.clone()),
        ("body", "not signed".to_owned()),
    ];
    Ok(Signed {
        method: method.to_owned(),
        url: input.url.to_owned(),
        string_to_sign,
        steps,
        headers: vec![
            ("x-ncp-apigw-timestamp".to_owned(), timestamp),
            (
                "x-ncp-iam-access-key".to_owned(),
                signer.access_key().to_owned(),
            ),
            ("x-ncp-apigw-signature-v2".to_owned(), signature),
        ],
        ..Signed::default()
    })
}

/// Path and query as they stand in the text: no parser may tidy up what a client sends as it is.
fn request_target(url: &str) -> String {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let target = authority
        .find(['/', '?', '#'])
        .map_or("", |start| &authority[start..]);
    // A fragment is never sent.
    let target = target.split('#').next().unwrap_or_default();
    // Clients send a slash for an empty path.
    if target.starts_with('/') {
        target.to_owned()
    } else {
        format!("/{target}")
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::cli::Keys;

    #[test]
    fn the_target_is_cut_out_of_the_text_untouched() {
        for (url, target) in [
            ("https://h/a/../b?x=%7e&y=가", "/a/../b?x=%7e&y=가"),
            ("https://h", "/"),
            ("https://h:1?a=/b", "/?a=/b"),
            ("http://h/p#part", "/p"),
            ("http://h#part", "/"),
        ] {
            assert_eq!(request_target(url), target, "{url}");
        }
    }

    #[test]
    fn the_reference_vector_comes_out() {
        let keys = Keys {
            access_key: "ncp_iam_TESTACCESSKEY01".to_owned(),
            secret_key: Zeroizing::new("ncp_iam_TESTSECRETKEY0123456789abcdef".to_owned()),
        };
        let signed = sign(&SignInput {
            method: &http::Method::GET,
            url: "https://cloudfunctions.apigw.ntruss.com/ncf/api/v2/packages?platform=vpc",
            timestamp: Some(1_714_111_020_170),
            keys: &keys,
            security_token: None,
            body: None,
        })
        .unwrap();
        assert_eq!(
            signed.string_to_sign,
            "GET /ncf/api/v2/packages?platform=vpc\n1714111020170\nncp_iam_TESTACCESSKEY01"
        );
        assert_eq!(
            signed.headers[2].1,
            "G9XMGbwVsK10n5zYjUCRqnLyK6pk5XqVV1TexFXiGyk="
        );
    }
}
