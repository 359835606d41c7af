//! The causes: a stable symbol each, and the fix in one sentence.

use std::fmt;

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $symbol:literal, $fix:literal;)*) => {
        /// Why a request is refused or does not arrive. The symbols are part of `doctor`'s output
        /// and stay.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Cause {
            $($(#[$doc])* $name,)*
        }

        impl Cause {
            /// Every cause, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The symbol in JSON output and documentation.
            #[must_use]
            pub fn symbol(self) -> &'static str {
                match self { $(Self::$name => $symbol,)* }
            }

            /// The cause with this symbol.
            #[must_use]
            pub fn of_symbol(symbol: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|cause| cause.symbol() == symbol)
            }

            /// What to do, in one sentence.
            #[must_use]
            pub fn fix(self) -> &'static str {
                match self { $(Self::$name => $fix,)* }
            }
        }
    };
}

causes! {
    /// The two clocks are farther apart than a signature may be old.
    ClockSkew = "clock_skew",
        "Set this machine's clock (chrony or NTP on the node; a container has its node's clock).";
    /// The configured source holds no key.
    CredentialsMissing = "credentials_missing",
        "Put the key where the message says, or correct `credentials` of the target.";
    /// The source holds something that can be no key.
    CredentialsUnusable = "credentials_unusable",
        "Write the key again without anything around it.";
    /// The secret, or both halves, are still in base64.
    KeyEncoded = "key_encoded",
        "Store the key as it is: it was put into base64 once too often, as happens with `data:` of a Kubernetes Secret.";
    /// The key has quotation marks around it.
    KeyQuoted = "key_quoted",
        "Take the quotation marks out of the stored key.";
    /// The two halves stand in each other's place.
    KeySwapped = "key_swapped",
        "Exchange access key and secret key; each stands where the other belongs.";
    /// The cloud does not know the access key.
    AccessKeyUnknown = "access_key_unknown",
        "Check the access key: it is of another account or site, disabled, deleted, or a temporary key that has ended.";
    /// The cloud has locked the access key after refused signatures.
    AccessKeyLocked = "access_key_locked",
        "Correct the secret key, then wait five minutes until the cloud takes the key again.";
    /// The secret does not belong to the access key.
    SecretWrong = "secret_wrong",
        "Store the secret key that belongs to this access key; make a new key if it is lost.";
    /// The cloud does not tell an unknown key from a wrong secret.
    KeyOrSecret = "key_or_secret",
        "Check in the console that the access key exists and is enabled, and store its own secret key.";
    /// A temporary key came without its security token.
    SecurityTokenMissing = "security_token_missing",
        "Give the security token that was handed out with the temporary key.";
    /// The security token is wrong or has ended.
    SecurityTokenRefused = "security_token_refused",
        "Renew the temporary key; its security token is wrong or has ended.";
    /// The token of a login was refused.
    TokenRefused = "token_refused",
        "Check the user's rights and the region; the token was new and was refused all the same.";
    /// The login itself was refused.
    LoginRefused = "login_refused",
        "Check username, password and domain; it must be an IAM user with programmatic access.";
    /// The path that arrived is not the one that was signed.
    PathChanged = "path_changed",
        "Let the proxy at base_url pass the path on byte for byte, or point base_url at the cloud itself.";
    /// The parameters arrived in another order.
    QueryReordered = "query_reordered",
        "Let the proxy on the way pass the query on as it is: it sorts the parameters, and their order is signed.";
    /// Parameters were added, taken away or spelt otherwise.
    QueryChanged = "query_changed",
        "Let the proxy on the way pass the query on as it is: it adds, drops or re-encodes parameters.";
    /// The method that arrived is another.
    MethodChanged = "method_changed",
        "Let the proxy on the way pass the method on as it is.";
    /// The host that arrived is not the one that was signed.
    HostChanged = "host_changed",
        "Let the proxy on the way keep the Host header, or point base_url at the cloud itself.";
    /// A signed header arrived with another value, or not at all.
    HeaderChanged = "header_changed",
        "Let the proxy on the way leave the signed headers alone (Content-Type, X-Project-Id, x-ncp-…, X-Sdk-…).";
    /// The body that arrived is not the one that was hashed.
    BodyChanged = "body_changed",
        "Let the proxy on the way pass the body on byte for byte.";
    /// The header that carries the proof never arrived.
    AuthenticationDropped = "authentication_dropped",
        "Let the proxy on the way pass Authorization, X-Auth-Token and the x-ncp-… headers on.";
    /// Someone on the way answered, not the cloud.
    AnsweredByHop = "answered_by_hop",
        "Check base_url: something in front of the cloud answered by itself (a proxy, a portal, a redirect).";
    /// The site, region, API version or project is another one's.
    WrongPlace = "wrong_place",
        "Check site, region, api_version, project_id and base_url of the target.";
    /// The network address is not allowed.
    AddressRefused = "address_refused",
        "Allow the address that this machine goes out from in the key's or API's access list.";
    /// The gateway denies the key this API.
    GatewayRight = "gateway_right",
        "Give the sub account a policy for this API (NCP_VPC_CLOUD_FUNCTIONS_VIEWER to read, _MANAGER to run).";
    /// The service denies the key this resource or operation.
    RightMissing = "right_missing",
        "Give the user or sub account the right for this operation on this resource.";
    /// The account is frozen, or the region is closed to it.
    AccountRefused = "account_refused",
        "Check the account's bills and that the region is open to it.";
    /// A rate or quota.
    RateLimited = "rate_limited",
        "Wait, then ask again; raise the quota if it happens often.";
    /// No answer.
    Unreachable = "unreachable",
        "Check the network between this machine and the host, and base_url.";
    /// The cloud has no such resource.
    NotThere = "not_there",
        "Check the name, the package and the platform.";
    /// None of these fits the evidence.
    Unknown = "unknown",
        "Compare with `faas-sidecar sign --explain`, and quote the upstream request id to the provider.";
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.symbol())
    }
}
